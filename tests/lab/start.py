"""How long commands take from a cold process, beside an interpreter that does nothing.

Medians of alternating runs, of the wall clock and of processor time (user and system): the second
is the fair one where something else runs. The processes may keep bytecode, as installed ones do,
in a folder that is removed at the end.

    python -m tests.lab.start --runs 11
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

TIMES: Final = 4
"""as long as the interpreter alone, at most: what is wanted"""
WALL_S: Final = 0.25
"""wanted too"""
_ANSWER: Final = "```sh\npip install requests flask\n```\n\n```python\nimport numpy\n```\n"
_EVENT: Final = {
    "session_id": "a", "transcript_path": "/a.jsonl", "cwd": "/", "hook_event_name": "PreToolUse",
    "tool_name": "Bash", "tool_input": {"command": "pip install requests"},
}  # fmt: skip
"""of Claude Code, on every command's standard input"""
COMMANDS: Final = {
    "check requests": ("check", "requests"),
    "check --json": ("check", "requests", "--json"),
    # By the snapshot: else registries are asked for the version.
    "check -f FILE": ("check", "-f", "requirements.txt", "--registry", "snapshot"),
    "hook": ("hook",),
    "extract FILE": ("extract", "answer.md"),
    "--help": ("--help",),
}


class Took(NamedTuple):
    """Seconds, each the median of its runs."""

    wall_s: float
    cpu_s: float


def run_once(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Took:
    """One run; raises CalledProcessError where the command fails."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, check=True,
        input=json.dumps(_EVENT).encode(),
    )  # fmt: skip
    wall_s, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(runs: int) -> dict[str, Took]:
    """What each command takes; ``python -c pass`` comes first."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "answer.md").write_text(_ANSWER, "utf-8")
        (folder / "requirements.txt").write_text("requests>=2\nflask\n", "utf-8")
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GHOSTBUST"))}
        environ |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "GHOSTBUST_HOME": str(folder)}
        here = (sys.executable, "-m", "ghostbust")
        programs: dict[str, tuple[str, ...]] = {"python -c pass": (sys.executable, "-c", "pass")}
        programs |= {name: (*here, *args) for name, args in COMMANDS.items()}
        took: dict[str, list[Took]] = {name: [] for name in programs}
        for number in range(runs + 1):
            for name, command in programs.items():
                one = run_once(command, folder, environ)
                if number:  # the first run writes the bytecode
                    took[name].append(one)
    return {
        name: Took(median(one.wall_s for one in each), median(one.cpu_s for one in each))
        for name, each in took.items()
    }


def main() -> None:
    """Prints the medians."""
    parser = argparse.ArgumentParser(description="How long commands take from a cold process.")
    parser.add_argument("--runs", type=int, default=11, help="of each")
    took = measure(parser.parse_args().runs)
    alone = took["python -c pass"]
    for name, one in took.items():
        print(
            f"{name:16} {one.wall_s:6.3f} s wall, {one.cpu_s:6.3f} s of processor time,"
            f" {one.cpu_s / alone.cpu_s:5.1f} times"
        )
    print(f"wanted are {TIMES} times `python -c pass`, and {WALL_S} s")


if __name__ == "__main__":
    main()
