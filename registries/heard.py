"""What registries said to this process: requests by outcome, and when they were last heard of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from ghostbust.errors import RegistryError, SpentError
from ghostbust.records import utc_now


class Outcome(StrEnum):
    """What came of one request."""

    ANSWERED = "answered"
    """with something usable, "no such package" included"""
    UNANSWERED = "unanswered"
    """no connection, no time left, busy, or nothing usable; it may go better another time"""
    REFUSED = "refused"
    """with a status that no repetition changes, such as 401"""


@dataclass
class Heard:
    """A tally. For any thread."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    last_answer: datetime | None = None
    """when a registry last answered; None before the first time"""
    last_failure: datetime | None = None
    """when one last didn't; None before the first time"""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: Outcome) -> None:
        """Notes a request that is over."""
        with self._lock:
            self.counts[outcome] += 1
            if outcome is Outcome.ANSWERED:
                self.last_answer = utc_now()
            else:
                self.last_failure = utc_now()

    @contextmanager
    def request(self) -> Iterator[None]:
        """One request: UNANSWERED or REFUSED where it raises; one that may not be sent is none."""
        try:
            yield
        except SpentError:
            raise
        except RegistryError:
            self.count(Outcome.REFUSED)
            raise
        except Exception:
            self.count(Outcome.UNANSWERED)
            raise
        self.count(Outcome.ANSWERED)


HEARD: Final = Heard()
"""of this process: there is one outside world"""
