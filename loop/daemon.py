"""The daemon: watch, round and recheck on a schedule, one at a time, until it is told to stop.

One worker thread does every job, so no two of them sample, or write, at once. A job that comes
due while another works waits its turn; one that fails is one line in the log, and is tried again
when it is next due. A process that is killed leaves nothing that the next start can't go on with.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Final

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from ghostbust.errors import GhostbustError
from ghostbust.loop.companions import Companion, JobDone, JobState
from ghostbust.loop.jobs import Stopped, Workplace, look_again, round_if_due, watch
from ghostbust.store import Store

log = logging.getLogger(__name__)

STOP_S: Final = 20.0
"""how long a job has to notice that the daemon stops: a batch of answers, a round's last words"""


class Daemon:
    """The jobs on their schedule. `run` it in the main thread, which the signals reach."""

    def __init__(
        self,
        place: Workplace,
        *,
        stop_s: float = STOP_S,
        companions: Sequence[Companion] = (),
    ) -> None:
        self._place = place
        self._companions = companions
        self._stop_s = stop_s
        # Not an Event: setting one inside a signal handler can meet its own lock.
        self._told: SimpleQueue[str] = SimpleQueue()
        self._working = threading.Lock()

    def stop(self, why: str) -> None:
        """Makes `run` return. May be called from any thread, and from a signal handler."""
        self._told.put(why)

    def run(self) -> bool:
        """Works until SIGTERM, SIGINT or `stop`; True where the job at work ended in time.

        Where it is False, a job is stuck in a computation or a download: end the process, as
        waiting for its thread could take long. The store is then as after a kill: consistent.

        Raises BusyError where a daemon runs in this home folder already, StoreError for a
        database that can't be used.
        """
        home, daemon = self._place.home, self._place.home.daemon_lock
        with home.exclusive("daemon", daemon), self._signals(), self._accompanied():
            Store.open(home.database).close()  # what is broken is told now, not every hour
            scheduler = self._schedule()
            scheduler.start()
            log.info("daemon: works in %s", home.path)
            why = self._told.get()
            log.info("daemon: stops (%s)", why)
            self._place.stopping.set()
            scheduler.shutdown(wait=False)
            ended = self._working.acquire(timeout=self._stop_s)
            if ended:
                self._working.release()  # for jobs that waited their turn, to see that it is over
            return ended

    def _schedule(self) -> BackgroundScheduler:
        every = self._place.config.daemon
        jobs: tuple[tuple[str, Callable[[Workplace], None], float], ...] = (
            ("watch", watch, every.watch_every_s),
            ("round", round_if_due, every.round_every_s),
            ("recheck", look_again, every.recheck_every_s),
        )
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # No limit to lateness: the default of a second would skip what waits for a round.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        scheduler.add_listener(self._explain, EVENT_JOB_ERROR)
        now = datetime.now(UTC)
        for place, (name, job, seconds) in enumerate(jobs):
            scheduler.add_job(
                self._do,
                "interval",
                args=[name, job],
                id=name,
                seconds=seconds,
                # at once, but in this order
                next_run_time=now + timedelta(milliseconds=place),
            )
        return scheduler

    def _do(self, name: str, job: Callable[[Workplace], None]) -> None:
        """Runs a job in the worker thread; what goes wrong on purpose ends here."""
        with self._working:
            if self._place.stopping.is_set():
                return
            began = time.monotonic()
            state: JobState = "failed"
            reason = "unexpected"
            try:
                job(self._place)
                state, reason = "ok", ""
            except Stopped:
                state, reason = "stopped", "the daemon stops"
                log.info("%s: stopped", name)
            except GhostbustError as exc:
                reason = str(exc)
                log.warning("%s: %s; tried again when it is next due", name, exc)
            finally:
                self._tell(JobDone(name, state, time.monotonic() - began, reason))

    def _tell(self, done: JobDone) -> None:
        for companion in self._companions:
            companion.job_done(done)

    @contextmanager
    def _accompanied(self) -> Iterator[None]:
        """Inside, the companions have started; those that did are stopped, the last one first."""
        with ExitStack() as started:
            for companion in self._companions:
                companion.start()
                started.callback(companion.stop)
            yield

    def _explain(self, event: JobExecutionEvent) -> None:
        """Logs what no job should raise; the scheduler has caught it."""
        log.error(
            "%s: unexpected %s: %s; tried again when it is next due",
            event.job_id,
            type(event.exception).__name__,
            event.exception,
        )
        log.debug("%s", event.traceback)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT stop the daemon, also a second time."""
        before = {
            number: signal.signal(number, lambda got, _: self.stop(signal.Signals(got).name))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
