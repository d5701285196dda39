"""The daemon's pulse, as systemd feels it: READY once it works, WATCHDOG as long as it does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from ghostbust.loop.companions import JobDone
from ghostbust.operations.repeating import Repeating
from ghostbust.operations.service_manager import ServiceManager

log = logging.getLogger(__name__)

BEAT_S: Final = 5.0
"""how often it is felt, where the watchdog doesn't ask for more"""
FIRST_BEAT_S: Final = 0.1
"""how often until the schedule has begun"""


class Pulse:
    """A companion. A long job is no reason for silence; a schedule that has died is."""

    def __init__(
        self,
        manager: ServiceManager,
        alive: Callable[[], bool],
        stopping: threading.Event,
        shown: Callable[[str], str] = str,
    ) -> None:
        """``alive``: whether the schedule goes on. ``shown``: takes out what mustn't be seen."""
        self._manager = manager
        self._alive = alive
        self._stopping = stopping
        self._shown = shown
        self._told_ready = self._told_stopping = self._told_dead = False
        beat_s = min(BEAT_S, (manager.watchdog_s or BEAT_S * 3) / 3)
        self._beats = Repeating("systemd", self._beat, beat_s)
        self._first = Repeating("systemd", self._begin, FIRST_BEAT_S)

    def start(self) -> None:
        """Begins to tell, where anybody listens."""
        if self._manager.listens:
            self._first.start()
            self._beats.start()

    def stop(self) -> None:
        """The last word."""
        self._first.stop()
        self._beats.stop()
        if not self._told_stopping:
            self._manager.stopping()

    def job_done(self, done: JobDone) -> None:
        """Makes it the status line."""
        reason = f": {done.reason}" if done.reason else ""
        self._manager.status(self._shown(f"{done.name} {done.state}, {done.seconds:.0f} s{reason}"))

    def _begin(self) -> None:
        """Tells READY as soon as the schedule has begun."""
        if not self._told_ready and self._alive():
            self._told_ready = True
            self._manager.ready()
            self._manager.status("the schedule has begun")
            self._first.stop()

    def _beat(self) -> None:
        if self._stopping.is_set():
            if not self._told_stopping:
                self._told_stopping = True
                self._manager.stopping()
            self._manager.watchdog()  # a job has its time to end
        elif not self._told_ready:
            return
        elif self._alive():
            self._manager.watchdog()
        elif not self._told_dead:
            self._told_dead = True
            log.error("daemon: the schedule has died; a watchdog of systemd starts it anew")
