"""Which tasks are so much alike that asking both tells nothing new.

Tasks are compared as sets of words (Jaccard). `Known` finds every near-duplicate exactly, without
comparing with all: two sets that are alike share one of their few first words in any fixed order
of words (the prefix filter of set-similarity joins), so long words come first, being rare.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

TOO_ALIKE: Final = 0.8
"""Jaccard index of the word sets above which two tasks count as one"""
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """True where two word sets are so much the same that asking both tells nothing new."""
    union = len(one | other)
    return union == 0 or len(one & other) / union > TOO_ALIKE


class Known:
    """Tasks that are known, by their words."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._by_word: dict[str, list[frozenset[str]]] = defaultdict(list)
        self._empty = False
        for text in dict.fromkeys(texts):
            self.add(text)

    def add(self, text: str) -> None:
        """One more task."""
        own = words(text)
        self._empty = self._empty or not own
        for word in _first_words(own):
            self._by_word[word].append(own)

    def has_like(self, text: str) -> bool:
        """True where a known task is alike."""
        own = words(text)
        if not own:
            return self._empty
        return any(alike(own, other) for word in _first_words(own) for other in self._by_word[word])


def _first_words(own: frozenset[str]) -> list[str]:
    """So many words that any set alike shares one of its own first words with them."""
    ordered = sorted(own, key=lambda word: (-len(word), word))
    return ordered[: len(own) - math.ceil(TOO_ALIKE * len(own)) + 1]
