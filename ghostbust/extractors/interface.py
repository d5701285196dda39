"""What every extractor back-end looks like, and the languages a block of code can have."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from ghostbust.records import PackageRef


class Language(StrEnum):
    """What the text to extract from is written in."""

    AUTO = "auto"
    """prose with code in it: read the fences, and look at what they hold"""
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    SHELL = "shell"


class Extractor(Protocol):
    """Finds package refs of some kinds in one slice of an answer. Holds no state, never raises."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """The refs in ``text``, with spans in the answer that holds it at ``offset``.

        Order doesn't matter, and a span may come twice: the caller sorts and drops repeats,
        the first one stays. Flags that need the whole answer or the prompt are the caller's.
        """
        ...
