"""The tasks that the settings give: the user's own files, or else the shipped ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ghostbust.prompts import Task


@dataclass(frozen=True)
class GivenTasks:
    """Tasks that were read already (``parts.make_tasks``)."""

    given: Sequence[Task]

    def tasks(self, seed: int) -> list[Task]:
        """All of them, whatever the seed."""
        del seed
        return list(self.given)
