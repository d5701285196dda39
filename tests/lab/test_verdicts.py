"""The arrays of the simulated truth are those of the answers, and its truths are what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    GateVerdict,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.side_by_side import SideBySide
from tests.lab.verdicts import AnswerPopulation, Change, any_pass, cases, verdicts

FAMILIES, SAMPLES = 12, 3
FIGURES = ("answers", "invented", "real", "named", "unknown", "all", "supported", "unsupported")


def answer(family: int, context: Context, number: int, names: dict[str, Verdict]) -> Answer:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    judged = [
        Judged(
            PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name),
            Lookup(Ecosystem.PYPI, name, verdict, "", "made up", "snapshot:test", at),
        )
        for name, verdict in names.items()
    ]
    prompt = Prompt(f"{context} {family}", context, Ecosystem.PYPI, f"family-{family:02d}")
    text = "" if number % 2 else "fine"
    return Answer(Sample(prompt, text, "m", None, 0, number, 0.7, False, 1), tuple(judged))


@pytest.fixture
def answers() -> list[Answer]:
    """Three answers to each prompt: names that all, two or one of them have, and inventions."""
    draw = np.random.default_rng(5)
    kinds = (Verdict.REAL, Verdict.REAL, Verdict.ABSENT, Verdict.UNKNOWN)
    return [
        answer(
            family, context, number,
            {f"{kind}-{n}": kind for n, kind in enumerate(kinds * 2) if draw.random() < 0.5},
        )
        for family in range(FAMILIES)
        for context in (Context.CODE, Context.HELPS)
        for number in range(SAMPLES)
    ]  # fmt: skip


class Chosen:
    """Draws that are known: each family once, each answer once, every chance its mean."""

    def integers(self, high: int, size: int) -> np.ndarray:
        return np.arange(size) % high

    def multinomial(self, n: int, chances: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        return np.full((*size, len(chances)), n // len(chances))

    def binomial(self, n: np.ndarray, p: object) -> np.ndarray:
        counts: np.ndarray = np.rint(n * np.asarray(p)).astype(np.int64)
        return counts


def test_the_figures_of_a_draw_are_those_of_the_answers(answers: list[Answer]) -> None:
    """Of the base against itself, once and with all of its answers twice."""
    population = AnswerPopulation(answers)
    drawn = list(population.blocks(FAMILIES, SAMPLES, 2, Change(), Chosen()))  # type: ignore[arg-type]
    again = [Answer(replace(a.sample, number=a.sample.number + SAMPLES), a.judged) for a in answers]
    for pair, every in zip(drawn, (answers, [*answers, *again]), strict=True):
        truth = SideBySide.of(every, every, SAMPLES - 1)
        for name in FIGURES:
            assert pair.base[name] == pytest.approx(truth.base[name]), name
            assert pair.candidate[name] == pytest.approx(truth.candidate[name]), name


def fewer(population: AnswerPopulation) -> Change:
    return Change(real=dict.fromkeys(population.contexts, 0.9))


@pytest.mark.parametrize(
    ("make", "figure", "share"),
    [
        (lambda p: p.with_drop(0.5), lambda s: s["invented"].sum() / s["named"].sum(), 0.5),
        (lambda p: p.with_unknown(0.1), lambda s: s["unknown"].sum() / s["all"].sum(), None),
        (lambda p: p.with_faults(0.1), lambda s: s["faulty"].sum() / s["answers"].sum(), None),
        (lambda p: Change(added=0.1), lambda s: s["all"].sum(), 1.1),
        (fewer, lambda s: s["real"].sum(), 0.9),
        (fewer, lambda s: s["supported"].sum(), 0.9),
    ],
)  # fmt: skip
def test_a_change_makes_the_truth_that_it_says(
    answers: list[Answer],
    make: Callable[[AnswerPopulation], Change],
    figure: Callable[[dict[str, np.ndarray]], float],
    share: float | None,
) -> None:
    """``share``: of the base's figure; None: 0.1 more than it."""
    population = AnswerPopulation(answers)
    draw = np.random.default_rng(0)
    (pair,) = population.blocks(4000, 6, 1, make(population), draw)
    before, after = figure(dict(pair.base)), figure(dict(pair.candidate))
    wanted = before + 0.1 if share is None else share * before
    assert after == pytest.approx(wanted, rel=0.03)


def test_a_clear_case_ends_early_and_a_limit_is_hardly_ever_passed(answers: list[Answer]) -> None:
    population = AnswerPopulation(answers)
    by_title = {case.title: case for case in cases(population)}
    clear = verdicts(population, by_title["faults: as the base"], replicates=10, seed=0)
    assert clear.share(GateVerdict.PASS) == 1
    assert clear.blocks < 30
    limit = by_title["faults: 0.10 more, the limit"]
    chance = any_pass(population, limit, rounds=20, replicates=200, seed=0)
    assert 0 < chance < 0.12
