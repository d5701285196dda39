"""The extractor against the labelled corpus, which was written by the conventions, not by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.evaluation.extraction import Score, read_corpus, score

CORPUS = Path(__file__).parents[1] / "assets" / "corpus"
SNIPPETS = read_corpus(CORPUS)
PRECISION, RECALL, NAMES = 0.99, 0.98, 0.98
GROUPS = ("python", "javascript", "shell", "list", "manifest", "prose", "mixed")


@pytest.fixture(scope="module")
def scored() -> Score:
    return score(SNIPPETS)


def told(result: Score, group: str, what: str) -> str:
    """The disagreements of one sort in a group, for the message of a failed test."""
    ids = {snippet.id for snippet in SNIPPETS if snippet.group == group}
    return "\n".join(
        f"{item.snippet}: {item.what} {item.raw!r}: {item.detail}"
        for item in result.disagreements
        if item.snippet in ids and item.what == what
    )


@pytest.mark.parametrize("group", GROUPS)
def test_precision(scored: Score, group: str) -> None:
    assert scored.tally(group).precision >= PRECISION, told(scored, group, "false-alarm")


@pytest.mark.parametrize("group", GROUPS)
def test_recall(scored: Score, group: str) -> None:
    assert scored.tally(group).recall >= RECALL, told(scored, group, "missed")


def test_spans_are_exact(scored: Score) -> None:
    assert scored.tally().exact_spans == 1.0


@pytest.mark.parametrize("group", ["python", "list"])
def test_flags_agree(scored: Score, group: str) -> None:
    assert scored.tally(group).flags == 1.0, told(scored, group, "flags")


@pytest.mark.parametrize("group", ["python", "list"])
def test_names_agree(scored: Score, group: str) -> None:
    assert scored.tally(group).names >= NAMES, told(scored, group, "name")


def test_the_corpus_is_large_and_varied() -> None:
    assert len(SNIPPETS) >= 600
    assert len({snippet.text for snippet in SNIPPETS}) == len(SNIPPETS)
    groups = {snippet.group for snippet in SNIPPETS}
    assert groups == set(GROUPS)
    empty = [snippet for snippet in SNIPPETS if not snippet.expected]
    assert len(empty) >= 60, "too few answers without any package"
