"""The jobs as a person sees and steers them, beside a daemon or without one."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import BusyError, GhostbustError, HomeError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.log_ids import log_ids
from ghostbust.loop.budget import BUDGETS, MINUTES, Allowance, limits_of
from ghostbust.loop.daemon.jobs import Stopped, Waits, Workplace
from ghostbust.loop.daemon.table import JOBS, TROUBLE_S, Busy, Hold, Holds, Job, retry_s
from ghostbust.loop.signals import JobDone, StopSign, SystemClock
from ghostbust.store.daemon import JobRow
from ghostbust.store.store import Store

# --- job_runner
# One run of one job: what keeps it from beginning, its work, and what is noted of it.
#
# What can't be noted, as on a full disk, is kept in mind and noted when it can be again.

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run, or of the wish to have one."""

    done: JobDone
    again: datetime | None
    """when to try again, if the job isn't due before or waits for that; None: when it is due"""
    waits: bool = False
    """True where it mustn't begin before ``again``, even if it is due"""


class JobRunner:
    """Runs jobs, those of each queue in a thread of their own. `count` may be called from another.

    Jobs that run a model are all of one queue.
    """

    def __init__(
        self,
        place: Workplace,
        *,
        jobs: Iterable[Job] = JOBS,
        busy: Busy | None = None,
        tell: Callable[[JobDone], None] = lambda _: None,
    ) -> None:
        """``tell`` hears of every run; ``busy`` is as for `Holds`."""
        self.jobs = {job.name: job for job in jobs}
        self.works: set[str] = set()
        """the jobs that work now"""
        self._place, self._busy, self._tell = place, busy, tell
        self._holds = Holds(place, busy)
        self._said: dict[str, str] = {}
        """why each job waits, as far as it was logged"""
        self._unsaved: dict[str, JobDone] = {}
        self._saving = threading.Lock()
        self._meter = _Meter(place)

    def reconfigure(self, place: Workplace) -> None:
        """Goes by other settings from the next run on."""
        self._place = place
        self._holds = Holds(place, self._busy)
        self._meter = _Meter(place)

    def run(self, name: str) -> Ran:
        """Runs the job, unless something holds it; a run that was requested is held by less.

        Returns also where it failed, with one line in the log. Whatever isn't ghostbust's own error
        is noted and raised.
        """
        job = self.jobs[name]
        try:
            with self._store() as store:
                self._save(store)
                row = store.jobs.get(name)
                allowance = Allowance(store, self._place.config, self._place.clock)
                hold = self._holds.find(job, row, allowance, asked=row.requested is not None)
                minutes = allowance.left()[MINUTES]
                if hold is not None:
                    return self._wait(store, row, hold)
                store.jobs.begin(name)
        except (StoreError, HomeError) as exc:
            return self._cannot_begin(name, exc)
        self._said.pop(name, None)
        quiet = None if row.requested is not None else self._holds.quiet
        seconds = minutes * 60 if job.runs_model(self._place.config) else None
        sign = StopSign(self._place.stopping, self._place.clock, quiet=quiet, seconds=seconds)
        return self._work(job, row, sign)

    def count(self) -> None:
        """Notes the minutes of the model that runs now, so that a kill can't lose many of them."""
        try:
            self._meter.count()
        except (StoreError, HomeError) as exc:
            log.debug("minutes can't be noted now: %s", exc)

    def _work(self, job: Job, row: JobRow, sign: StopSign) -> Ran:
        clock = self._place.clock
        began = clock.monotonic()
        meter = self._meter
        self.works.add(job.name)
        if job.runs_model(self._place.config):
            meter.begin()
        done = JobDone(job.name, "ok", 0.0, "")
        try:
            with log_ids(job=job.name):
                job.work(replace(self._place, stopping=sign))
        except Stopped:
            done = replace(done, state="stopped", reason=sign.why or "the daemon stops")
            log.info("%s: stopped: %s", job.name, done.reason)
        except Waits as exc:
            done = replace(done, state="skipped", reason=str(exc))
        except GhostbustError as exc:
            done = replace(done, state="failed", reason=str(exc))
            log.warning("%s: %s; tried again when it is next due", job.name, exc)
        except Exception as exc:
            reason = f"unexpected {type(exc).__name__}: {exc}"
            done = replace(done, state="failed", reason=reason)
            raise
        finally:
            self.works.discard(job.name)
            if job.runs_model(self._place.config):
                meter.end()
            done = replace(done, seconds=clock.monotonic() - began)
            self._note(done)
        return Ran(done, self._again(done, row.failures + 1))

    def _again(self, done: JobDone, failures: int) -> datetime | None:
        now = self._place.clock.now()
        if done.state == "failed":
            return now + timedelta(seconds=retry_s(failures))
        # It goes on as soon as what stopped it is over: the look that holds it knows when.
        return now if done.state == "stopped" else None

    def _wait(self, store: Store, row: JobRow, hold: Hold) -> Ran:
        """Says in one line why the job waits, once."""
        done = JobDone(row.name, "skipped", 0.0, hold.reason)
        if self._said.get(row.name) != hold.reason:
            self._said[row.name] = hold.reason
            log.info("%s: waits: %s", row.name, hold.reason)
        if row.paused is None or row.requested is not None:
            store.jobs.finish(row.name, "skipped", hold.reason)
        self._tell(done)
        return Ran(done, hold.until, waits=hold.until is not None)

    def _cannot_begin(self, name: str, exc: GhostbustError) -> Ran:
        """The database or the disk can't be used: nothing is begun that couldn't be kept."""
        done = JobDone(name, "skipped", 0.0, str(exc))
        if self._said.get(name) != done.reason:
            self._said[name] = done.reason
            log.warning("%s: waits: %s", name, exc)
        self._unsaved[name] = done
        self._tell(done)
        again = self._place.clock.now() + timedelta(seconds=TROUBLE_S)
        return Ran(done, again, waits=True)

    def _note(self, done: JobDone) -> None:
        """Notes the end of a run; where that can't be, with the next job that begins."""
        self._unsaved[done.name] = done
        try:
            with self._store() as store:
                self._save(store)
        except (StoreError, HomeError) as exc:
            log.warning("%s: its end can't be noted yet: %s", done.name, exc)
        self._tell(done)

    def _save(self, store: Store) -> None:
        with self._saving:
            for name, done in list(self._unsaved.items()):
                store.jobs.finish(name, done.state, done.reason)
                del self._unsaved[name]

    def _store(self) -> Store:
        return Store.open(self._place.home.database, now=self._place.clock.now)


class _Meter:
    """Notes the minutes in which a model runs. May be called from two threads."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._since: float | None = None

    def begin(self) -> None:
        """A model runs from now on."""
        with self._lock:
            self._since = self._place.clock.monotonic()

    def count(self) -> None:
        """Notes what ran since it was last noted. Raises StoreError; it is noted later, then."""
        with self._lock:
            if self._since is None:
                return
            now = self._place.clock.monotonic()
            with Store.open(self._place.home.database) as store:
                allowance = Allowance(store, self._place.config, self._place.clock)
                allowance.note({MINUTES: (now - self._since) / 60})
            self._since = now

    def end(self) -> None:
        """No model runs any more."""
        try:
            self.count()
        except (StoreError, HomeError) as exc:
            log.warning("minutes of a model's work can't be noted: %s", exc)
        with self._lock:
            self._since = None


# --- job_control
# The jobs as a person sees and steers them, beside a daemon or without one.

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
