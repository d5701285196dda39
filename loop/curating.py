"""What a person does to the pool of prompts: add to it, and take out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ghostbust.loop.pool import is_retired
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Prompt
from ghostbust.store import PoolPrompt, Store


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which prompts to take out: those that meet one of the first three, and all of the others."""

    never_asked: bool = False
    retired: bool = False
    """paid once, and not in its last `PATIENCE` samples"""
    paid_nothing: int | None = None
    """none of its samples, at least so many, named an invention; None: doesn't count"""
    older_than_days: float | None = None
    """added before; None: however new"""
    operator: str | None = None
    """made by this rewriting; None: by any, or none"""

    @property
    def empty(self) -> bool:
        """True where every prompt would meet them."""
        return self == Criteria()


def meets(prompt: PoolPrompt, criteria: Criteria, now: datetime) -> bool:
    """True where the prompt is in the pool and the criteria take it out."""
    paid = prompt.invented_names > 0
    why = [
        criteria.never_asked and not prompt.samples,
        criteria.retired and is_retired(ever_paid=paid, quiet=prompt.quiet),
        criteria.paid_nothing is not None
        and not paid
        and prompt.samples >= max(1, criteria.paid_nothing),
    ]
    asked_for = criteria.never_asked or criteria.retired or criteria.paid_nothing is not None
    days = criteria.older_than_days
    return (
        prompt.pruned is None
        and (any(why) or not asked_for)
        and (days is None or prompt.added < now - timedelta(days=days))
        and (criteria.operator is None or prompt.operator == criteria.operator)
    )


def prune(store: Store, prompts: Iterable[PoolPrompt]) -> tuple[int, int]:
    """Takes them out; how many were deleted, and how many are only marked (`store.prompt_pool`)."""
    return store.prompt_pool.prune(prompt.prompt_id for prompt in prompts)


def add_tasks(store: Store, tasks: Sequence[Task]) -> tuple[list[Prompt], int]:
    """Puts each task's prompts into the pool; all of them, and how many weren't in it before.

    What was taken out comes back. A store that keeps private texts is needed: what has none can't
    be asked.
    """
    prompts = list(first_prompts(tasks))
    ids = {prompt.id for prompt in prompts}
    known = {row.prompt_id for row in store.prompt_pool.read() if row.text is not None}
    new = ids - known
    store.prompts.add(prompts)
    return prompts, len(new) + store.prompt_pool.bring_back(ids - new)
