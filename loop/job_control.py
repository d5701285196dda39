"""The jobs as a person sees and steers them, beside a daemon or without one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import BusyError, HomeError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.loop.allowance import BUDGETS, Allowance, limits_of
from ghostbust.loop.clock import SystemClock
from ghostbust.loop.companions import JobDone
from ghostbust.loop.job_runner import JobRunner
from ghostbust.loop.job_table import JOBS
from ghostbust.loop.jobs import Workplace
from ghostbust.store import JobRow, Store

NAMES: Final = tuple(job.name for job in JOBS)


@dataclass(frozen=True, slots=True)
class Jobs:
    """How the jobs stand."""

    rows: tuple[JobRow, ...]
    """all of them, in the order of the table"""
    scheduled: frozenset[str]
    """those that run by themselves, by the settings"""
    spent: Mapping[str, float]
    """of each budget, today"""
    limits: Mapping[str, float]
    """of each budget that has one"""
    day_ends: datetime
    daemon: bool
    """whether a daemon works in this home folder"""
    trouble: str
    """why nothing can be noted at the moment, so that the rows are old; empty where it can"""


def stand(home: Home, config: Config) -> Jobs:
    """How the jobs stand. Changes nothing; raises StoreError where the database can't be read."""
    clock = SystemClock()
    with Store.open(home.database, read_only=True) as store:
        known = store.jobs.all()
        allowance = Allowance(store, config, clock)
        spent, ends = allowance.spent(), allowance.day_ends
    return Jobs(
        rows=tuple(known.get(name, JobRow(name)) for name in NAMES),
        scheduled=frozenset(job.name for job in JOBS if job.trigger(config) is not None),
        spent={name: spent[name] for name in BUDGETS},
        limits=limits_of(config),
        day_ends=ends,
        daemon=daemon_works(home),
        trouble=_trouble(home),
    )


def pause(home: Home, name: str) -> None:
    """Has the job not run by itself, from now on. Raises UsageError for an unknown one."""
    _check(name)
    with Store.open(home.database) as store:
        store.jobs.pause(name)


def resume(home: Home, name: str) -> None:
    """Has the job run by itself again. Raises UsageError for an unknown one."""
    _check(name)
    with Store.open(home.database) as store:
        store.jobs.resume(name)


def run_now(place: Workplace, name: str) -> JobDone | None:
    """Runs the job here and now; None where a daemon works, which was asked to.

    Pause, quiet hours and load don't keep it; a budget that is used up does. Raises UsageError
    for an unknown job.
    """
    _check(name)
    home = place.home
    try:
        with (
            home.exclusive("jobs", home.daemon_lock),
            Store.open(home.database, now=place.clock.now) as store,
        ):
            store.jobs.request(name)
            return JobRunner(place).run(name).done
    except BusyError:
        if not daemon_works(home):
            raise
    with Store.open(home.database) as store:
        store.jobs.request(name)
    return None


def daemon_works(home: Home) -> bool:
    """Whether a daemon, or somebody who runs a job in its place, holds this home folder."""
    try:
        return home.holder(home.daemon_lock) is not None
    except HomeError:
        return False  # it can't be looked at


def _check(name: str) -> None:
    if name not in NAMES:
        raise UsageError(f"there is no job {name!r}; there are {', '.join(NAMES)}")


def _trouble(home: Home) -> str:
    """Whether something could be written now."""
    if not shutil.disk_usage(home.path).free:
        return "the disk is full"
    try:
        with Store.open(home.database) as store:
            store.probe()
    except (StoreError, HomeError) as exc:
        return str(exc)
    return ""
