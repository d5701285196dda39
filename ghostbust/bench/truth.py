"""How fast packages are found and judged, how much memory that takes, and peers beside it.

Rates are items per second of processor time of one process, the best of several runs: what else
the machine does then hardly counts. Nothing here asks a registry.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ghostbust.extractors.extract import extract
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Judge

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


def extraction_rate(answers: Sequence[str]) -> Rate:
    """Answers that `extract` reads in a second."""

    def work() -> int:
        return sum(len(extract(answer)) for answer in answers)

    per_s = best_rate(work, len(answers))
    return Rate("answers extracted", "ghostbust", len(answers), per_s, work())


def judging_rate(judge: Judge, names: Sequence[str]) -> Rate:
    """Distinct names that the snapshot judges in a second, on one core."""
    names = list(dict.fromkeys(names))
    judge.names(Ecosystem.PYPI, names[:1])  # reads the notes
    per_s = best_rate(lambda: judge.names(Ecosystem.PYPI, names), len(names))
    return Rate("names judged offline", "ghostbust", len(names), per_s, len(names))


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


def peer_rate(
    python: Path, what: str, peer: str, script: str, items: Sequence[str], name: str
) -> Rate | None:
    """The same input read by a peer, in the interpreter that has it; None where it hasn't.

    ``script`` reads the file ``name`` (a JSON list, or lines) in the current folder, and prints a
    JSON list: its version, the seconds of processor time of its quickest run, the packages found.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(items) if name.endswith(".json") else "".join(f"{i}\n" for i in items)
        Path(folder, name).write_text(text, "utf-8")
        try:
            done = subprocess.run(
                [python.absolute(), "-I", "-c", script],
                cwd=folder, capture_output=True, text=True, check=True, timeout=_PEER_LIMIT_S,
            )  # fmt: skip
            version, seconds, found = json.loads(done.stdout.splitlines()[-1])
        except (subprocess.SubprocessError, OSError, ValueError, IndexError, TypeError):
            return None
    return Rate(what, f"{peer} {version}", len(items), len(items) / float(seconds), int(found))
