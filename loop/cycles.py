"""Many runs of the daemon's jobs in simulated time, and what memory they leave behind."""

from __future__ import annotations

import gc
import logging
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import ModelError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.runner import JobRunner
from ghostbust.loop.daemon.schedule import Timetable
from ghostbust.loop.daemon.table import JOBS
from ghostbust.loop.simulated import HandScheduler, SimulatedClock
from ghostbust.samplers.interface import Sampler
from ghostbust.sections import JobEntry, JobsSection, RegistrySection, SelfcheckSection
from ghostbust.store.store import Store

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
WARM_UP: Final = 100
"""runs before the first measurement: caches fill, modules load"""
EVERY_S: Final = 600.0


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


def run_cycles(
    folder: Path, runs: int, heard: Callable[[int, int], None] = lambda _done, _of: None
) -> Cycles:
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
                heard(ran, WARM_UP + runs)

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
