"""Repeats a function in a thread of its own until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

JOIN_S: Final = 2.0
"""how long the last call has to end; the thread is a daemon thread, so nothing waits longer"""


class Repeating:
    """Calls ``act`` at the start, every ``every_s`` seconds, and after `nudge`."""

    def __init__(self, name: str, act: Callable[[], None], every_s: float) -> None:
        """``name`` begins the log lines of its errors."""
        self._name = name
        self._act = act
        self._every_s = every_s
        self._nudged = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def nudge(self) -> None:
        """Calls it soon, out of turn. For any thread."""
        self._nudged.set()

    def stop(self, wait_s: float = JOIN_S) -> None:
        """Ends the thread after the current call; does nothing if it never started."""
        self._stopping = True
        self._nudged.set()
        begun = self._thread.ident is not None
        if begun and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def _work(self) -> None:
        while not self._stopping:
            self._nudged.clear()
            try:
                self._act()
            except Exception as exc:
                # The daemon must go on, and the next call may succeed.
                log.error("%s: %s: %s", self._name, type(exc).__name__, exc)
                log.debug("%s", self._name, exc_info=True)
            if not self._stopping:
                self._nudged.wait(self._every_s)
