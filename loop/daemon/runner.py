"""Runs the daemon's jobs, and lets a person see and steer them, with or without a daemon."""

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
from ghostbust.loop.budget import BUDGETS, MINUTES, Allowance, limits_of
from ghostbust.loop.daemon.jobs import Stopped, Waits, Workplace
from ghostbust.loop.daemon.process import Holder, find_holder
from ghostbust.loop.daemon.table import JOBS, TROUBLE_S, Busy, Hold, Holds, Job, retry_s
from ghostbust.loop.signals import JobDone, StopSign, SystemClock, log_ids
from ghostbust.store.daemon import JobRow
from ghostbust.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a run, or why there was none."""

    done: JobDone
    again: datetime | None
    """when to try again, if the job isn't due before; None: when it is due"""
    waits: bool = False
    """True if it mustn't begin before ``again``, even if it is due"""


class JobRunner:
    """Runs single jobs and stores how they ended. Each queue calls `run` in a thread of its own.

    An end that can't be stored, as on a full disk, is kept in memory and stored later.
    """

    def __init__(
        self,
        place: Workplace,
        *,
        jobs: Iterable[Job] = JOBS,
        busy: Busy | None = None,
        tell: Callable[[JobDone], None] = lambda _: None,
    ) -> None:
        """``tell`` is called after every run; ``busy`` is as for `Holds`."""
        self.jobs = {job.name: job for job in jobs}
        self.works: set[str] = set()
        """names of the jobs that run now"""
        self._place, self._busy, self._tell = place, busy, tell
        self._holds = Holds(place, busy)
        self._said: dict[str, str] = {}
        """the last logged reason why each job waits"""
        self._unsaved: dict[str, JobDone] = {}
        self._saving = threading.Lock()
        self._meter = _Meter(place)

    def reconfigure(self, place: Workplace) -> None:
        """Uses other settings from the next run on."""
        self._place = place
        self._holds = Holds(place, self._busy)
        self._meter = _Meter(place)

    def run(self, name: str) -> Ran:
        """Runs the job, unless something holds it; less holds a run that a person requested.

        A GhostbustError is one line in the log; any other error is stored and raised.
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
        """Stores the minutes of the model that runs now, so that a kill can't lose many of them."""
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
                said = job.work(replace(self._place, stopping=sign))
            done = replace(done, reason=said or "")
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
        now, again = clock.now(), None
        if done.state == "failed":
            again = now + timedelta(seconds=retry_s(row.failures + 1))
        elif done.state == "stopped":
            again = now  # whatever stopped it holds the job, and says until when
        return Ran(done, again)

    def _wait(self, store: Store, row: JobRow, hold: Hold) -> Ran:
        """Logs once why the job waits."""
        done = JobDone(row.name, "skipped", 0.0, hold.reason)
        if self._said.get(row.name) != hold.reason:
            self._said[row.name] = hold.reason
            log.info("%s: waits: %s", row.name, hold.reason)
        if row.paused is None or row.requested is not None:
            store.jobs.finish(row.name, "skipped", hold.reason)
        self._tell(done)
        return Ran(done, hold.until, waits=hold.until is not None)

    def _cannot_begin(self, name: str, exc: GhostbustError) -> Ran:
        """The database or disk can't be used: the job doesn't begin, its results would be lost."""
        done = JobDone(name, "skipped", 0.0, str(exc))
        if self._said.get(name) != done.reason:
            self._said[name] = done.reason
            log.warning("%s: waits: %s", name, exc)
        self._unsaved[name] = done
        self._tell(done)
        again = self._place.clock.now() + timedelta(seconds=TROUBLE_S)
        return Ran(done, again, waits=True)

    def _note(self, done: JobDone) -> None:
        """Stores the end of a run, now or before the next job begins."""
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
    """Stores the minutes in which a model runs. For two threads."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._since: float | None = None

    def begin(self) -> None:
        """A model runs from now on."""
        with self._lock:
            self._since = self._place.clock.monotonic()

    def count(self) -> None:
        """Stores the minutes since the last call. Raises StoreError; the next call has them."""
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


# What a person sees and steers.

NAMES: Final = tuple(job.name for job in JOBS)


@dataclass(frozen=True, slots=True)
class Jobs:
    """The state of the jobs."""

    rows: tuple[JobRow, ...]
    """all of them, in the order of the table"""
    scheduled: frozenset[str]
    """names of the jobs that have a schedule by the settings"""
    spent: Mapping[str, float]
    """today, of each budget"""
    limits: Mapping[str, float]
    """of each budget that has one"""
    day_ends: datetime
    holder: Holder | None
    """the daemon that works in this home folder, or what runs a job in its place"""
    trouble: str
    """why nothing can be stored now, so that the rows are old; empty if it can"""


def stand(home: Home, config: Config) -> Jobs:
    """The state of the jobs. Changes nothing; raises StoreError if the database can't be read."""
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
        holder=_holder(home),
        trouble=_trouble(home),
    )


def pause(home: Home, name: str) -> None:
    """Keeps the job from running by itself. Raises UsageError for an unknown job."""
    _check(name)
    with Store.open(home.database) as store:
        store.jobs.pause(name)


def resume(home: Home, name: str) -> None:
    """Lets the job run by itself again. Raises UsageError for an unknown job."""
    _check(name)
    with Store.open(home.database) as store:
        store.jobs.resume(name)


def run_now(place: Workplace, name: str) -> JobDone | None:
    """Runs the job here and now; or requests it from the daemon that works here, and returns None.

    Pause, quiet hours and load don't hold it; a budget that is used up does. Raises UsageError for
    an unknown job.
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
        if _holder(home) is None:
            raise
    with Store.open(home.database) as store:
        store.jobs.request(name)
    return None


def _holder(home: Home) -> Holder | None:
    """Who holds the daemon lock; None where nobody does, or where it can't be looked at."""
    try:
        return find_holder(home)
    except HomeError:
        return None


def _check(name: str) -> None:
    if name not in NAMES:
        raise UsageError(f"there is no job {name!r}; there are {', '.join(NAMES)}")


def _trouble(home: Home) -> str:
    """Why nothing can be written now; empty if something can."""
    if not shutil.disk_usage(home.path).free:
        return "the disk is full"
    try:
        with Store.open(home.database) as store:
            store.probe()
    except (StoreError, HomeError) as exc:
        return str(exc)
    return ""
