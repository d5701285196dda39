"""How fast the dashboard is on a big store of made-up rows, and in how much memory.

It is opened without a terminal, its keys are pressed, and each step is timed until it is painted;
each time in a process of its own, so that nothing else is in its memory. Exits with 1 where a step
takes more of the processor's time, or the names more memory, than they may.

    python -m tests.lab.dashboard
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from textual.widgets import Input

from ghostbust.dashboard import app
from ghostbust.dashboard.app import FOCUS, Dashboard
from ghostbust.dashboard.reading import Query, StoreSnapshot
from ghostbust.dashboard.table import StoreTable
from ghostbust.home import Home
from ghostbust.records import Measurement
from ghostbust.store.connection import encode, encode_time
from ghostbust.store.names import NameOrder
from ghostbust.store.store import Store

OPEN_S, ACT_S, PEAK_BYTES = 1.0, 0.2, 200e6
"""what opening, a sort or a search, and the memory of the names may come to at most"""
SIZE: Final = (200, 50)
SEARCHED: Final = "777"
LIMIT_S: Final = 60.0
SETTLE_S: Final = 2.0
"""pause between two steps, so that none pays for what an earlier one left to do"""
REFS_PER_SAMPLE: Final = 4
SAMPLES_PER_PROMPT: Final = 10
RUNS: Final = 100
REAL_NAMES: Final = 20_000
_AT: Final = "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1760000000 + {} * 60, 'unixepoch')"

# A ref is number i of all; its sample is i / 4, its place i % 4; places 0 hold invented names.
_FILL: Final = f"""
CREATE TEMP TABLE i AS WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n
 WHERE i + 1 < max(:refs, :names, {REAL_NAMES})) SELECT i FROM n;
INSERT INTO prompts (id, text, context, ecosystem, family, domain, parent, operator, private, added)
 SELECT printf('p%07d', i), 'Write a program that does task ' || i || '.',
  CASE i % 3 WHEN 0 THEN 'code' WHEN 1 THEN 'needs' ELSE 'helps' END, 'pypi', 'f' || i / 3, '',
  iif(i % 3, printf('p%07d', i - 1), NULL), iif(i % 3, 'sibling', NULL), 0, {_AT.format("i")}
 FROM i WHERE i < :samples / {SAMPLES_PER_PROMPT} + 1;
INSERT INTO samples (id, prompt_id, text, model, adapter, seed, number, temperature, truncated,
 tokens, added)
 SELECT printf('s%08d', i), printf('p%07d', i / {SAMPLES_PER_PROMPT}),
  printf('pip install made-up-%06d real-%05d', i * 7919 % :names, i % {REAL_NAMES}),
  'made-up-model', NULL, 1, i % {SAMPLES_PER_PROMPT}, 0.7, 0, 40, {_AT.format("i")}
 FROM i WHERE i < :samples;
INSERT INTO run_samples (run_id, sample_id, judgement)
 SELECT 1 + i % {RUNS}, printf('s%08d', i), 'j' FROM i WHERE i < :samples;
INSERT INTO verdicts SELECT printf('r%05d', i), 'pypi', printf('real-%05d', i), 'REAL',
 'registered', '', 'snapshot:2026-01-02', '2026-01-02T00:00:00+00:00'
 FROM i WHERE i < {REAL_NAMES};
INSERT INTO verdicts SELECT printf('a%06d', i), 'pypi', printf('made-up-%06d', i), 'ABSENT',
 'not-registered', '', 'snapshot:2026-01-02', '2026-01-02T00:00:00+00:00'
 FROM i WHERE i < :names;
INSERT INTO refs (sample_id, judgement, position, ecosystem, kind, raw, start_char, end_char, name,
 builtin, flags, verdict_id)
 SELECT printf('s%08d', i / 4), 'j', i % 4, 'pypi', 'install', raw, 12 + 15 * (i % 4 > 0),
  12 + 15 * (i % 4 > 0) + length(raw), raw, 0, '', id FROM (SELECT i,
   iif(i % 4, printf('real-%05d', i / 4 % {REAL_NAMES}),
    printf('made-up-%06d', i / 4 * 7919 % :names)) AS raw,
   iif(i % 4, printf('r%05d', i / 4 % {REAL_NAMES}),
    printf('a%06d', i / 4 * 7919 % :names)) AS id
  FROM i WHERE i < :refs);
INSERT INTO names (id, ecosystem, name, verdict, reason, times_seen, prompts, first_seen, last_seen)
 SELECT i + 1, 'pypi', printf('made-up-%06d', i), 'ABSENT', 'not-registered', 1 + i * 31 % 97,
  1 + i * 17 % 13, {_AT.format("i % 9999")}, {_AT.format("10000 + i * 13 % 9999")}
 FROM i WHERE i < :names;
INSERT INTO sightings (name_id, prompt_id, sample_id)
 SELECT 1 + i * 7919 % :names, printf('p%07d', i / {SAMPLES_PER_PROMPT}), printf('s%08d', i)
 FROM i WHERE i < :samples;
INSERT INTO repeats (name_id, adapter, asked_again, came_back, prompts, at_least)
 SELECT i + 1, '', 10, i % 11, 1, (i % 11) / 11.0 FROM i WHERE i < :names;
"""


_RUN: Final = (
    "INSERT INTO runs (id, kind, model, adapter, seed, settings, snapshots, version, process,"
    " started, finished, status, measurement)"
    " VALUES (?, 'watch', 'made-up-model', NULL, ?, '{}', '{}', '0', '1:', ?, ?, 'done', ?)"
)


def _run(number: int) -> tuple[object, ...]:
    rate = 0.2 + (number % 10) / 100
    measured = Measurement(rate, (rate - 0.02, rate + 0.02), 40, 30, 10, 0, 0, 10, 3.0)
    at = encode_time(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number))
    return number, number, at, at, encode(measured)


def fill(database: Path, *, refs: int, names: int) -> None:
    """Makes a store there with so many refs and names. Every row is made up, and the same again."""
    with Store.open(database):
        pass  # makes the tables
    samples = max(1, refs // REFS_PER_SAMPLE)
    values = {"refs": refs, "samples": samples, "names": names}
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = off")
        connection.execute("BEGIN")
        connection.executemany(_RUN, [_run(number) for number in range(1, RUNS + 1)])
        for statement in _FILL.split(";\n"):
            if statement.strip():
                connection.execute(statement, values)
        connection.execute("COMMIT")


async def measure(home: Home, started: float) -> dict[str, float]:
    """Seconds of each step, and the highest memory in bytes after the names and after all tabs.

    ``started``: when this process was, in seconds since 1970. ``_s`` is by the clock, ``_cpu_s``
    the processor's time of this process, which doesn't depend on what else the machine does.
    """
    told: dict[str, float] = {}
    began, used = time.perf_counter(), time.process_time()
    app = TimedDashboard(home)
    async with app.run_test(size=SIZE):
        names = app.query_one("#names-table", StoreTable)
        await app.until(lambda _: len(names.rows) > 0)
        told["open_s"] = time.perf_counter() - began
        told["open_cpu_s"] = time.process_time() - used
        told["open_from_start_s"] = time.time() - started
        told["open_from_start_cpu_s"] = time.process_time()
        told |= await app.took("first_names", "2", lambda q: q.tab == "names" and bool(q.name))
        for order in (*list(NameOrder)[1:], next(iter(NameOrder))):
            told |= await app.took(f"sort_{order}", "s", _is_by(order))
        told |= await app.took("page", "n", lambda q: q.page == 1)
        box = app.query_one("#names-search", Input)
        told |= await app.took(
            "search", lambda: setattr(box, "value", SEARCHED), lambda q: q.search == SEARCHED
        )
        told["names_peak_bytes"] = _peak_bytes()
        for number, tab in enumerate(FOCUS, 1):
            told |= await app.took(f"tab_{tab}", str(number), _is_at(tab))
        told["peak_bytes"] = _peak_bytes()
    return told


def _is_by(order: NameOrder) -> Callable[[Query], bool]:
    return lambda query: query.order is order


def _is_at(tab: str) -> Callable[[Query], bool]:
    return lambda query: query.tab == tab


class TimedDashboard(Dashboard):
    """Tells when it has shown something, so that waiting for it takes none of the time."""

    CSS_PATH = str(Path(app.__file__).with_name("dashboard.tcss"))  # else sought beside this file

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._has_shown = asyncio.Event()

    def show(self, snapshot: StoreSnapshot) -> None:
        """Shows the snapshot, and tells."""
        super().show(snapshot)
        self._has_shown.set()

    async def until(self, done: Callable[[Query], bool]) -> None:
        """Waits until what is ``done`` is painted; raises TimeoutError after ``LIMIT_S``."""
        async with asyncio.timeout(LIMIT_S):
            while self.shown is None or not done(self.shown):
                await self._has_shown.wait()
                self._has_shown.clear()
            painted = asyncio.Event()
            self.call_after_refresh(painted.set)
            await painted.wait()

    async def took(
        self, step: str, key: str | Callable[[], None], done: Callable[[Query], bool]
    ) -> dict[str, float]:
        """Presses a key, or does something else; seconds until what is ``done`` is painted."""
        await asyncio.sleep(SETTLE_S)
        began, used = time.perf_counter(), time.process_time()
        if isinstance(key, str):
            self.simulate_key(key)
        else:
            key()
        await self.until(done)
        return {
            f"{step}_s": time.perf_counter() - began,
            f"{step}_cpu_s": time.process_time() - used,
        }


def _peak_bytes() -> float:
    """The highest resident memory of this process so far; 0 on a system without /proc."""
    try:
        told = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return float(found[1]) * 1024 if found else 0.0


def measure_apart(home: Path) -> dict[str, float]:
    """The same in a process of its own."""
    child = "from tests.lab.dashboard import child; child()"
    done = subprocess.run(
        [sys.executable, "-c", child, str(home), str(time.time())],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def child() -> None:
    """What each process does: measures the home of its arguments, prints JSON."""
    print(json.dumps(asyncio.run(measure(Home.find(Path(sys.argv[1])), float(sys.argv[2])))))


def _limit(step: str) -> float:
    """What the step may come to; infinite where nothing is promised."""
    if step == "open_cpu_s":
        return OPEN_S
    if step.endswith("_bytes"):
        return PEAK_BYTES
    timed = step.startswith(("sort_", "search_", "page_")) and step.endswith("_cpu_s")
    return ACT_S if timed else float("inf")


def _said(step: str, value: float) -> str:
    if value == float("inf"):
        return ""
    return f"{value / 1e6:.0f} MB" if step.endswith("_bytes") else f"{1000 * value:.0f} ms"


def main() -> None:
    """Fills the store, opens the dashboard on it some times, prints the medians."""
    parser = argparse.ArgumentParser(description="How fast the dashboard is on a big store.")
    parser.add_argument("--refs", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3, help="times it is opened")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        fill(home.database, refs=told.refs, names=told.names)
        size = home.database.stat().st_size
        print(f"{told.refs:,} refs and {told.names:,} names in {size / 1e6:,.0f} MB")
        runs = [measure_apart(home.path) for _ in range(told.repeats)]
    medians = {step: sorted(run[step] for run in runs)[len(runs) // 2] for step in runs[0]}
    for step, value in medians.items():
        print(f"{step:28}{_said(step, value):>10}{_said(step, _limit(step)):>10}")
    missed = [step for step, value in medians.items() if value > _limit(step)]
    print(f"missed: {', '.join(missed)}" if missed else "all within their limits")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
