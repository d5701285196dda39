"""What was loaded where, and what it showed, as it was noted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ghostbust.store.rounds import Canary, Figures, Loaded
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock


def test_loading_again_takes_back_an_unloading(store: Store, clock: Clock) -> None:
    store.published.mark_loaded("gpu-1:8000", "round-0001-aa")
    first = clock.at
    then = clock.step(hours=1)
    store.published.mark_loaded("gpu-2:8000", "round-0001-aa")
    store.published.mark_unloaded("gpu-1:8000", "round-0001-aa")
    assert store.published.all() == [
        Loaded("gpu-1:8000", "round-0001-aa", first, then),
        Loaded("gpu-2:8000", "round-0001-aa", then, None),
    ]
    later = clock.step(hours=1)
    store.published.mark_loaded("gpu-1:8000", "round-0001-aa")
    assert store.published.all()[-1] == Loaded("gpu-1:8000", "round-0001-aa", later, None)


def test_unloading_what_was_never_loaded_is_no_row(store: Store) -> None:
    store.published.mark_unloaded("gpu-1:8000", "round-0001-aa")
    assert store.published.all() == []


def test_canaries_come_back_newest_first(store: Store, clock: Clock) -> None:
    base = Figures(10, 0, 1, 3, 9, 0.25, 1.0)
    dead = Figures(10, 10, 0, 0, 0, math.nan, 0.0)
    good = Canary("gpu-1:8000", "round-0001-aa", True, "fine", base, base, clock.at)
    bad = Canary("gpu-1:8000", "round-0002-bb", False, "it fails", base, dead, clock.step(hours=1))
    for canary in (good, bad):
        store.published.add_canary(canary)
    assert store.published.canaries("round-0001-aa") == [good]
    newest, oldest = store.published.canaries()
    assert (oldest, newest.base, newest.passed, newest.reason) == (good, base, False, "it fails")
    assert math.isnan(newest.figures.median_s)
    assert store.published.canaries(limit=1)[0].adapter == "round-0002-bb"


def test_a_rate_of_nothing_is_not_a_number() -> None:
    assert Figures(1, 0, 0, 1, 3, 0.1, 1).rate == 0.25
    assert math.isnan(Figures(1, 0, 0, 0, 0, 0.1, 1).rate)
