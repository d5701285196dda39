"""Where tasks come from: given by the user, or asked of a registry."""

from __future__ import annotations

from collections.abc import Iterable

from ghostbust.loop.seeds.described import DescribedPackages
from ghostbust.loop.seeds.given import GivenTasks
from ghostbust.loop.seeds.interface import Source
from ghostbust.prompts import Task

__all__ = ["DescribedPackages", "GivenTasks", "Source", "gathered"]


def gathered(sources: Iterable[Source], seed: int) -> list[Task]:
    """The tasks of all sources, in order; of one family the first source's."""
    found: dict[str, Task] = {}
    for source in sources:
        for task in source.tasks(seed):
            found.setdefault(task.id, task)
    return list(found.values())
