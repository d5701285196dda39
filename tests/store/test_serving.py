"""Where an adapter was loaded, what it showed there, and the moves of the deployed pointer."""

from __future__ import annotations

import math

from ghostbust.records import Promotion
from ghostbust.store.serving import Canary, CanaryFigures, Loaded
from ghostbust.store.store import Store
from tests.store.conftest import Clock


def test_loading_again_takes_back_an_unloading(store: Store, clock: Clock) -> None:
    store.published.mark_unloaded("gpu-1:8000", "round-0001-aa")
    assert store.published.all() == [], "it was never loaded"
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


def test_canaries_come_back_newest_first(store: Store, clock: Clock) -> None:
    base = CanaryFigures(10, 0, 1, 3, 9, 0.25, 1.0)
    dead = CanaryFigures(10, 10, 0, 0, 0, math.nan, 0.0)
    good = Canary("gpu-1:8000", "round-0001-aa", True, "fine", base, base, clock.at)
    bad = Canary("gpu-1:8000", "round-0002-bb", False, "it fails", base, dead, clock.step(hours=1))
    for canary in (good, bad):
        store.published.add_canary(canary)
    assert store.published.canaries("round-0001-aa") == [good]
    newest, oldest = store.published.canaries()
    assert (oldest, newest.base, newest.passed, newest.reason) == (good, base, False, "it fails")
    assert math.isnan(newest.figures.median_s)
    assert store.published.canaries(limit=1)[0].adapter == "round-0002-bb"
    assert base.rate == 0.25
    assert math.isnan(dead.rate), "nothing was named"


def test_the_last_move_says_what_is_deployed(store: Store, clock: Clock) -> None:
    assert store.promotions.deployed() is None
    up = Promotion("round-1", None, "promote", "gates passed", clock())
    store.promotions.add(up)
    assert store.promotions.deployed() == "round-1"
    down = Promotion(None, "round-1", "rollback", "asked for", clock.step(hours=1))
    store.promotions.add(down)
    assert store.promotions.deployed() is None
    assert store.promotions.all() == [down, up]
