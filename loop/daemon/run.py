"""The daemon: runs the jobs on their schedule, each queue's one at a time, until it has to stop.

Jobs that take the home folder share a queue, so no two of them sample or train at once. Reading
logs, alarms, roll-back and selfcheck have queues of their own and wait for no other job. A job that
comes due while another of its queue runs waits for its turn. One that fails is one line in the log,
and is tried again when it is next due. A killed process leaves nothing that the next start can't
continue.

APScheduler has a thread for each queue. Somebody has to call `Timetable.look` every few seconds.
The scheduler can't: it would sleep for hours after the clock was set back.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger

from ghostbust.config import Config
from ghostbust.errors import HomeError, StoreError
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.runner import JobRunner, Ran
from ghostbust.loop.daemon.table import JOBS, QUEUES, Every, Job
from ghostbust.loop.signals import Companion, JobDone
from ghostbust.store.daemon import JobRow
from ghostbust.store.store import Store

log = logging.getLogger(__name__)

POLL_S: Final = 2.0
"""between two looks for requests"""
COUNT_S: Final = 30.0
"""between two storings of a model's minutes"""
JUMP: Final = timedelta(seconds=60)
"""a smaller difference between the two clocks is no jump"""
SET_RIGHT: Final = timedelta(days=1)
"""a clock that is set back further was wrong before, so cron's times are computed anew"""
SETTINGS: Final[dict[str, Any]] = {
    "timezone": UTC,
    # A late job still runs: it may have waited for a long round.
    "job_defaults": {"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
}
"""of APScheduler for a `Timetable`, except its executors"""
STOP_S: Final = 20.0
"""how long a job may take to end when the daemon stops: a batch of answers, a round's last step"""


class Daemon:
    """The jobs on their schedule. Call `run` in the main thread, which gets the signals."""

    def __init__(
        self,
        place: Workplace,
        *,
        stop_s: float = STOP_S,
        companions: Sequence[Companion] = (),
        jobs: Iterable[Job] = JOBS,
        poll_s: float = POLL_S,
    ) -> None:
        """``poll_s``: seconds between two looks for requests."""
        self._place = place
        self._stop_s = stop_s
        self._companions = companions
        # Not an Event: setting one inside a signal handler can deadlock on its own lock.
        self._why_stop: SimpleQueue[str] = SimpleQueue()
        self._scheduler = BackgroundScheduler(
            executors={queue: ThreadPoolExecutor(1) for queue in QUEUES}, **SETTINGS
        )
        runner = JobRunner(place, jobs=jobs, tell=self._tell)
        self._poll_s = poll_s
        self._timetable = Timetable(place, runner, self._scheduler)

    @property
    def alive(self) -> bool:
        """Whether the schedule runs: it has begun, hasn't ended, and its thread hasn't died."""
        thread = self._scheduler._thread  # None before the start, and after the end
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def stop(self, why: str) -> None:
        """Makes `run` return. May be called from any thread, and from a signal handler."""
        self._why_stop.put(why)

    def run(self) -> bool:
        """Works until SIGTERM, SIGINT or `stop`; True if the running jobs ended in time.

        If False, a job is stuck in a computation or a download: end the process, as its thread may
        take long. The store is consistent, as after a kill.

        Raises BusyError if a daemon runs in this home folder already, StoreError if the database
        can't be used.
        """
        home, daemon = self._place.home, self._place.home.daemon_lock
        # Opening the store here reports a broken one at once. It stays open, since the last one to
        # close a database merges its write-ahead log, and the jobs open it every few seconds.
        with (
            home.exclusive("daemon", daemon),
            self._signals(),
            self._accompanied(),
            Store.open(home.database),
        ):
            self._timetable.fill(self._place)
            self._scheduler.start()
            threading.Thread(target=self._look, name="ghostbust look", daemon=True).start()
            log.info("daemon: works in %s", home.path)
            why = self._told_to_stop()
            log.info("daemon: stops (%s)", why)
            self._place.stopping.set()
            self._scheduler.shutdown(wait=False)
            return self._timetable.ended(self._stop_s)

    def reschedule(self, config: Config) -> None:
        """Uses other settings from now on; a running job keeps the old ones.

        Raises StoreError; the schedule may then be that of either.
        """
        self._place = replace(self._place, config=config)
        self._timetable.fill(self._place)

    def _told_to_stop(self) -> str:
        """Waits until the daemon has to stop, and says why."""
        while True:
            # By turns: a signal that came just before the wait wouldn't end it.
            try:
                return self._why_stop.get(timeout=self._poll_s)
            except Empty:
                continue

    def _look(self) -> None:
        while not self._place.stopping.wait(self._poll_s):
            self._timetable.look()

    def _tell(self, done: JobDone) -> None:
        for companion in self._companions:
            companion.job_done(done)

    @contextmanager
    def _accompanied(self) -> Iterator[None]:
        """Starts the companions, and stops those that started, the last one first."""
        with ExitStack() as started:
            for companion in self._companions:
                companion.start()
                started.callback(companion.stop)
            yield

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Lets SIGTERM and SIGINT stop the daemon, also a second time."""
        before = {
            number: signal.signal(number, lambda got, _: self.stop(signal.Signals(got).name))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Timetable:
    """The jobs on a scheduler with `SETTINGS` and an executor for each of `QUEUES`."""

    def __init__(self, place: Workplace, runner: JobRunner, scheduler: BaseScheduler) -> None:
        self._place, self._runner, self._scheduler = place, runner, scheduler
        self._clock = place.clock
        self._seen = (self._clock.now(), self._clock.monotonic())
        self._counted = self._seen[1]
        self._called: set[str] = set()
        """requested jobs that wait for their turn"""
        self._trouble = ""
        self._working = {queue: threading.Lock() for queue in QUEUES}
        scheduler.add_listener(self._explain, EVENT_JOB_ERROR)

    def fill(self, place: Workplace) -> None:
        """Puts every job on the scheduler by the settings, replacing what was there.

        The store says what an earlier daemon left: a job that became due meanwhile, was stopped or
        was killed runs at once, any other when it is due. Raises StoreError.
        """
        self._place = place
        self._runner.reconfigure(place)
        now = self._clock.now()
        with self._store() as store:
            rows = store.jobs.all()
            for position, (name, job) in enumerate(self._runner.jobs.items()):
                trigger = job.trigger(place.config)
                due = None if trigger is None else _first(trigger, rows.get(name), now)
                store.jobs.schedule(name, due)
                if self._scheduler.get_job(name):
                    self._scheduler.remove_job(name)
                if trigger is not None and due is not None:
                    # Jobs that are due at once keep the order of the table.
                    at = due if due > now else due + timedelta(microseconds=position)
                    self._add(name, trigger, at)

    def ended(self, timeout_s: float) -> bool:
        """Waits until the running jobs have ended; False if one takes longer."""
        deadline = time.monotonic() + timeout_s
        for working in self._working.values():
            if not working.acquire(timeout=max(0.0, deadline - time.monotonic())):
                return False
            working.release()  # jobs that wait for their turn must see that it is over
        return True

    def _add(self, name: str, trigger: BaseTrigger, due: datetime) -> None:
        queue = self._runner.jobs[name].queue
        self._scheduler.add_job(
            self._fire, trigger, args=[name], id=name, executor=queue, next_run_time=due
        )

    def _fire(self, name: str) -> None:
        """Runs a job in its queue's thread; a stopped daemon begins nothing."""
        self._called.discard(name)
        with self._working[self._runner.jobs[name].queue]:
            if self._place.stopping.is_set():
                return
            ran = None
            try:
                ran = self._runner.run(name)
            finally:
                self._settle(name, ran)

    def _settle(self, name: str, ran: Ran | None) -> None:
        """Schedules the next attempt, and stores when that is."""
        if self._place.stopping.is_set():
            return
        job = self._scheduler.get_job(name)
        due = None if job is None else job.next_run_time
        again = None if ran is None else ran.again
        if ran and due and again and (ran.waits or again < due):
            due = again
            self._scheduler.modify_job(name, next_run_time=due)
        self._note_due(name, due)

    def _note_due(self, name: str, due: datetime | None) -> None:
        try:
            with self._store() as store:
                store.jobs.schedule(name, due)
        except (StoreError, HomeError) as exc:
            log.debug("%s: when it is due can't be noted: %s", name, exc)

    def look(self) -> None:
        """Handles requests and a clock that was set, and stores how long a model runs."""
        self._handle_clock_jump()
        now = self._clock.monotonic()
        if now - self._counted >= COUNT_S:
            self._counted = now
            self._runner.count()
        try:
            with self._store() as store:
                rows = store.jobs.all()
        except (StoreError, HomeError) as exc:
            if str(exc) != self._trouble:
                log.warning("requests can't be read: %s", exc)
            self._trouble = str(exc)
            return
        self._trouble = ""
        for name, row in rows.items():
            if row.requested is not None and name in self._runner.jobs:
                self._call(name)

    def _call(self, name: str) -> None:
        """Schedules a requested job for now."""
        if name in self._called or name in self._runner.works:
            return
        self._called.add(name)
        now = self._clock.now()
        if self._scheduler.get_job(name):
            self._scheduler.modify_job(name, next_run_time=now)
        else:
            self._add(name, DateTrigger(now), now)

    def _handle_clock_jump(self) -> None:
        """If the clock was set back, moves the due times of interval jobs back as much.

        Times of cron that have come don't come again, unless the clock was wrong by more than a
        day. If the clock was set forward, what is due by the new time runs once.
        """
        wall, steady = self._clock.now(), self._clock.monotonic()
        jump = (wall - self._seen[0]) - timedelta(seconds=steady - self._seen[1])
        self._seen = (wall, steady)
        if abs(jump) < JUMP:
            return
        log.warning("the clock was set by %+.0f s", jump.total_seconds())
        if jump > timedelta(0):
            return
        for job in self._scheduler.get_jobs():
            if job.next_run_time is None:
                continue
            due = job.next_run_time
            if isinstance(job.trigger, Every):
                due += jump
            elif -jump > SET_RIGHT:
                due = job.trigger.get_next_fire_time(None, wall) or due
            self._scheduler.modify_job(job.id, next_run_time=due)
            self._note_due(job.id, due)

    def _explain(self, event: JobExecutionEvent) -> None:
        """Logs an unexpected error of a job, which the scheduler has caught."""
        log.error(
            "%s: unexpected %s: %s; tried again when it is next due",
            event.job_id,
            type(event.exception).__name__,
            event.exception,
        )
        log.debug("%s", event.traceback)

    def _store(self) -> Store:
        return Store.open(self._place.home.database, now=self._clock.now)


def _first(trigger: BaseTrigger, row: JobRow | None, now: datetime) -> datetime | None:
    """When a job runs first, by what an earlier daemon stored of it."""
    regular: datetime | None = trigger.get_next_fire_time(None, now)
    if row is None:
        return regular
    if row.was_killed or row.outcome == "stopped":
        return now
    began = None if row.started is None else min(row.started, now)  # the clock may have been wrong
    noted = row.due
    if began is not None and (noted is None or noted <= began):
        noted = trigger.get_next_fire_time(began, began)
    if noted is None or regular is None:
        return regular
    if noted <= now:
        return now
    if isinstance(trigger, Every):
        # Not later than the settings say now, which may have changed.
        last = began or now
        return max(now, min(noted, trigger.get_next_fire_time(last, last)))
    return min(noted, regular) if row.outcome == "failed" else regular
