"""Something done again and again in a thread of its own, until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

JOIN_S: Final = 2.0
"""how long the last repetition has to end; the thread is no reason to wait longer"""


class Repeating:
    """Does ``act`` at the start, every ``every_s`` seconds, and when it is nudged."""

    def __init__(self, name: str, act: Callable[[], None], every_s: float) -> None:
        """``name`` is what its errors are logged under."""
        self._name = name
        self._act = act
        self._every_s = every_s
        self._nudged = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def nudge(self) -> None:
        """Has it done soon, out of turn. From any thread."""
        self._nudged.set()

    def stop(self, wait_s: float = JOIN_S) -> None:
        """Ends it, as soon as what it does is done; does nothing where it never began."""
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
                # Whatever it is, the daemon works on and the next time may go better.
                log.error("%s: %s: %s", self._name, type(exc).__name__, exc)
                log.debug("%s", self._name, exc_info=True)
            if not self._stopping:
                self._nudged.wait(self._every_s)
