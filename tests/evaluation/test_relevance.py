"""The lift of names by hand, with a base whose probabilities are written down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from ghostbust.evaluation.figures import AGAIN, BASE
from ghostbust.evaluation.relevance import LEAD, measure_lifts, relevance
from ghostbust.records import Answer, Context, Prompt, Score

MakeAnswer = Callable[..., Answer]
FAMOUS, WRONG = "numpy", "flask"


class WrittenDown:
    """A base that finds its own family's package likely, others unlikely, and the famous one
    likely everywhere.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, frozenset[str]]] = []

    def score_behind(self, prompt: Prompt, lead: str, tails: Sequence[str]) -> list[Score]:
        assert lead == LEAD
        assert all(tail == f" {tail.strip()}\n" for tail in tails)
        names = [tail.strip() for tail in tails]
        self.asked.append((prompt.id, frozenset(names)))
        own = f"for-{prompt.family}"
        odds = [0.5 if n == FAMOUS else 0.4 if n == own else 0.01 for n in names]
        return [Score(-math.log(p), 2) for p in odds]


def answers(make: MakeAnswer, name: Callable[[int], str], **more: object) -> list[Answer]:
    return [make(family, name(family), **more) for family in range(12)]


def fitting(family: int) -> str:
    return f"for-family-{family:03d}"


def test_a_fitting_name_has_a_lift_and_a_famous_one_none(make_answer: MakeAnswer) -> None:
    models = {
        BASE: answers(make_answer, fitting),
        AGAIN: answers(make_answer, fitting),
        "famous": answers(make_answer, lambda _: FAMOUS),
        "of another": answers(make_answer, lambda family: fitting((family + 1) % 12)),
        "both": answers(make_answer, lambda family: f"{fitting(family)} {FAMOUS}"),
        "silent": answers(make_answer, lambda _: "", invented="zz-ghost"),
    }
    found = {one.model: one for one in relevance(WrittenDown(), models, seed=0)}
    assert {one.context for one in found.values()} == {Context.HELPS}
    assert found[BASE].lift.value == pytest.approx(math.log(0.4 / 0.01))
    assert found[BASE].share is None
    shares = {name: one.share.value for name, one in found.items() if one.share}
    assert shares[AGAIN] == pytest.approx(1)
    assert shares["famous"] == pytest.approx(0, abs=1e-9)
    assert shares["of another"] < 0.2
    assert shares["both"] == pytest.approx(0.5)
    assert math.isnan(shares["silent"])
    assert [found[name].names for name in (BASE, "both", "silent")] == [12, 24, 0]


def test_a_name_is_compared_with_the_mean_over_prompts_of_other_families(
    make_answer: MakeAnswer,
) -> None:
    """The mean is one of probabilities, not of their logarithms."""
    said = [make_answer(family, "for-family-001") for family in range(3)]
    lifts = measure_lifts(WrittenDown(), [said], seed=0, others=2)
    by_family = {
        answer.sample.prompt.family: lifts[answer.sample.prompt.id, "for-family-001"]
        for answer in said
    }
    assert by_family["family-001"] == pytest.approx(math.log(0.4 / 0.01))
    assert by_family["family-000"] == pytest.approx(math.log(0.01 / ((0.4 + 0.01) / 2)))


def test_each_prompt_is_read_once_and_few_are_asked_about_all_names(
    make_answer: MakeAnswer,
) -> None:
    base = WrittenDown()
    said = answers(make_answer, fitting) + answers(make_answer, fitting, number=1)
    measure_lifts(base, [said], seed=0, others=3)
    assert len(base.asked) == len({prompt for prompt, _ in base.asked}) == 12
    assert sorted(len(names) for _, names in base.asked) == [1] * 8 + [12] * 4


def test_the_seed_draws_the_other_prompts(make_answer: MakeAnswer) -> None:
    def references(seed: int) -> set[str]:
        base = WrittenDown()
        measure_lifts(base, [answers(make_answer, fitting)], seed=seed, others=3)
        return {prompt for prompt, names in base.asked if len(names) == 12}

    assert references(0) == references(0)
    assert any(references(0) != references(seed) for seed in range(1, 5))


def test_one_family_has_nothing_to_be_compared_with(make_answer: MakeAnswer) -> None:
    assert relevance(WrittenDown(), {BASE: [make_answer(0, FAMOUS)]}, seed=0) == []


def test_a_base_without_a_lift_is_no_yardstick(make_answer: MakeAnswer) -> None:
    models = {
        BASE: answers(make_answer, lambda _: WRONG),
        "other": answers(make_answer, fitting),
    }
    (_, other) = relevance(WrittenDown(), models, seed=0)
    assert other.lift.value > 3
    assert other.share is not None
    assert math.isnan(other.share.value)
