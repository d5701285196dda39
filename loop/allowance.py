"""The budgets of a day: what is left of them, and how some is taken.

Whoever is about to spend takes as much as it may need, and gives back what it didn't use. A process
that is killed in between has spent what it took, so a budget is never overspent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ghostbust.config import Config
from ghostbust.errors import SpentError
from ghostbust.loop.clock import Clock
from ghostbust.store import Store

SAMPLES: Final = "samples"
TOKENS: Final = "tokens"
REQUESTS: Final = "registry_requests"
MINUTES: Final = "gpu_minutes"
BUDGETS: Final = (SAMPLES, TOKENS, REQUESTS, MINUTES)
NOTHING: Final = 1e-9
"""of a budget that isn't counted in whole units, less than this is nothing"""


class Allowance:
    """The day's budgets of the settings, as noted in a store. For the store's thread."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._zone = ZoneInfo(config.jobs.time_zone)
        self._limits = limits_of(config)

    @property
    def limits(self) -> Mapping[str, float]:
        """Of each budget that has one, what a day has."""
        return self._limits

    @property
    def day(self) -> date:
        """The day whose budgets are spent now."""
        return self._clock.now().astimezone(self._zone).date()

    @property
    def day_ends(self) -> datetime:
        """When the next day's budgets begin, UTC."""
        tomorrow = self.day + timedelta(days=1)
        begins = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=self._zone)
        return begins.astimezone(UTC)

    def spent(self) -> dict[str, float]:
        """What was spent of each budget today."""
        return dict.fromkeys(BUDGETS, 0.0) | self._store.spending.of(self.day)

    def left(self) -> dict[str, float]:
        """What is left of each budget today; infinite where there is no limit."""
        spent = self.spent()
        return {name: max(0.0, self._limits.get(name, math.inf) - spent[name]) for name in BUDGETS}

    def lacking(self, needs: Mapping[str, float]) -> str | None:
        """Which budget has too little left for the needs, in one line; None where none has."""
        left = self.left()
        for name, need in needs.items():
            if left[name] < need or left[name] <= NOTHING:
                spent, limit = self._limits[name] - left[name], self._limits[name]
                return f"the day's budget of {name} is used up ({spent:,g} of {limit:,g})"
        return None

    def take(self, amounts: Mapping[str, float]) -> date | None:
        """Takes all of it from today's budgets, and returns the day; None: nothing is taken."""
        day = self.day
        return day if self._store.spending.take(day, dict(amounts), self._limits) else None

    def give_back(self, day: date, amounts: Mapping[str, float]) -> None:
        """Gives back what was taken on that day and not used."""
        unused = {name: -amount for name, amount in amounts.items() if amount}
        if unused:
            self._store.spending.take(day, unused, {})

    def note(self, amounts: Mapping[str, float]) -> date:
        """Notes what is spent, whatever is left, and returns the day that it is noted with."""
        day = self.day
        self._store.spending.take(day, dict(amounts), {})
        return day

    def spend(self) -> None:
        """Takes one request to a registry. Raises SpentError where none is left today."""
        if self.take({REQUESTS: 1}) is None:
            raise SpentError("not asked: the day's budget of registry_requests is used up")


def price(answers: int, tokens: int) -> dict[str, float]:
    """What so many answers of so many tokens each take from the budgets."""
    return {SAMPLES: answers, TOKENS: answers * tokens}


def limits_of(config: Config) -> dict[str, float]:
    """The day's budgets that have a limit."""
    budget = config.budget
    limits = {
        SAMPLES: budget.samples,
        TOKENS: budget.tokens,
        REQUESTS: budget.registry_requests,
        MINUTES: budget.gpu_minutes,
    }
    return {name: float(limit) for name, limit in limits.items() if limit is not None}
