"""Asks again what elicited the most important inventions, to see how often they come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ghostbust.errors import UsageError
from ghostbust.loop.build import find_adapter, make_sampler, make_tasks, sampling_settings
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Hallucination, Prompt
from ghostbust.store.names import NameOrder
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store


@dataclass(frozen=True, slots=True)
class Again:
    """What to ask again, and for which names."""

    prompts: tuple[Prompt, ...]
    """distinct"""
    names: tuple[Hallucination, ...]
    """that one of the prompts elicited, in the order given"""
    textless: int
    """names left out because no text of a prompt that elicited them was kept"""


def choose_again(
    store: Store, tasks: Iterable[Task], names: Sequence[Hallucination], *, most_prompts: int
) -> Again:
    """For each name, in order, the prompt that elicited it most often and whose text is at hand.

    Names whose prompt would be one too many are left out; one whose prompt is asked anyway comes
    along for nothing.
    """
    own = {prompt.id: prompt for prompt in first_prompts(tasks)}
    chosen: dict[str, Prompt] = {}
    taken, textless = [], 0
    for name in names:
        ids = store.ledger.prompts_of(name.ecosystem, name.name)
        prompt = next(
            (p for p in (own.get(one) or store.prompts.get(one) for one in ids) if p is not None),
            None,
        )
        if prompt is None:
            textless += 1
        elif prompt.id in chosen or len(chosen) < most_prompts:
            chosen[prompt.id] = prompt
            taken.append(name)
    return Again(tuple(chosen.values()), tuple(taken), textless)


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


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be measured, for how much."""

    names: int
    """the first so many of the ledger"""
    order: NameOrder
    samples: int
    """of each prompt"""
    budget: int
    """samples in all, at most"""
    adapter: str
    """`deployed`, `base` or an adapter's name"""
    seed: int | None
    """None: the number that the run will have, so that no draw is made twice"""


def ask_again(session: Session, ask: Ask, listener: Listener) -> Repeated:
    """One run over the prompts that elicited the first names of the ledger.

    Raises UsageError at temperature 0, which only repeats itself, for a budget that isn't enough
    for one prompt, and where no prompt can be asked.
    """
    if not session.config.sampling.temperature:
        raise UsageError("at temperature 0 every answer repeats the last; set sampling.temperature")
    if ask.budget < ask.samples:
        raise UsageError(
            f"--budget {ask.budget} isn't enough for one prompt with --samples {ask.samples}"
        )
    store = session.store
    adapter = find_adapter(store, session.home, ask.adapter)
    name = None if adapter is None else adapter[0]
    again = choose_again(
        store,
        make_tasks(session.config),
        store.ledger.hallucinations(order=ask.order, limit=ask.names, adapter=name),
        most_prompts=ask.budget // ask.samples,
    )
    if not again.prompts:
        raise UsageError(
            "nothing to ask again: no name is logged yet, or no prompt's text was kept; "
            "`ghostbust sweep` finds some"
        )
    seed = ask.seed
    if seed is None:
        seed = 1 + max((run.id for run in store.runs.recent(1)), default=0)
    listener.begin(f"load {session.config.model.name}")
    sampler = make_sampler(session.config, session.cache_dir, adapter=adapter)
    listener.begin(f"ask {len(again.prompts)} prompts {ask.samples} times each")
    settings = replace(sampling_settings(session.config, seed), samples_per_prompt=ask.samples)
    watcher = Watcher(store, sampler, session.judge, settings, listener.advance)
    watched = watcher.prompts(again.prompts, RunKind.REPEAT)
    now = [store.ledger.get(one.ecosystem, one.name, adapter=name) for one in again.names]
    return Repeated(
        watched.run_id,
        name,
        seed,
        tuple(one for one in now if one is not None),
        len(again.prompts),
        len(watched.answers),
        again.textless,
    )
