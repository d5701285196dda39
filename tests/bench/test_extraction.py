"""Scores: what counts as found, missed, false, near, named."""

from __future__ import annotations

import math
from collections.abc import Callable

from ghostbust.bench.corpus import Snippet, snippets_of
from ghostbust.bench.extraction import ALL, Score, Tally, find_all, score
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

CORPUS = """
======== one
import «a1»
import «b1|other»
pip install «+c1»
======== two expect-list
- «*d1»
"""
SNIPPETS = list(snippets_of(CORPUS, "python"))
FLAGGED = frozenset({Flag.OPTIONAL})


def ref(text: str, raw: str, kind: RefKind = RefKind.IMPORT, **said: object) -> PackageRef:
    start = text.index(raw)
    name = said.get("name", raw)
    flags = said.get("flags", frozenset())
    assert name is None or isinstance(name, str)
    assert isinstance(flags, frozenset)
    return PackageRef(Ecosystem.PYPI, kind, raw, start, start + len(raw), name, flags=flags)


def scored(find: Callable[[str], list[PackageRef]]) -> Score:
    return score(SNIPPETS[:1], lambda snippet: find(snippet.text))


def whats(result: Score) -> list[tuple[str, str]]:
    return [(item.what, item.raw) for item in result.disagreements]


def test_all_right() -> None:
    result = scored(
        lambda text: [
            ref(text, "a1"), ref(text, "b1", name="other"), ref(text, "c1", RefKind.INSTALL),
        ]
    )  # fmt: skip
    assert result.tally() == Tally(expected=3, given=3, found=3, near=0, named=3, flagged=3)
    assert result.tally("python", "import").expected == 2
    assert (result.tally().f1, result.disagreements) == (1.0, [])


def test_a_miss_and_a_false_alarm() -> None:
    result = scored(lambda text: [ref(text, "a1"), ref(text, "install", RefKind.INSTALL)])
    tally = result.tally()
    assert (tally.precision, tally.recall, tally.exact_spans) == (1 / 2, 1 / 3, 1.0)
    assert whats(result) == [("missed", "b1"), ("missed", "c1"), ("false-alarm", "install")]


def test_a_wrong_span_is_near_and_both_a_miss_and_a_false_alarm() -> None:
    result = scored(lambda text: [ref(text, "a1\n")])
    assert result.tally() == Tally(expected=3, given=1, found=0, near=1)
    assert result.tally().exact_spans == 0.0


def test_a_wrong_kind_is_no_near_miss() -> None:
    result = scored(lambda text: [ref(text, "c1", RefKind.IMPORT)])
    assert (result.tally().found, result.tally().near) == (0, 0)
    assert result.tally("python", "import").given == 1


def test_names_and_flags_are_counted_apart() -> None:
    result = scored(lambda text: [ref(text, "a1", flags=FLAGGED), ref(text, "b1")])
    tally = result.tally()
    assert (tally.found, tally.named, tally.flagged) == (2, 1, 1)
    assert whats(result)[:2] == [("flags", "a1"), ("name", "b1")]


def test_nothing_to_count_is_no_rate() -> None:
    tally = score([]).tally()
    assert tally == Tally()
    assert all(math.isnan(rate) for rate in (tally.precision, tally.recall, tally.f1))


def test_groups_and_kinds_add_up() -> None:
    result = score(SNIPPETS, lambda snippet: [])
    assert result.snippets == {"python": 2}
    assert result.tally(ALL, "list").expected == 1
    assert result.tally("python", ALL).expected == 4


def found(header: str, text: str) -> list[str]:
    (snippet,) = snippets_of(f"======== x {header}\n{text}\n", "g")
    assert isinstance(snippet, Snippet)
    return [found.raw for found in find_all(snippet)]


def test_the_extractor_is_called_as_the_snippet_says() -> None:
    assert found("", "- httpx") == []
    assert found("expect-list", "- httpx") == ["httpx"]
    assert found("language=shell", "pip install then") == ["then"]
    assert found("language=python", "import os, httpx") == ["httpx"]
    assert found("language=python all", "import os, httpx") == ["os", "httpx"]


def test_a_listed_built_in_is_no_built_in_import() -> None:
    assert found("expect-list", "- os\n- httpx") == ["os", "httpx"]
