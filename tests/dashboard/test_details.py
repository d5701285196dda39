"""What is read of the one row under the cursor, and what of it stays hidden."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ghostbust.dashboard.details import Details
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Verdict
from ghostbust.store.prompts import PromptOrder
from ghostbust.store.rounds import RoundState

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler


def test_an_answer_and_its_prompt_are_redacted_unless_revealed(home: Home, filler: Filler) -> None:
    filler.judged(None, {"why zz-ghost?": {"zz-ghost": Verdict.ABSENT, "numpy": Verdict.REAL}})
    details = Details(home)
    with filler.store() as store:
        (line,) = store.answers.page(invented=True, name=None, limit=9, offset=0)
        hidden = details.answer(store, line.sample_id, reveal=False)
        shown = details.answer(store, line.sample_id, reveal=True)
        assert details.answer(store, None, reveal=True) is None
        assert details.answer(store, "no-such-answer", reveal=True) is None

    assert hidden is not None
    assert shown is not None
    assert "zz-ghost" not in hidden.prompt + "".join(str(piece) for piece in hidden.pieces)
    assert shown.prompt == "why zz-ghost?"


def test_private_prompts_are_shown_only_where_revealed(home: Home, filler: Filler) -> None:
    filler.judged(None, {"our secret": {"numpy": Verdict.REAL}})
    details = Details(home)
    with filler.store() as store:
        (line,) = store.prompts.page(order=PromptOrder.PAID, limit=9, offset=0)
        private, gone = replace(line, private=True), replace(line, text=None)
        hidden = details.texts(store, [line, private, gone], reveal=False)
        shown = details.texts(store, [line, private, gone], reveal=True)

    assert [t for _, t in hidden] == ["our secret", "(private; v shows it)", "(not kept)"]
    assert [t for _, t in shown] == ["our secret", "our secret", "(not kept)"]


def test_figures_are_of_the_newest_round_unless_another_is_chosen(
    home: Home, filler: Filler
) -> None:
    details = Details(home)
    with filler.store() as store:
        assert details.figures(store, None) is None
    filler.round(RoundState.REJECTED, losses=(2.0, 1.0))
    filler.round(RoundState.WAITING, losses=(3.0, 2.5))
    with filler.store() as store:
        newest, first = details.figures(store, None), details.figures(store, 1)
        assert details.figures(store, 1) is first, "kept for the next second"
    assert newest is not None
    assert first is not None
    assert (newest.losses, first.losses) == ((3.0, 2.5), (2.0, 1.0))


def test_without_a_home_no_real_name_is_near() -> None:
    assert Details(None).nearest((Ecosystem.PYPI, "numpyy")) == ()
