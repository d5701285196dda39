"""SWEEP: one watch over the tasks of the settings, from a home folder to logged answers."""

from __future__ import annotations

from typing import Literal

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop.build import draw, find_adapter, make_sampler, make_tasks, sampling_settings
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched
from ghostbust.prompts import first_prompts, split
from ghostbust.store.runs import RunKind

AskedSide = Literal["all", "train", "holdout"]


def run_sweep(
    home: Home,
    config: Config,
    listener: Listener,
    *,
    limit: int | None = None,
    side: AskedSide = "all",
    adapter: str = "deployed",
    seed: int = 0,
) -> Watched:
    """Asks the tasks in all three contexts, looks up what is named, and logs it.

    ``limit``: so many tasks, drawn with the seed; None for all. ``adapter``: a name, ``deployed``
    or ``base``. A finished sweep of the same, by a model in this process, is read from the store
    and its names are looked up anew: the model would answer the same.

    Raises as `open_session` and `make_sampler` do, and UsageError where the side has no task.
    """
    tasks = make_tasks(config)
    if side != "all":
        train, holdout = split(tasks, config.prompts.holdout_share)
        tasks = train if side == "train" else holdout
        if not tasks:
            raise UsageError(f"none of the tasks is on the {side} side of the split; give more")
    tasks = draw(tasks, limit or len(tasks), seed)
    with open_session(home, config, purpose="sweep") as session:
        listener.begin(f"load {config.model.name}")
        chosen = find_adapter(session.store, home, adapter)
        sampler = make_sampler(config, session.cache_dir, adapter=chosen)
        settings = sampling_settings(config, seed)
        watcher = session.watcher(sampler, settings, listener, weights=True)
        # The model of a server may be another one by now.
        first = list(first_prompts(tasks))
        known = watcher.known(first, RunKind.SWEEP) if watcher.made_by else None
        if known is not None:
            listener.begin(
                f"read run {known.run_id}, which asked the same; another --seed asks anew"
            )
            return known
        listener.begin(f"ask {len(tasks)} tasks in three contexts")
        return watcher.tasks(tasks, RunKind.SWEEP)
