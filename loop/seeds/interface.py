"""What a source of tasks is."""

from __future__ import annotations

from typing import Protocol

from ghostbust.prompts import Task


class Source(Protocol):
    """Somewhere that tasks come from."""

    def tasks(self, seed: int) -> list[Task]:
        """Tasks to begin with; another seed may give others. None where it has none.

        A source that has to ask somebody and can't gives none, and says so in the log: a watch
        doesn't wait for it.
        """
