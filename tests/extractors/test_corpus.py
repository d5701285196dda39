"""The reader against labelled texts: the corpus, and rows that are each for one rule.

The corpus was written by the conventions, not by the reader, and a few of its labels are still out
of reach; its scores are published. The rows hold what the reader must never lose again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.evaluation.extraction import CorpusScore, read_corpus, score
from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language

ASSETS = Path(__file__).parents[1] / "assets"
SNIPPETS = read_corpus(ASSETS / "corpus")
ROWS = read_corpus(ASSETS / "rows")
PRECISION, RECALL, NAMES = 0.99, 0.98, 0.98
GROUPS = ("python", "javascript", "shell", "list", "manifest", "prose", "mixed")


@pytest.fixture(scope="module")
def scored() -> CorpusScore:
    return score(SNIPPETS)


def disagreements(result: CorpusScore, group: str = "", what: str = "") -> str:
    """Those of one group and sort, or all, for the message of a failed test."""
    ids = {snippet.id for snippet in (*SNIPPETS, *ROWS) if group in ("", snippet.group)}
    return "\n".join(
        f"{item.snippet}: {item.what} {item.raw!r}: {item.detail}"
        for item in result.disagreements
        if item.snippet in ids and what in ("", item.what)
    )


def test_every_row_is_read_as_it_says() -> None:
    assert disagreements(score(ROWS)) == ""


def test_line_ends_of_windows_change_no_row() -> None:
    for row in ROWS:
        texts = (row.text, row.text.replace("\n", "\r\n"))
        plain, windows = (
            [
                ref.raw
                for ref in extract(
                    text, language=Language(row.language), expect_list=row.expect_list
                )
            ]
            for text in texts
        )
        assert plain == windows, row.id


@pytest.mark.parametrize("group", GROUPS)
def test_the_corpus_is_read(scored: CorpusScore, group: str) -> None:
    tally = scored.tally(group)
    assert tally.precision >= PRECISION, disagreements(scored, group, "false-alarm")
    assert tally.recall >= RECALL, disagreements(scored, group, "missed")
    assert tally.exact_spans == 1.0
    assert tally.flags == 1.0, disagreements(scored, group, "flags")
    assert tally.names >= NAMES, disagreements(scored, group, "name")


def test_the_corpus_is_large_and_varied() -> None:
    assert len(SNIPPETS) >= 600
    assert len({snippet.text for snippet in SNIPPETS}) == len(SNIPPETS)
    assert {snippet.group for snippet in SNIPPETS} == set(GROUPS)
    empty = [snippet for snippet in SNIPPETS if not snippet.expected]
    assert len(empty) >= 60, "too few answers without any package"
