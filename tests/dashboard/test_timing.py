"""The stop-watch of ``ghostbust bench dashboard``; the whole course is in its own test."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from ghostbust.dashboard import timing
from ghostbust.dashboard.timing import TimedDashboard
from ghostbust.home import Home
from ghostbust.store.names import NameOrder

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler


async def test_a_step_takes_until_what_it_asks_for_is_shown(
    home: Home, filled: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    app = TimedDashboard(home)
    async with app.run_test():
        await app.until(lambda query: query.tab == "overview")
        await app.took("names", "2", lambda query: query.tab == "names")
        began = time.perf_counter()
        told = await app.took("sort", "s", lambda query: query.order is NameOrder.PROMPTS)
        took = time.perf_counter() - began

        assert app.shown is not None
        assert app.shown.order is NameOrder.PROMPTS
    assert set(told) == {"sort_s", "sort_cpu_s"}
    assert 0 < told["sort_s"] <= took
    assert told["sort_cpu_s"] > 0


async def test_a_step_that_never_comes_ends_with_an_error(
    home: Home, filled: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    monkeypatch.setattr(timing, "LIMIT_S", 0.2)
    app = TimedDashboard(home)
    async with app.run_test():
        with pytest.raises(TimeoutError):
            await app.took("nothing", lambda: None, lambda query: query.page == 7)


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells it in /proc on Linux only")
def test_the_peak_of_memory_stays_when_the_memory_is_given_back() -> None:
    before = timing._peak_bytes()
    block = bytearray(int(before) + 64_000_000)
    held = len(block)
    del block

    assert timing._peak_bytes() >= held > before
