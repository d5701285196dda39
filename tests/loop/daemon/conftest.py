"""A workplace whose model invents a name in each answer, and a daemon by a clock of our own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.run import Timetable
from ghostbust.loop.daemon.runner import JobRunner
from ghostbust.loop.daemon.table import JOBS, Job
from ghostbust.prompts import Task
from ghostbust.sections import (
    BudgetSection,
    DaemonSection,
    JobEntry,
    JobsSection,
    ModelSection,
    RegistrySection,
    SamplingSection,
    SelfcheckSection,
)
from ghostbust.store.daemon import JobRow
from ghostbust.store.store import Store
from tests.loop.choosing import one_ghost
from tests.simulated import HandScheduler, SimulatedClock

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

CONFIG = Config(
    model=ModelSection(name="made-up"),
    sampling=SamplingSection(samples_per_prompt=1),
    registry=RegistrySection(mode="snapshot"),
    daemon=DaemonSection(watch_prompts=40, round_min_new=5),
)


@pytest.fixture
def place(home: Home, tasks: list[Task], scripted: MakeSampler) -> Workplace:
    """Its round command must not run."""
    return Workplace(
        home=home,
        config=CONFIG,
        tasks=tasks,
        open_sampler=lambda _: scripted(one_ghost),
        round_command=["/no/such/program"],
        stopping=threading.Event(),
    )


@pytest.fixture(autouse=True)
def quiet_scheduler(caplog: pytest.LogCaptureFixture) -> None:
    """As the command line has it; and ghostbust's own lines are kept."""
    caplog.set_level(logging.CRITICAL, "apscheduler")
    caplog.set_level(logging.INFO, "ghostbust")


DAY = datetime(2026, 11, 28, tzinfo=UTC)


def every(text: str) -> JobEntry:
    return JobEntry(every=text)


def cron(text: str) -> JobEntry:
    return JobEntry(cron=text)


@dataclass
class House:
    """A daemon without threads, and what its jobs did."""

    place: Workplace
    clock: SimulatedClock
    begun: dict[str, list[datetime]] = field(default_factory=dict)
    works: dict[str, Callable[[Workplace], None]] = field(default_factory=dict)
    """what a job does; one that isn't here does nothing, in no time"""

    def start(self, busy: Callable[[Config], str | None] = lambda _: None) -> None:
        """Starts a daemon, as after a restart of the program."""
        self.scheduler = HandScheduler(self.clock)
        self.runner = JobRunner(self.place, jobs=[self._job(job) for job in JOBS], busy=busy)
        self.timetable = Timetable(self.place, self.runner, self.scheduler)
        self.timetable.fill(self.place)
        self.scheduler.start()

    def _job(self, job: Job) -> Job:
        def work(place: Workplace) -> None:
            self.begun.setdefault(job.name, []).append(self.clock.now())
            if job.name in self.works:
                self.works[job.name](place)

        return replace(job, work=work)

    def run(self, **until: float) -> None:
        self.scheduler.run_until(self.clock.now() + timedelta(**until), self.timetable.look)

    def row(self, name: str) -> JobRow:
        with Store.open(self.place.home.database) as store:
            return store.jobs.get(name)

    def spent(self) -> dict[str, float]:
        with Store.open(self.place.home.database) as store:
            return Allowance(store, self.place.config, self.clock).spent()

    def times(self, name: str) -> list[str]:
        return [f"{at:%d %H:%M:%S}" for at in self.begun.get(name, [])]


OFF = dict.fromkeys(
    ("watch", "ingest", "round", "rollback", "recheck", "selfcheck", "retention"), every("off")
)
MakeHouse = Callable[..., House]


@pytest.fixture
def house(home: Home, scripted: MakeSampler, store: Store) -> Iterator[MakeHouse]:
    """Makes a house; a job without a schedule of its own is off. The store stays open, as a
    daemon has it: the last one to close it writes it anew.
    """
    made: list[House] = []

    def make(
        start: datetime = DAY, *, budget: dict[str, float] | None = None, **jobs: Any
    ) -> House:
        clock = SimulatedClock(start)
        config = Config(
            model=ModelSection(endpoint="http://127.0.0.1:9/v1"),
            registry=RegistrySection(mode="snapshot"),
            sampling=SamplingSection(max_new_tokens=64),
            jobs=JobsSection(**OFF | jobs),
            budget=BudgetSection(**budget or {}),
            selfcheck=SelfcheckSection(free_bytes=0),
        )
        place = Workplace(
            home, config, [], lambda _: scripted(lambda _: "I can't say."), ["no"],
            threading.Event(), clock=clock,
        )  # fmt: skip
        made.append(House(place, clock))
        return made[-1]

    yield make
    for one in made:
        if one.scheduler.running:
            one.scheduler.shutdown()
