"""An answer cut by verdict and by mask, and a round's figures: nothing invented stands in full."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from ghostbust.dashboard.details import (
    MASK_STYLES,
    STYLES,
    AnswerView,
    Flips,
    answer_text,
    by_token,
    by_verdict,
    flips,
    prompt_text,
    read_answer,
    read_figures,
)
from ghostbust.home import Home
from ghostbust.measure import NameCounts
from ghostbust.records import Context, Verdict
from ghostbust.store.prompts import PromptOrder
from ghostbust.store.rounds import RoundState
from ghostbust.store.tallies import SampleTally
from ghostbust.text import visible
from tests.dashboard.board import Filler, naming, printed

A, R = Verdict.ABSENT, Verdict.REAL
TEXT = "pip install ghost-kit requests # [red]ghost\x1b[2J"


ONE = naming({"ghost-kit": A, "requests": R}, TEXT)


def styled(text: Text) -> list[tuple[str, object]]:
    return [(text.plain[span.start : span.end], span.style) for span in text.spans]


def test_each_ref_has_its_verdicts_style_and_invented_names_are_redacted() -> None:
    shown = by_verdict(ONE, str, reveal=False)
    assert shown.plain == "pip install gho…(9) requests # [red]ghost\\x1b[2J"
    assert styled(shown) == [("gho…(9)", STYLES[A]), ("requests", STYLES[R])]
    assert by_verdict(ONE, str, reveal=True).plain == visible(TEXT)


def test_tokens_have_their_masks_style() -> None:
    marks = [(0, 11, 0), (11, 17, 2), (17, 21, 2), (21, 30, 1), (30, len(TEXT), 0)]
    assert styled(by_token(ONE, marks, str, reveal=False)) == [
        (" ", MASK_STYLES[2]), ("gho…(9)", MASK_STYLES[2]), (" requests", MASK_STYLES[1]),
    ]  # fmt: skip


@given(st.data())
def test_however_tokens_lie_the_text_stays_and_the_name_is_hidden(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(TEXT) - 1))))
    edges = [0, *cuts, len(TEXT)]
    marks = [(a, b, data.draw(st.sampled_from([0, 1, 2]))) for a, b in pairwise(edges)]

    assert by_token(ONE, marks, str, reveal=True).plain == visible(TEXT)
    hidden = by_token(ONE, marks, str, reveal=False).plain
    assert hidden == visible(TEXT).replace("ghost-kit", "gho…(9)")


def test_overlapping_refs_are_shown_once() -> None:
    twice = naming({"ghost-kit": A, "ghost": R}, "pip install ghost-kit")
    assert by_verdict(twice, str, reveal=True).plain == "pip install ghost-kit"


@pytest.mark.parametrize("masked", [False, True])
def test_nothing_in_an_answer_is_obeyed(masked: bool) -> None:
    hide = by_verdict(ONE, str, reveal=False)
    view = AnswerView(ONE, "[b]do\x1b[2J it[/b]\nnow", hide, None, False)
    shown = printed(answer_text(view, masked=masked))

    assert "\x1b" not in shown
    assert "[b]do\\x1b[2J it[/b]\nnow" in shown
    assert "# [red]ghost\\x1b[2J" in shown
    assert "ABSENT   gho…(9)" in shown
    assert ("no mask" in shown) is masked


def test_an_answer_and_its_prompt_are_redacted_unless_revealed(home: Home, filler: Filler) -> None:
    filler.judged(None, {"why zz-ghost?": {"zz-ghost": A, "numpy": R}})
    with filler.store() as store:
        (line,) = store.answers.page(invented=True, name=None, limit=9, offset=0)
        hidden = read_answer(store, line.sample_id, reveal=False)
        shown = read_answer(store, line.sample_id, reveal=True)

    assert hidden is not None
    assert shown is not None
    assert "zz-ghost" not in hidden.prompt + hidden.judged.plain
    assert shown.prompt == "why zz-ghost?"


@pytest.mark.parametrize(
    ("changes", "hidden", "revealed"),
    [
        ({}, "our secret", "our secret"),
        ({"private": True}, "(private; v shows it)", "our secret"),
        ({"text": None}, "(not kept)", "(not kept)"),
    ],
)
def test_private_prompts_are_shown_only_where_revealed(
    home: Home, filler: Filler, changes: dict[str, Any], hidden: str, revealed: str
) -> None:
    filler.judged(None, {"our secret": {"numpy": R}})
    with filler.store() as store:
        (line,) = store.prompts.page(order=PromptOrder.PAID, limit=9, offset=0)
        line = replace(line, **changes)
        assert prompt_text(store, line, reveal=False) == hidden
        assert prompt_text(store, line, reveal=True) == hidden, "names are another matter"
        assert prompt_text(store, line, reveal=True, private=True) == revealed


def tally(prompt: str, invented: int, number: int = 0) -> SampleTally:
    return SampleTally(
        prompt, "family", Context.CODE, NameCounts(1, 1, invented), frozenset(), number
    )


def test_flips_compare_the_same_prompt_and_number_only() -> None:
    base = [tally("a", 1), tally("a", 0, 1), tally("b", 2), tally("c", 0), tally("only base", 1)]
    candidate = [tally("c", 0), tally("b", 1), tally("a", 1, 1), tally("a", 0), tally("other", 1)]

    assert flips(base, candidate) == Flips(cured=("a",), broken=("a",), both=1, neither=1)


def test_figures_of_a_round_that_was_judged(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING, losses=(2.0, 1.5, 1.25))
    filler.judged(None, {"one": {"zz-a": A, "numpy": R}, "two": {"numpy": R}})
    filler.judged(name, {"one": {"numpy": R}, "two": {"zz-b": A, "numpy": R}})
    with filler.store() as store:
        figures = read_figures(store, store.rounds.get(1))

    assert figures.losses == (2.0, 1.5, 1.25)
    assert figures.missing == ""
    assert [run for run, _ in figures.rates] == ["base", name]
    assert figures.flips is not None
    assert (len(figures.flips.cured), len(figures.flips.broken)) == (1, 1)


def test_a_round_that_was_not_judged_says_what_is_missing(home: Home, filler: Filler) -> None:
    filler.round(RoundState.REJECTED)
    with filler.store() as store:
        figures = read_figures(store, store.rounds.get(1))

    assert (figures.losses, figures.rates, figures.flips) == ((), (), None)
    assert figures.missing == "Its manifest has no losses."
