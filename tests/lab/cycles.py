"""Many runs of the daemon's jobs in simulated time, and what memory they leave behind.

The scheduler, the timetable and the store are the real ones; the jobs do nothing.

    python -m tests.lab.cycles --runs 10000
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
import threading
import time
import tracemalloc
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import ModelError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.run import Timetable
from ghostbust.loop.daemon.runner import JobRunner
from ghostbust.loop.daemon.table import JOBS
from ghostbust.samplers.interface import Sampler
from ghostbust.sections import JobEntry, JobsSection, RegistrySection, SelfcheckSection
from ghostbust.store.store import Store
from tests.simulated import HandScheduler, SimulatedClock

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
WARM_UP: Final = 100
"""runs before the first measurement: caches fill, modules load"""
EVERY_S: Final = 600.0
MORE_BYTES: Final = 100_000
"""how far Python's heap may grow over 10,000 runs; a leak of 10 bytes a run is as much"""


@dataclass(frozen=True, slots=True)
class Cycles:
    """What many runs came to."""

    runs: int
    """measured ones, of all jobs together"""
    simulated_days: float
    wall_s: float
    heap_before: int
    """bytes that Python held behind the warm-up, by tracemalloc"""
    heap_after: int
    rss_before: int
    """bytes that the process held behind the warm-up"""
    rss_after: int

    @property
    def bytes_per_run(self) -> float:
        """What Python's heap grew by, by run."""
        return (self.heap_after - self.heap_before) / self.runs


def run_cycles(folder: Path, runs: int) -> Cycles:
    """Runs jobs that do nothing, ``runs`` times in all, on the real schedule, timetable and store.

    ``folder`` becomes a home folder. Job by job the store is opened and written as by a daemon.
    """
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    home, clock = Home.open(folder), SimulatedClock(BEGIN)
    entry = JobEntry(every=f"{EVERY_S:g}s")
    config = Config(
        registry=RegistrySection(mode="snapshot"),
        jobs=JobsSection(**{job.name: entry for job in JOBS}, quiet=("03:00-04:00",)),
        selfcheck=SelfcheckSection(free_bytes=0),
    )
    place = Workplace(home, config, (), _no_sampler, (), threading.Event(), clock=clock)
    ran = 0

    def work(_: Workplace) -> None:
        nonlocal ran
        ran += 1
        clock.sleep(1)

    with Store.open(home.database):
        scheduler = HandScheduler(clock)
        jobs = [replace(job, work=work) for job in JOBS]
        timetable = Timetable(place, JobRunner(place, jobs=jobs, busy=lambda _: None), scheduler)
        timetable.fill(place)
        scheduler.start()

        def go_on(until: int) -> None:
            while ran < until:
                scheduler.run_until(clock.now() + timedelta(hours=1), timetable.look)

        tracemalloc.start()
        try:
            go_on(WARM_UP)
            first, began, day = ran, time.monotonic(), clock.now()
            before = _measured()
            go_on(first + runs)
            after = _measured()
        finally:
            tracemalloc.stop()
            scheduler.shutdown()
    days = (clock.now() - day) / timedelta(days=1)
    return Cycles(
        ran - first, days, time.monotonic() - began, before[0], after[0], before[1], after[1]
    )


def _measured() -> tuple[int, int]:
    """Bytes on Python's heap, and of the process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return tracemalloc.get_traced_memory()[0], pages * 4096


def _no_sampler(_: object) -> Sampler:
    raise ModelError("jobs that do nothing ask no model")


def main() -> None:
    """Prints what is held before and after; exits with 1 where the heap grew."""
    parser = argparse.ArgumentParser(description="Does the daemon's memory stay as it is?")
    parser.add_argument("--runs", type=int, default=10_000, help="runs of jobs that are measured")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ghostbust-") as folder:
        found = run_cycles(Path(folder) / "home", told.runs)
    for name, before, after in (
        ("Python's heap", found.heap_before, found.heap_after),
        ("the process", found.rss_before, found.rss_after),
    ):
        kb = (before / 1000, after / 1000, (after - before) / 1000)
        print(f"{name}: {kb[0]:,.1f} kB, then {kb[1]:,.1f} kB: {kb[2]:+,.1f} kB")
    print(
        f"{found.runs:,} runs in {found.simulated_days:.1f} simulated days, {found.wall_s:.0f} s;"
        f" {found.bytes_per_run:+.2f} bytes of the heap for each run"
    )
    sys.exit(found.heap_after - found.heap_before > MORE_BYTES)


if __name__ == "__main__":
    main()
