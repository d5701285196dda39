"""The popular names that look like a made-up one, which may have been meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.snapshot import POPULAR, Snapshot

_SHORT = 4
"""names of up to so many letters are compared within one edit, longer ones within two"""
_LONG = 8
"""in names of more letters than this an edit costs less"""
_LEAST_SHARE = 0.5
"""of the letters of a name that a shorter name in it must have"""
# Words that change nothing about what is meant.
_AFFIXES = frozenset(
    """api client core js lib library node package py python python3 sdk tool tools utils
    wrapper""".split()  # noqa: SIM905
)


class NearestNames:
    """Popular names of a snapshot that look like a given one. Knows no meaning, only letters.

    Names are compared letter by letter (`within`) and word by word. Near a decoy, the package that
    it stands in for is given. Names of an npm scope are compared within it. Takes some 50 ms to
    make, and some milliseconds a name.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        popular = snapshot.popular(POPULAR)
        self._rank = {name: rank for rank, name in enumerate(popular)}
        self._meant = {
            row.name: row.other
            for row in snapshot.notes
            if row.reason is SuspectReason.DECOY and row.rank and row.other in self._rank
        }
        self._by_scope: dict[str, list[str]] = defaultdict(list)
        self._by_word: dict[tuple[str, str], list[str]] = defaultdict(list)
        # Decoys are compared too: a slip near one means the package that it stands in for.
        for name in [*popular, *self._meant]:
            scope, bare = _split(name)
            self._by_scope[scope].append(bare)
            for word in {*_words(bare), bare.replace("-", "")}:
                self._by_word[scope, word].append(bare)

    def of(self, name: str, n: int = 3) -> list[str]:
        """At most ``n`` names, likest first, more popular first among equals."""
        scope, bare = _split(name)
        costs: dict[str, float] = {}
        bares = self._by_scope.get(scope, ())
        near = chain(_by_letters(bare, bares, 1), self._by_words(scope, bare))
        for rivals in (near, _by_letters(bare, bares, 2 if len(bare) > _SHORT else 1)):
            if any(cost <= 1 for cost in costs.values()):
                break  # so near that nothing further away is meant
            for other, cost in rivals:
                whole = self._meant.get(f"{scope}{other}", f"{scope}{other}")
                if whole != name:
                    costs[whole] = min(cost, costs.get(whole, cost))
        return sorted(costs, key=lambda other: (costs[other], self._rank[other]))[:n]

    def _by_words(self, scope: str, bare: str) -> Iterator[tuple[str, float]]:
        """Names with the same words, with more, or with fewer that still make up most of it."""
        words = _words(bare)
        joined = bare.replace("-", "")
        rivals = {
            other for word in {*words, joined} for other in self._by_word.get((scope, word), ())
        }
        for other in rivals:
            theirs = _words(other)
            more, less = theirs - words, words - theirs
            if other.replace("-", "") == joined or (not more and not less):
                yield other, 0.5
            elif not less:
                yield other, 0.8 + _cost(more)
            elif not more and _letters(theirs) >= _LEAST_SHARE * _letters(words - _AFFIXES):
                yield other, 0.8 + _cost(less)


def nearest_names(
    snapshots: Mapping[Ecosystem, Snapshot], lookups: Iterable[Lookup]
) -> dict[tuple[str, str], list[str]]:
    """For each absent name, by ecosystem and name, the popular names that look like it."""
    absent = {(one.ecosystem, one.name): one for one in lookups if one.verdict is Verdict.ABSENT}
    known = {
        ecosystem: NearestNames(snapshots[ecosystem])
        for ecosystem in {one.ecosystem for one in absent.values()}
        if ecosystem in snapshots
    }
    return {
        key: known[one.ecosystem].of(one.name)
        for key, one in absent.items()
        if one.ecosystem in known
    }


def within(word: str, words: Sequence[str], limit: int) -> Iterator[tuple[str, int]]:
    """The words at most ``limit`` edits away, each with its number of edits.

    An edit is a letter added, left out or changed, or two neighbours swapped (optimal string
    alignment).
    """
    from rapidfuzz import process  # not where every name is real
    from rapidfuzz.distance import OSA

    near = process.extract(word, words, scorer=OSA.distance, score_cutoff=limit, limit=None)
    return ((other, int(edits)) for other, edits, _ in near)


def _by_letters(bare: str, names: Sequence[str], limit: int) -> Iterator[tuple[str, float]]:
    """Names within so many edits, with their costs."""
    weight = 1.0 if len(bare) <= _LONG else 0.8
    return ((other, weight * edits) for other, edits in within(bare, names, limit))


def _split(name: str) -> tuple[str, str]:
    """The npm scope with its slash, empty for none, and the bare name in lower case."""
    scope, slash, bare = name.rpartition("/")
    return scope + slash, bare if slash else bare.lower()


def _words(bare: str) -> frozenset[str]:
    return frozenset(word for word in bare.replace("_", "-").replace(".", "-").split("-") if word)


def _cost(words: Iterable[str]) -> float:
    """The cost of adding the words, or leaving them out."""
    return sum(0.1 if word in _AFFIXES else 1.0 for word in words)


def _letters(words: Iterable[str]) -> int:
    return sum(map(len, words))
