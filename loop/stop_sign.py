"""What a job looks at to know that it must stop: the daemon ends, it gets quiet, time is up."""

from __future__ import annotations

import threading
from typing import Final

from ghostbust.loop.clock import Clock
from ghostbust.quiet_hours import QuietHours

_LOOK_S: Final = 1.0


class StopSign(threading.Event):
    """Set where the daemon stops, and from the moment at which this job may work no more.

    Nobody has to wake up for that: whoever asks finds out. A job that is asked for by a person
    works in quiet hours, too.
    """

    def __init__(
        self,
        stopping: threading.Event,
        clock: Clock,
        *,
        quiet: QuietHours | None = None,
        seconds: float | None = None,
    ) -> None:
        """``seconds``: that the job may work from now on; None: no limit."""
        super().__init__()
        self._stopping, self._clock, self._quiet = stopping, clock, quiet
        self._ends = None if seconds is None else clock.monotonic() + seconds

    @property
    def why(self) -> str:
        """Why the job must stop; empty as long as it may work."""
        if super().is_set() or self._stopping.is_set():
            return "the daemon stops"
        if self._ends is not None and self._clock.monotonic() >= self._ends:
            return "the day's budget of gpu_minutes is used up"
        if self._quiet is not None and self._quiet.holds(self._clock.now()):
            return "quiet hours begin"
        return ""

    def is_set(self) -> bool:
        """True where the job must stop."""
        return bool(self.why)

    def set(self) -> None:
        """Stops the job, and the daemon."""
        super().set()
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the job must stop, or so many real seconds; True for the former."""
        left = timeout
        while not self.is_set() and (left is None or left > 0):
            step = _LOOK_S if left is None else min(left, _LOOK_S)
            if self._stopping.wait(step):
                break
            left = None if left is None else left - step
        return self.is_set()
