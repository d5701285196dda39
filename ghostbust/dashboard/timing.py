"""How long the dashboard takes on a store: opened without a terminal, and its keys pressed.

Run as a program of its own, so that nothing else is in its memory::

    python -m ghostbust.dashboard.timing HOME STARTED

``STARTED``: the time in seconds since 1970 at which the program was started. Prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from textual.widgets import Input

from ghostbust.dashboard.app import FOCUS, Dashboard
from ghostbust.dashboard.reading import Query, Snapshot
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.store.names import NameOrder

SIZE: Final = (200, 50)
SEARCHED: Final = "777"
LIMIT_S: Final = 60.0
SETTLE_S: Final = 2.0
"""pause between two steps, so that none pays for what an earlier one left to do"""


async def measure(home: Home, started: float) -> dict[str, float]:
    """Seconds of each step, and the highest memory in bytes after the names and after all tabs.

    ``_s`` is by the clock, ``_cpu_s`` the processor's time of this process, which doesn't depend
    on what else the machine does.
    """
    told: dict[str, float] = {}
    began, used = time.perf_counter(), time.process_time()
    app = TimedDashboard(home)
    async with app.run_test(size=SIZE):
        names = app.query_one("#names-table", StoreTable)
        await app.until(lambda _: len(names.lines) > 0)
        told["open_s"] = time.perf_counter() - began
        told["open_cpu_s"] = time.process_time() - used
        told["open_from_start_s"] = time.time() - started
        told["open_from_start_cpu_s"] = time.process_time()
        told |= await app.took("first_names", "2", lambda q: q.tab == "names" and bool(q.name))
        for order in (*list(NameOrder)[1:], next(iter(NameOrder))):
            told |= await app.took(f"sort_{order}", "s", _is_by(order))
        told |= await app.took("page", "n", lambda q: q.page == 1)
        box = app.query_one("#names-search", Input)
        told |= await app.took(
            "search", lambda: setattr(box, "value", SEARCHED), lambda q: q.search == SEARCHED
        )
        told["names_peak_bytes"] = _peak_bytes()
        for number, tab in enumerate(FOCUS, 1):
            told |= await app.took(f"tab_{tab}", str(number), _is_at(tab))
        told["peak_bytes"] = _peak_bytes()
    return told


def _is_by(order: NameOrder) -> Callable[[Query], bool]:
    return lambda query: query.order is order


def _is_at(tab: str) -> Callable[[Query], bool]:
    return lambda query: query.tab == tab


class TimedDashboard(Dashboard):
    """Tells when it has shown something, so that waiting for it takes none of the time."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._has_shown = asyncio.Event()

    def show(self, snapshot: Snapshot) -> None:
        """Shows the snapshot, and tells."""
        super().show(snapshot)
        self._has_shown.set()

    async def until(self, done: Callable[[Query], bool]) -> None:
        """Waits until what is ``done`` is painted; raises TimeoutError after ``LIMIT_S``."""
        async with asyncio.timeout(LIMIT_S):
            while self.shown is None or not done(self.shown):
                await self._has_shown.wait()
                self._has_shown.clear()
            painted = asyncio.Event()
            self.call_after_refresh(painted.set)
            await painted.wait()

    async def took(
        self, step: str, key: str | Callable[[], None], done: Callable[[Query], bool]
    ) -> dict[str, float]:
        """Presses a key, or does something else; seconds until what is ``done`` is painted."""
        await asyncio.sleep(SETTLE_S)
        began, used = time.perf_counter(), time.process_time()
        if isinstance(key, str):
            self.simulate_key(key)
        else:
            key()
        await self.until(done)
        return {
            f"{step}_s": time.perf_counter() - began,
            f"{step}_cpu_s": time.process_time() - used,
        }


def _peak_bytes() -> float:
    """The highest resident memory of this process so far; 0 on a system without /proc."""
    try:
        told = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return float(found[1]) * 1024 if found else 0.0


if __name__ == "__main__":
    figures = asyncio.run(measure(Home.find(Path(sys.argv[1])), float(sys.argv[2])))
    sys.stdout.write(json.dumps(figures) + "\n")
