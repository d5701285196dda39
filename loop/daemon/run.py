"""The daemon: runs the jobs on their schedule, each queue's one at a time, until it has to stop.

Jobs that take the home folder share a queue, so no two of them sample or train at once. Reading
logs, alarms, roll-back and selfcheck have queues of their own and wait for no other job. A job that
comes due while another of its queue runs waits for its turn. One that fails is one line in the log,
and is tried again when it is next due. A killed process leaves nothing that the next start can't
continue.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from queue import SimpleQueue
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from ghostbust.config import Config
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.runner import JobRunner
from ghostbust.loop.daemon.schedule import POLL_S, SETTINGS, Timetable
from ghostbust.loop.daemon.table import JOBS, QUEUES, Job
from ghostbust.loop.signals import Companion, JobDone
from ghostbust.store.store import Store

log = logging.getLogger(__name__)

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
            why = self._why_stop.get()
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
