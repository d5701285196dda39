"""The real names that a made-up one may have been meant for."""

from __future__ import annotations

import difflib
from collections import defaultdict

from ghostbust.registries.snapshot import Snapshot

POPULAR = 15_000
"""how many of the most downloaded names are compared"""
LIKENESS = 0.75
"""least similarity, by ``difflib.SequenceMatcher.ratio``"""
_SAME_START = 1


class NearestNames:
    """Popular names of a snapshot that look like a given one. Knows no meaning, only letters."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._by_start: dict[str, list[str]] = defaultdict(list)
        for name in snapshot.popular(POPULAR):
            self._by_start[_start(name)].append(name)

    def of(self, name: str, n: int = 3) -> list[str]:
        """At most ``n`` names, likest first, more popular first among equals; some 5 ms.

        Compares only names that begin with the same letter, or are of the same scope.
        """
        rivals = [other for other in self._by_start.get(_start(name), []) if other != name]
        return difflib.get_close_matches(name, rivals, n, LIKENESS)


def _start(name: str) -> str:
    """What two names must share to be compared: an npm scope, or the first letter."""
    scope, slash, _ = name.partition("/")
    return scope if slash else name[:_SAME_START].lower()
