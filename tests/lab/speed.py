"""How fast names are found and judged, in how much memory, and how fast logs are read.

The first rates are items per second of processor time of one process, the best of several runs:
what else the machine does then hardly counts. Ingest is measured as a program, its start and its
end included, beside extraction alone in one process. All input is made; nobody is asked.

    python -m tests.lab.speed --peers PYTHON
    python -m tests.lab.speed --ingest 20000 120000
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ghostbust.extractors.asking import asks_for_list
from ghostbust.extractors.extract import extract
from ghostbust.extractors.manifests import requirements_refs
from ghostbust.loop.ingest.formats import read_line
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.snapshot import Snapshot, find_snapshot

NAMES_PER_S: Final = 300_000
"""names judged offline in a second on one core, at least"""
MEMORY_BYTES: Final = 120_000_000
"""what a process that holds both snapshots may take"""
COMPLETIONS_PER_MINUTE: Final = 100_000
"""that two cores should read"""
BASELINE: Final = 4000
"""lines that extraction alone is timed on, at most"""
RUNS = 5
"""runs of which the best one counts"""
_PEER_LIMIT_S = 300
_MEASURE_MEMORY = """
import re
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Mode, default_judge
with default_judge(Mode.SNAPSHOT) as judge:
    for ecosystem in Ecosystem:
        if snapshot := judge.snapshots.get(ecosystem):
            judge.names(ecosystem, [*snapshot.popular(15_000), "zz-made-up-name"])
    print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
_PYTHON_ANSWER = """\
You can do this with **{a}**, which is built on {b}. Install both first:

```bash
pip install {a} "{b}[extra]>=2.0" --upgrade
```

Then:

```python
import json
import {x}
from {y}.client import Client as Remote


def run(path: str) -> dict[str, int]:
    \"\"\"Counts the records of each kind.\"\"\"
    counts: dict[str, int] = {{}}
    with open(path) as stream:
        for line in stream:
            kind = json.loads(line).get("kind", "none")
            counts[kind] = counts.get(kind, 0) + 1
    return counts


if __name__ == "__main__":
    print(run("records.jsonl"))
```

Other libraries that may help:

1. `{c}` - faster for large files
2. `{d}` - if you need a database
"""
_JAVASCRIPT_ANSWER = """\
Use `{a}` together with `{b}`:

```sh
npm install --save {a} {b}@latest
```

```javascript
import main from "{a}";
const {{ open }} = require("{b}");

export async function run(path) {{
  const file = await open(path);
  return main(file).filter((row) => row.kind !== "none");
}}
```
"""
_SENTENCES = (
    "The rows are sorted by the time at which the sensor was read.",
    "Check that the folder is there before the first file is written.",
    "A missing value is kept as it is, so that the sum can say that it isn't complete.",
    "This keeps one connection open and gives it back at the end.",
    "If the answer is larger than a page, the next one is fetched in the same way.",
    "Both ends of the range count, as a calendar would have it.",
)
_PYTHON = """```python
import json
import os
from pathlib import Path

import {a}
from {b} import core


def collect(folder: Path, limit: int = 100) -> dict[str, float]:
    totals: dict[str, float] = {{}}
    for path in sorted(folder.glob("*.json"))[:limit]:
        record = json.loads(path.read_text())
        totals[record["station"]] = totals.get(record["station"], 0.0) + record["value"]
    return totals


if __name__ == "__main__":
    print(collect(Path(os.environ["DATA"])))
```"""
_JAVASCRIPT = """```javascript
const fs = require('fs');
const {v} = require('{a}');
import * as rest from '{b}';

async function collect(folder) {{
  const totals = new Map();
  for (const name of fs.readdirSync(folder)) {{
    const record = JSON.parse(fs.readFileSync(`${{folder}}/${{name}}`));
    totals.set(record.station, (totals.get(record.station) ?? 0) + record.value);
  }}
  return totals;
}}
```"""
_ASKED = (
    "Read station {n} of the harbour and sum its values in Python.",
    "How do I follow the pages of route {n} in Node.js?",
    "Explain why reading {n} of the gauge is missing.",
    "Which Python packages help with tide table {n}?",
)
_TIMED = """
import json, time
from importlib.metadata import version
def quickest(work):
    took = []
    for _ in range(5):
        begun = time.process_time()
        found = work()
        took.append(time.process_time() - begun)
    return min(took), found
"""


class Peer(NamedTuple):
    """A public program that does a part of the same work, run in an interpreter of its own."""

    name: str
    file: str
    """the input that its script reads in the current folder: a JSON list, or lines"""
    script: str
    """prints a JSON list: its version, seconds of processor time of its quickest run, and the
    packages that it found"""


PEERS = (
    Peer(
        "garak",
        "answers.json",
        _TIMED
        + """
from garak.detectors.packagehallucination import PythonPypi
answers = json.load(open("answers.json"))
read = PythonPypi._extract_package_references
print(json.dumps([version("garak"), *quickest(lambda: sum(len(read(None, a)) for a in answers))]))
""",
    ),
    Peer(
        "slopcheck",
        "requirements.txt",
        _TIMED
        + """
from pathlib import Path
from slopcheck.parsers import parse_requirements_txt
path = Path("requirements.txt")
print(json.dumps([version("slopcheck"), *quickest(lambda: len(parse_requirements_txt(path)))]))
""",
    ),
)
"""garak's detector finds imports of Python only; slopcheck's parser reads the file each time"""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one program does one thing."""

    what: str
    by: str
    """the program, with its version where it is a peer"""
    items: int
    per_s: float
    """items per second of processor time"""
    found: int
    """packages that were found in the items, or names that got a verdict"""


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One log that was read."""

    completions: int
    log_bytes: int
    wall_s: float
    cpu_s: float
    """of the main process and its workers together"""
    peak_bytes: int
    """largest sum of what the main process and its workers had in memory, seen every 0.1 s"""

    @property
    def per_s(self) -> float:
        """Completions in a second."""
        return self.completions / self.wall_s


def made_answers(judge: Judge, count: int) -> list[str]:
    """Answers in the manner of a model, three of Python to one of JavaScript, always the same."""
    pypi = judge.snapshots[Ecosystem.PYPI].popular(4 * count)
    npm = judge.snapshots[Ecosystem.NPM].popular(2 * count)
    made = []
    for n in range(count):
        if n % 4 == 3:
            a, b = npm[2 * n % len(npm)], npm[(2 * n + 1) % len(npm)]
            made.append(_JAVASCRIPT_ANSWER.format(a=a, b=b))
            continue
        a, b, c, d = (pypi[(4 * n + k) % len(pypi)] for k in range(4))
        x, y = a.replace("-", "_"), b.replace("-", "_")
        made.append(_PYTHON_ANSWER.format(a=a, b=b, c=c, d=d, x=x, y=y))
    return made


def made_names(judge: Judge) -> list[str]:
    """Names as they'd come to be judged: half of them popular, half of them made up of two."""
    popular = judge.snapshots[Ecosystem.PYPI].popular(15_000)
    return popular + [f"{a}-{b}" for a, b in zip(popular, reversed(popular), strict=True)]


def rates(judge: Judge, count: int, peers: Path | None = None) -> Iterator[Rate]:
    """Extraction of so many answers, requirement lines, judging; ghostbust's before its peers'."""
    answers, names = made_answers(judge, count), made_names(judge)
    lines = [f"{name}>=1.0  # wanted" for name in names]
    text = "".join(f"{line}\n" for line in lines)
    yield _rate("answers extracted", answers, lambda: sum(len(extract(one)) for one in answers))
    yield from _peer_rates(peers, "answers extracted", answers, "answers.json")
    yield _rate("requirement lines read", lines, lambda: len(list(requirements_refs(text, 0))))
    yield from _peer_rates(peers, "requirement lines read", lines, "requirements.txt")
    distinct = list(dict.fromkeys(names))
    judge.names(Ecosystem.PYPI, distinct[:1])  # reads the notes
    yield _rate(
        "names judged offline", distinct, lambda: len(judge.names(Ecosystem.PYPI, distinct))
    )


def _rate(what: str, items: Sequence[str], work: Callable[[], int]) -> Rate:
    return Rate(what, "ghostbust", len(items), best_rate(work, len(items)), work())


def _peer_rates(python: Path | None, what: str, items: Sequence[str], file: str) -> Iterator[Rate]:
    """Those of the peers that read this file and that the interpreter has."""
    for peer in PEERS:
        if python is not None and peer.file == file:
            found = peer_rate(python, what, peer, items)
            if found is not None:
                yield found


def best_rate(
    work: Callable[[], object], count: int, clock: Callable[[], float] = time.process_time
) -> float:
    """``count`` items a second of the clock, by the quickest of `RUNS` runs."""
    took = []
    for _ in range(RUNS):
        begun = clock()
        work()
        took.append(clock() - begun)
    return count / min(took)


def memory_bytes() -> int | None:
    """The most that a fresh process held with both snapshots in use; None where nobody says."""
    if not Path("/proc/self/status").is_file():
        return None
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE_MEMORY], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


def peer_rate(python: Path, what: str, peer: Peer, items: Sequence[str]) -> Rate | None:
    """The same input read by a peer, in the interpreter that has it; None where it hasn't."""
    with tempfile.TemporaryDirectory() as folder:
        text = (
            json.dumps(items) if peer.file.endswith(".json") else "".join(f"{i}\n" for i in items)
        )
        Path(folder, peer.file).write_text(text, "utf-8")
        try:
            done = subprocess.run(
                [python.absolute(), "-I", "-c", peer.script],
                cwd=folder, capture_output=True, text=True, check=True, timeout=_PEER_LIMIT_S,
            )  # fmt: skip
            version, seconds, found = json.loads(done.stdout.splitlines()[-1])
        except (subprocess.SubprocessError, OSError, ValueError, IndexError, TypeError):
            return None
    return Rate(what, f"{peer.name} {version}", len(items), len(items) / float(seconds), int(found))


def write_log(
    path: Path, completions: int, *, chars: int, context: int, invented: float, seed: int
) -> None:
    """Writes a log of so many requests with their responses.

    ``chars``: about so many characters in an answer. ``context``: so many that the user quotes,
    as an editor's assistant is given the file that is open. ``invented``: the share of answers
    with a name that nobody has registered.
    """
    rng = random.Random(seed)
    names = {eco: _popular(eco) for eco in (Ecosystem.PYPI, Ecosystem.NPM)}
    with path.open("w", encoding="utf-8") as stream:
        for number in range(completions):
            kind = rng.randrange(4)
            known = names[Ecosystem.NPM if kind == 1 else Ecosystem.PYPI]
            chosen = rng.sample(known, 5)
            if rng.random() < invented and kind != 1:
                chosen[0] = f"zz-{rng.randrange(1000)}-harbour-gauge"
            text = "\n\n".join(_answer(kind, chosen, chars, rng))
            quoted = " ".join(rng.choices(_SENTENCES, k=context // 66))
            stream.write(f"{json.dumps(_record(number, kind, text, quoted))}\n")


def _answer(kind: int, names: Sequence[str], chars: int, rng: random.Random) -> Iterator[str]:
    a, b = names[:2]
    yield rng.choice(_SENTENCES)
    if kind == 0:
        yield f"```bash\npip install {' '.join(names[:3])}\n```"
        yield _PYTHON.format(a=a.replace("-", "_"), b=b.replace("-", "_"))
    elif kind == 1:
        yield f"```bash\nnpm install {a} {b}\n```"
        yield _JAVASCRIPT.format(a=a, b=b, v=f"v{rng.randrange(9)}")
    elif kind == 3:
        yield "\n".join(f"{n}. **{name}**: {_SENTENCES[n]}" for n, name in enumerate(names, 1))
    else:
        yield f"Run `pip install {a}` and try again."
    length = 700 if kind < 2 else 150
    while length < chars:
        yield (sentences := " ".join(rng.choices(_SENTENCES, k=4)))
        length += len(sentences)


def _record(number: int, kind: int, text: str, quoted: str) -> dict[str, object]:
    messages = [
        {"role": "system", "content": "You are a helpful assistant for people who write code."},
        {"role": "user", "content": f"{_ASKED[kind].format(n=number)}\n\n{quoted}".rstrip()},
    ]
    answer = {"role": "assistant", "content": text}
    return {
        "time": 1_790_000_000 + number,
        "request": {"model": "served", "messages": messages, "temperature": 0.7},
        "response": {
            "id": f"chatcmpl-{number:012d}",
            "model": "served",
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
        },
    }


def _popular(ecosystem: Ecosystem) -> list[str]:
    names = Snapshot.load(find_snapshot(ecosystem, None)).popular(2000)
    return [name for name in names if name.isascii()]


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


def ingest_log(log: Path, home: Path, completions: int) -> Ingestion:
    """Reads a log by ``ghostbust ingest`` as a program of its own.

    Raises RuntimeError where it fails or counts another number of completions.
    """
    command = [sys.executable, "-m", "ghostbust", "ingest", str(log), "--home", str(home)]
    command += ["--registry", "snapshot", "--json", "--quiet"]
    peak, began, cpu_began = 0, time.perf_counter(), _children_cpu_s()
    # Files, since nobody reads while it works: a pipe would fill, and hold it up.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen(command, stdout=out, stderr=err) as process:
            while process.poll() is None:
                peak = max(peak, tree_bytes(process.pid))
                time.sleep(0.1)
        wall_s, cpu_s = time.perf_counter() - began, _children_cpu_s() - cpu_began
        for stream in (out, err):
            stream.seek(0)
        if process.returncode:
            raise RuntimeError(f"ghostbust ingest failed: {err.read().decode()}")
        counted = json.load(out)["answers"]
    if counted != completions:
        raise RuntimeError(f"{counted} of {completions} completions were counted")
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


def _children_cpu_s() -> float:
    """Seconds that processes took which this one, or one of them, has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _extract(line: bytes) -> None:
    for completion in read_line(line):
        asked = completion.prompt or ""
        extract(completion.text, expect_list=asks_for_list(asked), prompt_text=asked)


def _print_rates(answers: int, peers: Path | None) -> None:
    with default_judge(Mode.SNAPSHOT) as judge:
        found = list(rates(judge, answers, peers))
    own = {rate.what: rate.per_s for rate in found if rate.by == "ghostbust"}
    print(f"{'what':24}{'by':18}{'items':>9}{'a second':>12}{'found':>9}{'ghostbust to this':>20}")
    for rate in found:
        print(
            f"{rate.what:24}{rate.by:18}{rate.items:9,}{rate.per_s:12,.0f}{rate.found:9,}"
            f"{own[rate.what] / rate.per_s:20.2f}"
        )
    memory = memory_bytes()
    said = "not known here" if memory is None else f"{memory / 1e6:.0f} MB"
    print(f"memory with both snapshots in use: {said} (wanted: < {MEMORY_BYTES / 1e6:.0f} MB)")
    print(f"names judged offline: wanted are {NAMES_PER_S:,} a second")


def _print_ingest(told: argparse.Namespace) -> None:
    print("completions      log  seconds   per s  per core s  peak memory")
    with tempfile.TemporaryDirectory(prefix="ghostbust-") as folder:
        for number, completions in enumerate(told.ingest):
            log = Path(folder) / f"{number}.jsonl"
            write_log(
                log, completions, chars=told.chars, context=told.context,
                invented=told.invented, seed=number,
            )  # fmt: skip
            if not number:
                alone, per_cpu_s = time_extraction(log)
            run = ingest_log(log, Path(folder) / f"home-{number}", completions)
            log.unlink()
            print(
                f"{completions:11,}{run.log_bytes / 1e6:6,.1f} MB{run.wall_s:9.1f}{run.per_s:8,.0f}"
                f"{completions / run.cpu_s:12,.0f}{run.peak_bytes / 1e6:10,.0f} MB"
            )
    print(f"extraction alone, in one process: {alone:,.0f} a second, {per_cpu_s:,.0f} of a core's")
    print(
        f"ingest of the last log: {run.per_s / alone:.2f} times as fast, {run.per_s * 60:,.0f} a"
        f" minute (wanted of two cores: {COMPLETIONS_PER_MINUTE:,})"
    )


def main() -> None:
    """Prints the rates of one process, or those of `ghostbust ingest`."""
    parser = argparse.ArgumentParser(description="How fast names are found, judged and ingested.")
    parser.add_argument("--answers", type=int, default=400, help="to make and to extract from")
    parser.add_argument("--peers", type=Path, help="interpreter with garak or slopcheck installed")
    parser.add_argument(
        "--ingest", type=int, nargs="+", help="read logs of so many completions instead"
    )
    parser.add_argument("--chars", type=int, default=1000, help="characters of a log's answer")
    parser.add_argument("--context", type=int, default=0, help="characters that a user quotes")
    parser.add_argument("--invented", type=float, default=0.05, help="answers that invent a name")
    told = parser.parse_args()
    if told.ingest:
        _print_ingest(told)
    else:
        _print_rates(told.answers, told.peers)


if __name__ == "__main__":
    main()
