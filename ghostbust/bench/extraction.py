"""Scores the extractor on a labelled corpus: precision, recall, spans, names, flags.

A ref counts as found if ecosystem, kind and span agree. Whether its name and its flags agree is
counted apart, among those that are found. A near miss (right ecosystem and kind, a span that
overlaps the right one) is a miss and a false alarm, and is what makes spans less than exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ghostbust.bench.corpus import Expected, Snippet
from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.records import Ecosystem, PackageRef, RefKind

Find = Callable[[Snippet], Iterable[PackageRef]]
ALL = "all"
"""stands for every group, or for every kind of a group"""


@dataclass(slots=True)
class Tally:
    """Counts of one group and kind; rates are in [0, 1], NaN where nothing was there to count."""

    expected: int = 0
    given: int = 0
    """refs that the extractor returned"""
    found: int = 0
    """refs that were expected and returned, with the right ecosystem, kind and span"""
    near: int = 0
    """refs that were expected and returned, but for the span, which overlaps the right one"""
    named: int = 0
    """found ones whose distribution name agrees, and the import name where the corpus has it"""
    flagged: int = 0
    """found ones whose flags agree"""

    @property
    def precision(self) -> float:
        return _share(self.found, self.given)

    @property
    def recall(self) -> float:
        return _share(self.found, self.expected)

    @property
    def f1(self) -> float:
        return _share(2 * self.found, self.given + self.expected)

    @property
    def exact_spans(self) -> float:
        return _share(self.found, self.found + self.near)

    @property
    def names(self) -> float:
        return _share(self.named, self.found)

    @property
    def flags(self) -> float:
        return _share(self.flagged, self.found)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One place at which extractor and corpus differ."""

    snippet: str
    what: str
    """``missed``, ``false-alarm``, ``name`` or ``flags``"""
    ecosystem: str
    kind: RefKind
    raw: str
    start: int
    """offset in the snippet's text, in code points"""
    detail: str
    """what was expected and what was given, for ``name`` and ``flags``; else the line around it"""


@dataclass(slots=True)
class Score:
    """The figures of a whole corpus."""

    snippets: dict[str, int] = field(default_factory=dict)
    """number of snippets by group"""
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """by group and kind, either of which may be ``ALL``"""
    disagreements: list[Disagreement] = field(default_factory=list)

    def tally(self, group: str = ALL, kind: str = ALL) -> Tally:
        """The counts of a group and kind; zeros where the corpus has none."""
        return self.tallies.get((group, kind), Tally())


def find_all(snippet: Snippet) -> list[PackageRef]:
    """What ``ghostbust extract`` would list for a snippet."""
    refs = extract(
        snippet.text,
        language=Language(snippet.language),
        expect_list=snippet.expect_list,
        truncated=snippet.truncated,
        prompt_text=snippet.prompt,
        ecosystem=Ecosystem(snippet.ecosystem) if snippet.ecosystem else None,
    )
    return [
        ref for ref in refs if snippet.builtins or not (ref.builtin and ref.kind is RefKind.IMPORT)
    ]


def score(snippets: Iterable[Snippet], find: Find = find_all) -> Score:
    """Compares what ``find`` gives for each snippet with what the corpus expects."""
    result = Score()
    for snippet in snippets:
        result.snippets[snippet.group] = result.snippets.get(snippet.group, 0) + 1
        _compare(snippet, list(find(snippet)), result)
    return result


def _compare(snippet: Snippet, refs: list[PackageRef], result: Score) -> None:
    """Adds one snippet to the counts and disagreements."""
    given = {_place(ref): ref for ref in refs}
    expected = {_place(item): item for item in snippet.expected}
    for place, item in expected.items():
        tallies = _tallies(result, snippet.group, item.kind)
        ref = given.get(place)
        near = ref is None and any(_overlap(place, other) for other in given if other != place)
        for tally in tallies:
            tally.expected += 1
            tally.near += near
            if ref is not None:
                tally.found += 1
                tally.named += _same_name(item, ref)
                tally.flagged += item.flags == ref.flags
        if ref is None:
            result.disagreements.append(_differs(snippet, "missed", item, _line(snippet, item)))
            continue
        if not _same_name(item, ref):
            detail = f"{item.name} {item.module or ''} / {ref.name} {ref.import_name or ''}"
            result.disagreements.append(_differs(snippet, "name", item, detail))
        if item.flags != ref.flags:
            detail = f"{' '.join(sorted(item.flags))} / {' '.join(sorted(ref.flags))}"
            result.disagreements.append(_differs(snippet, "flags", item, detail))
    for ref in refs:
        for tally in _tallies(result, snippet.group, ref.kind):
            tally.given += 1
        if _place(ref) not in expected:
            result.disagreements.append(_differs(snippet, "false-alarm", ref, _line(snippet, ref)))


def _tallies(result: Score, group: str, kind: str) -> list[Tally]:
    keys = [(group, kind), (group, ALL), (ALL, kind), (ALL, ALL)]
    return [result.tallies.setdefault(key, Tally()) for key in keys]


def _place(item: Expected | PackageRef) -> tuple[str, str, int, int]:
    return str(item.ecosystem), str(item.kind), item.start, item.end


def _overlap(one: tuple[str, str, int, int], other: tuple[str, str, int, int]) -> bool:
    return one[:2] == other[:2] and one[2] < other[3] and other[2] < one[3]


def _same_name(item: Expected, ref: PackageRef) -> bool:
    return item.name == ref.name and item.module in (None, ref.import_name)


def _differs(snippet: Snippet, what: str, item: Expected | PackageRef, detail: str) -> Disagreement:
    raw = snippet.text[item.start : item.end]
    return Disagreement(
        snippet.id, what, str(item.ecosystem), item.kind, raw, item.start, detail.strip()
    )


def _line(snippet: Snippet, item: Expected | PackageRef) -> str:
    """The line of the text in which an item stands."""
    start = snippet.text.rfind("\n", 0, item.start) + 1
    end = snippet.text.find("\n", item.end)
    return snippet.text[start : end if end >= 0 else None]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
