"""How fast logs of production are read, beside extraction alone, and in how much memory.

Ingest is measured as a program, its start and its end included, in a home folder of its own;
extraction alone parses each line and finds the names, and neither judges nor keeps anything.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

from ghostbust.bench.traffic_log import write_log
from ghostbust.errors import GhostbustError
from ghostbust.extractors.extract import extract
from ghostbust.loop.ingest.formats import asks_for_list, read_line

BASELINE: Final = 4000
"""lines that extraction alone is timed on, at most"""
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """What is measured."""

    completions: tuple[int, ...]
    """of each log"""
    chars: int
    """of an answer, about"""
    context: int
    """characters that a user quotes, about"""
    invented: float
    """share of answers with a name that nobody has registered"""
    workers: int | None
    """None: one for each core"""
    seed: int


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One log that was read."""

    completions: int
    log_bytes: int
    wall_s: float
    cpu_s: float
    """of the main process and its workers together; less than cores times ``wall_s``"""
    peak_bytes: int
    """largest sum of what the main process and its workers had in memory, seen every 0.1 s"""

    @property
    def per_s(self) -> float:
        """Completions in a second."""
        return self.completions / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Completions in a second of one core, whatever else the machine did meanwhile."""
        return self.completions / self.cpu_s


@dataclass(frozen=True, slots=True)
class Result:
    """Extraction alone, and ingest of each log."""

    extraction_per_s: float
    """completions in a second, in one process"""
    extraction_per_cpu_s: float
    """the same in a second of one core"""
    runs: tuple[Ingestion, ...]

    @property
    def ratio(self) -> float:
        """How many times as fast the largest log was read."""
        return self.runs[-1].per_s / self.extraction_per_s


def measure_ingest(size: Size, heard: Callable[[str], None]) -> Result:
    """Makes the logs, times extraction on the first, reads each. ``heard``: one line each.

    Raises GhostbustError where a run fails or counts another number of completions.
    """
    with tempfile.TemporaryDirectory(prefix="ghostbust-") as folder:
        runs, per_s, per_cpu_s = [], 0.0, 0.0
        for number, completions in enumerate(size.completions):
            log = Path(folder) / f"{number}.jsonl"
            write_log(
                log, completions, chars=size.chars, context=size.context,
                invented=size.invented, seed=size.seed + number,
            )  # fmt: skip
            if not number:
                per_s, per_cpu_s = time_extraction(log)
                heard(f"extraction alone: {per_s:,.0f} completions/s")
            run = ingest_log(log, Path(folder) / f"home-{number}", completions, size.workers)
            log.unlink()
            heard(f"{completions:,} completions: {run.per_s:,.0f}/s")
            runs.append(run)
    return Result(per_s, per_cpu_s, tuple(runs))


def time_extraction(log: Path) -> tuple[float, float]:
    """Completions in a second, and in a second of one core, of extraction alone.

    On the first lines of a log.
    """
    with log.open("rb") as stream:
        lines = list(islice(stream, BASELINE))
    for line in lines[:100]:
        _extract(line)  # what is loaded and compiled once isn't counted
    began, cpu_began = time.perf_counter(), time.process_time()
    for line in lines:
        _extract(line)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return len(lines) / wall_s, len(lines) / cpu_s


def ingest_log(log: Path, home: Path, completions: int, workers: int | None) -> Ingestion:
    """Reads a log by ``ghostbust ingest`` as a program of its own."""
    command = [sys.executable, "-m", "ghostbust", "ingest", str(log), "--home", str(home)]
    command += ["--registry", "snapshot", "--json", "--quiet"]
    command += [] if workers is None else ["--workers", str(workers)]
    peak, began, cpu_began = 0, time.perf_counter(), _children_cpu_s()
    # Files, since nobody reads while it works: a pipe would fill, and hold it up.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen(command, stdout=out, stderr=err) as process:
            while process.poll() is None:
                peak = max(peak, tree_bytes(process.pid))
                time.sleep(_LOOK_S)
        wall_s = time.perf_counter() - began
        said, complaint = (_content(stream) for stream in (out, err))
    if process.returncode:
        raise GhostbustError(f"ghostbust ingest failed: {complaint.strip()}")
    counted = json.loads(said)["answers"]
    if counted != completions:
        raise GhostbustError(f"{counted} of {completions} completions were counted")
    cpu_s = _children_cpu_s() - cpu_began
    return Ingestion(completions, log.stat().st_size, wall_s, cpu_s, peak)


def tree_bytes(root: int) -> int:
    """Resident memory of a process and its children's, as Linux tells it; 0 where it is gone."""
    total, waiting = 0, [root]
    while waiting:
        place = Path("/proc") / str(waiting.pop())
        try:
            status = (place / "status").read_text()
            for task in (place / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def _content(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _children_cpu_s() -> float:
    """Seconds that processes took which this one, or one of them, has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _extract(line: bytes) -> None:
    for completion in read_line(line):
        asked = completion.prompt or ""
        extract(completion.text, expect_list=asks_for_list(asked), prompt_text=asked)
