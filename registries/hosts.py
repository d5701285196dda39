"""Manners towards one host: how many questions at a time, how often, and when to leave it alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiolimiter import AsyncLimiter

IN_FLIGHT = 4
"""questions at a time"""
PER_SECOND = 10.0
"""requests a second, those that are asked again included"""
GIVE_UP_AFTER = 3
"""names in a row without a usable answer, after which a host is left alone"""
LEFT_ALONE_S = 1.0
"""how long at first; then one name is tried, and the others follow if it gets an answer"""
LONGEST_LEFT_ALONE_S = 30.0
"""how long at most; the time doubles with each name that is tried in vain"""


class Breaker:
    """Opens when some names in a row got no answer; closes with the first answer."""

    def __init__(
        self, give_up_after: int = GIVE_UP_AFTER, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._give_up_after = give_up_after
        self._clock = clock
        self._failed: set[str] = set()
        """what was asked in vain since the last answer; a name that fails again counts once"""
        self.why = ""
        """the last failure"""
        self._wait_s = LEFT_ALONE_S
        self._next_try = 0.0

    @property
    def wait_s(self) -> float | None:
        """Seconds until somebody may try again; None where it is closed, so that all may ask."""
        if len(self._failed) < self._give_up_after:
            return None
        return max(0.0, self._next_try - self._clock())

    def try_again(self) -> None:
        """Notes that somebody does; nobody else may for twice as long as before."""
        self._wait_s = min(2 * self._wait_s, LONGEST_LEFT_ALONE_S)
        self._next_try = self._clock() + self._wait_s

    def answered(self) -> None:
        """Notes an answer, "no such package" included."""
        self._failed.clear()
        self._wait_s = LEFT_ALONE_S

    def failed(self, url: str, why: str) -> bool:
        """Notes that ``url`` got no usable answer; True where that is what opens it."""
        before = len(self._failed)
        self._failed.add(url)
        self.why = why
        self._next_try = self._clock() + self._wait_s
        return before < self._give_up_after <= len(self._failed)


@dataclass(frozen=True, slots=True)
class Manners:
    """How one host is treated."""

    in_flight: int = IN_FLIGHT
    per_second: float = PER_SECOND
    give_up_after: int = GIVE_UP_AFTER


class Host:
    """What is known of one host, and the queue before it."""

    def __init__(self, manners: Manners) -> None:
        self.slots = asyncio.Semaphore(manners.in_flight)
        self.rate = AsyncLimiter(manners.per_second, 1)
        self.breaker = Breaker(manners.give_up_after)
        self.gate = asyncio.Lock()
        """held while it is found out whether the host answers at all"""
        self.witness: Callable[[], Awaitable[object]] | None = None
        """asks once for what was answered last; None before the first answer"""


@dataclass(slots=True)
class Hosts:
    """The hosts that were asked, each with a queue of its own. For one event loop."""

    manners: Manners = field(default_factory=Manners)
    _known: dict[str, Host] = field(default_factory=dict)

    def of(self, url: str) -> Host:
        """The host of a URL, its port included."""
        return self._known.setdefault(urlsplit(url).netloc, Host(self.manners))
