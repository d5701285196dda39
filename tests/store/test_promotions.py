"""The log of the pointer says what serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ghostbust.records import Promotion
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock


def test_the_last_move_says_what_is_deployed(store: Store, clock: Clock) -> None:
    assert store.promotions.deployed() is None
    up = Promotion("round-1", None, "promote", "gates passed", clock())
    store.promotions.add(up)
    assert store.promotions.deployed() == "round-1"
    down = Promotion(None, "round-1", "rollback", "asked for", clock.step(hours=1))
    store.promotions.add(down)
    assert store.promotions.deployed() is None
    assert store.promotions.all() == [down, up]
