"""When which job runs: the settings' schedule on APScheduler, requests, and changes of the clock.

The scheduler has a thread for each queue, which runs job after job. Somebody has to call
`Timetable.look` every few seconds. The scheduler can't: it would sleep for hours after the clock
was set back.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger

from ghostbust.errors import HomeError, StoreError
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.runner import JobRunner, Ran
from ghostbust.loop.daemon.table import QUEUES, Every
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

    def due(self, name: str) -> datetime | None:
        """When the job runs next; None if it isn't scheduled."""
        job = self._scheduler.get_job(name)
        return None if job is None else job.next_run_time

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
        due = self.due(name)
        if due is not None and ran is not None and ran.again is not None:
            later = ran.waits or ran.again < due
            if later:
                due = ran.again
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
