"""Runs of several models on the very same prompts, found in the store by what they asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from ghostbust.store import Run, RunStatus, Store

Sampled = frozenset[tuple[str, int]]
"""prompt id and number of every sample of a run"""


class Asked:
    """What each run asked, read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, Sampled] = {}

    def of(self, run: Run) -> Sampled:
        """What the run asked."""
        if run.id not in self._known:
            self._known[run.id] = frozenset(self._store.answers.sampled_keys(run.id))
        return self._known[run.id]


def newest_together(
    store: Store, adapters: Sequence[str | None], *, model: str
) -> tuple[Run, ...] | None:
    """The newest finished run of each adapter (None: the base) that asked the same, in that order.

    The same prompts, as often, at the same temperature and other settings of the sampling. None
    where there are none.
    """
    runs = [
        run
        for run in store.runs.recent(-1)
        if run.status is RunStatus.DONE and run.spec.model == model
    ]
    asked = Asked(store)
    first, *others = [[run for run in runs if run.spec.adapter == name] for name in adapters]
    for one in first:
        if not asked.of(one):
            continue
        same = [[run for run in several if _alike(asked, one, run)] for several in others]
        for combined in product(*same):
            return (one, *combined)
    return None


def before_of(store: Store, after: Run) -> Run | None:
    """The newest finished run of the base that asked what a later run asked; None without one."""
    asked = Asked(store)
    for run in store.runs.recent(-1):
        if (
            run.id < after.id
            and run.status is RunStatus.DONE
            and (run.spec.model, run.spec.adapter) == (after.spec.model, None)
            and _alike(asked, after, run)
        ):
            return run
    return None


def _alike(asked: Asked, one: Run, other: Run) -> bool:
    """Whether they asked the same prompts in the same way; seeds may differ."""
    return _sampling(one) == _sampling(other) and asked.of(one) == asked.of(other)


def _sampling(run: Run) -> dict[str, object]:
    """How the run sampled. Not what it was asked first, which differs where code is quoted."""
    return {
        name: run.spec.settings.get(name)
        for name in ("temperature", "top_k", "top_p", "max_new_tokens", "samples_per_prompt")
    }
