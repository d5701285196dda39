"""Asks again what elicited the most important inventions, to see how often they come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Hallucination, Prompt
from ghostbust.store import Store


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

    Ends where another prompt would be one too many; a name whose prompt is asked anyway comes
    along for nothing.
    """
    own = {prompt.id: prompt for prompt in first_prompts(tasks)}
    chosen: dict[str, Prompt] = {}
    taken, textless = [], 0
    for name in names:
        ids = store.repeats.prompts_of(name.ecosystem, name.name)
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
