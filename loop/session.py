"""One process's hold on a home folder: settings, store and judge, opened and closed together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ghostbust.config import Config
from ghostbust.files import clear_unfinished
from ghostbust.home import Home, cache_dir
from ghostbust.loop.budget import Allowance
from ghostbust.loop.build import make_judge
from ghostbust.loop.promote import settle
from ghostbust.loop.signals import Clock
from ghostbust.registries.judge import Judge
from ghostbust.store.store import Store


@dataclass(frozen=True)
class Session:
    """What every stage of the loop works with."""

    home: Home
    config: Config
    store: Store
    judge: Judge
    cache_dir: Path
    allowance: Allowance | None = None
    """the day's budgets, which requests to registries and a round's answers are noted in, if any"""


@contextmanager
def open_beside(
    home: Home, config: Config, *, purpose: str, lock: Path, clock: Clock | None = None
) -> Iterator[Session]:
    """The home folder for one purpose, beside whoever works there; puts nothing in order.

    ``lock``: of the purpose. ``clock``: as for `open_session`. Raises BusyError where another
    process holds the lock, StoreError, SnapshotError or HomeError.
    """
    with (
        home.exclusive(purpose, lock),
        Store.open(home.database, keep_private=config.prompts.keep) as store,
    ):
        meter = None if clock is None else Allowance(store, config, clock)
        with make_judge(config, home, store, meter) as judge:
            yield Session(home, config, store, judge, cache_dir(), meter)


@contextmanager
def open_session(
    home: Home, config: Config, *, purpose: str, clock: Clock | None = None
) -> Iterator[Session]:
    """The home folder for this process alone; what a killed one left behind is put in order.

    ``clock``: of the days whose budgets are spent; None: nothing is noted or limited.

    Raises BusyError where another process holds it, StoreError, SnapshotError or HomeError.
    """
    with (
        home.exclusive(purpose),
        Store.open(home.database, keep_private=config.prompts.keep) as store,
    ):
        store.mark_interrupted()
        settle(store, home)
        clear_unfinished(home.adapters)
        meter = None if clock is None else Allowance(store, config, clock)
        shutil.rmtree(home.trainer, ignore_errors=True)
        with make_judge(config, home, store, meter) as judge:
            yield Session(home, config, store, judge, cache_dir(), meter)
