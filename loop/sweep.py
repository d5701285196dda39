"""SWEEP: one watch over the tasks of the settings, or again over what elicited inventions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop.build import draw, find_adapter, make_sampler, make_tasks, sampling_settings
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched
from ghostbust.prompts import Task, first_prompts, split
from ghostbust.records import Hallucination, Prompt
from ghostbust.store.names import NameOrder
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

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


@dataclass(frozen=True, slots=True)
class Repeated:
    """What came of asking again."""

    run_id: int
    adapter: str | None
    """that was asked; None is the base"""
    seed: int
    names: tuple[Hallucination, ...]
    """that were asked for, with all that is known of their repeats by this adapter"""
    prompts: int
    answers: int
    textless: int
    """names left out because no text of a prompt that elicited them was kept"""


def ask_again(
    session: Session,
    listener: Listener,
    *,
    names: int,
    order: NameOrder,
    samples: int,
    budget: int,
    adapter: str,
    seed: int | None,
) -> Repeated:
    """One run over the prompts that elicited the first ``names`` of the ledger in that order.

    Each prompt is sampled ``samples`` times, all together at most ``budget`` times. ``adapter``:
    ``deployed``, ``base`` or a name. ``seed``: None for the number that the run will have, so that
    no draw is made twice.

    Raises UsageError at temperature 0, which only repeats itself, for a budget that isn't enough
    for one prompt, and where no prompt can be asked.
    """
    config, store = session.config, session.store
    if not config.sampling.temperature:
        raise UsageError("at temperature 0 every answer repeats the last; set sampling.temperature")
    if budget < samples:
        raise UsageError(f"--budget {budget} isn't enough for one prompt with --samples {samples}")
    chosen = find_adapter(store, session.home, adapter)
    name = None if chosen is None else chosen[0]
    found = store.ledger.hallucinations(order=order, limit=names, adapter=name)
    prompts, taken, textless = choose_again(
        store, make_tasks(config), found, most_prompts=budget // samples
    )
    if not prompts:
        raise UsageError(
            "nothing to ask again: no name is logged yet, or no prompt's text was kept; "
            "`ghostbust sweep` finds some"
        )
    if seed is None:
        seed = 1 + max((run.id for run in store.runs.recent(1)), default=0)
    listener.begin(f"load {config.model.name}")
    sampler = make_sampler(config, session.cache_dir, adapter=chosen)
    listener.begin(f"ask {len(prompts)} prompts {samples} times each")
    settings = replace(sampling_settings(config, seed), samples_per_prompt=samples)
    watcher = session.watcher(sampler, settings, listener, weights=False)
    watched = watcher.prompts(prompts, RunKind.REPEAT)
    now = (store.ledger.get(one.ecosystem, one.name, adapter=name) for one in taken)
    return Repeated(
        watched.run_id,
        name,
        seed,
        tuple(one for one in now if one is not None),
        len(prompts),
        len(watched.answers),
        textless,
    )


def choose_again(
    store: Store, tasks: Iterable[Task], names: Sequence[Hallucination], *, most_prompts: int
) -> tuple[list[Prompt], list[Hallucination], int]:
    """The distinct prompts to ask again, the names they elicited, and how many names have no text.

    For each name, in order, it is the prompt that elicited it most often and whose text is at hand.
    A name is left out if its prompt would be one too many; one whose prompt is asked anyway costs
    nothing.
    """
    own = {prompt.id: prompt for prompt in first_prompts(tasks)}
    chosen: dict[str, Prompt] = {}
    taken, textless = [], 0
    for name in names:
        ids = store.ledger.prompts_of(name.ecosystem, name.name)
        texts = (own.get(one) or store.prompts.get(one) for one in ids)
        prompt = next((found for found in texts if found is not None), None)
        if prompt is None:
            textless += 1
        elif prompt.id in chosen or len(chosen) < most_prompts:
            chosen[prompt.id] = prompt
            taken.append(name)
    return list(chosen.values()), taken, textless
