"""One process's hold on a home folder: settings, store and judge, opened and closed together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.config import Config
from ghostbust.files import clear_unfinished
from ghostbust.guard.rewinding import REVISION
from ghostbust.home import Home, cache_dir
from ghostbust.loop.budget import Allowance
from ghostbust.loop.build import Chosen, load_local, make_judge, weights_of
from ghostbust.loop.promote import settle
from ghostbust.loop.signals import Clock, Listener
from ghostbust.loop.watch import Watcher
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from ghostbust.samplers.local import LocalSampler


@dataclass(frozen=True)
class Session:
    """What every stage of the loop works with."""

    home: Home
    config: Config
    store: Store
    judge: Judge
    cache_dir: Path
    allowance: Allowance | None = None
    """the day's budgets, in which registry requests and a round's answers are noted; None: none"""

    def load_local(self, adapter: Chosen | None = None) -> LocalSampler:
        """The model of the settings in this process, as `build.load_local`."""
        return load_local(self.config, self.cache_dir, adapter)

    def watcher(
        self,
        sampler: Sampler,
        settings: SamplingSettings,
        listener: Listener,
        *,
        weights: bool,
        guarded: bool = False,
    ) -> Watcher:
        """Logs what the sampler answers in this home.

        ``weights``: the run notes which weights of the base answered, so that a later command may
        take it for its own. ``guarded``: it notes that the guard was on.
        """
        made_by = weights_of(self.config) if weights else {}
        if guarded:
            hard = "+".join(sorted(self.config.guard.hard))
            made_by = {**made_by, "guard": f"{REVISION} {hard}"}
        return Watcher(self.store, sampler, self.judge, settings, listener.advance, made_by)


@contextmanager
def open_beside(
    home: Home, config: Config, *, purpose: str, lock: Path | None, clock: Clock | None = None
) -> Iterator[Session]:
    """The home folder for one purpose, beside whoever works there; nothing is put in order.

    ``lock``: of the purpose; None: the home's own. ``clock``: says which day's budgets are spent;
    None: nothing is noted or limited. Raises BusyError where another process holds the lock,
    StoreError, SnapshotError or HomeError.
    """
    with (
        home.exclusive(purpose, lock),
        Store.open(home.database, keep_private=config.prompts.keep) as store,
    ):
        allowance = None if clock is None else Allowance(store, config, clock)
        with make_judge(config, home, store, allowance) as judge:
            yield Session(home, config, store, judge, cache_dir(), allowance)


@contextmanager
def open_session(
    home: Home, config: Config, *, purpose: str, clock: Clock | None = None
) -> Iterator[Session]:
    """The home folder for this process alone. What a killed one left behind is put in order.

    Takes and raises the same as `open_beside`.
    """
    with open_beside(home, config, purpose=purpose, lock=None, clock=clock) as session:
        session.store.mark_interrupted()
        settle(session.store, home)
        clear_unfinished(home.adapters)
        shutil.rmtree(home.trainer, ignore_errors=True)
        yield session
