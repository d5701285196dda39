"""Counts say the same as the answers they were made from, and don't grow."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from ghostbust.measure import (
    GROUPS,
    Key,
    NameCounts,
    Tally,
    add_to,
    by_model,
    group_of,
    measure,
    measurement_of,
)
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
    utc_now,
)


def answer(rng: random.Random, family: str, context: Context = Context.CODE) -> Answer:
    """Names of all verdicts, of which a family has its own share of inventions."""
    share = random.Random(family).random()
    judged = []
    for n in range(rng.randrange(5)):
        verdict = Verdict.ABSENT if rng.random() < share else Verdict.REAL
        verdict = rng.choice([verdict, verdict, Verdict.UNKNOWN, Verdict.SUSPECT])
        ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, f"n{n}", 0, 2, f"n{n}")
        looked = Lookup(Ecosystem.PYPI, f"n{n}", verdict, "", "", "", utc_now())
        judged.append(Judged(ref, looked))
    prompt = Prompt("", context, Ecosystem.PYPI, family)
    return Answer(Sample(prompt, "", "m", None, 0, 0, 0, False, 1), tuple(judged))


def tally(answers: list[Answer]) -> Tally:
    made: Tally = {}
    for one in answers:
        prompt = one.sample.prompt
        add_to(
            made, Key("m", None, prompt.context, group_of(prompt.family)), NameCounts.of_answer(one)
        )
    return made


def test_rate_and_volume_are_those_of_the_answers() -> None:
    rng = random.Random(5)
    answers = [
        answer(rng, f"f{n % 40}", rng.choice([Context.CODE, Context.HELPS])) for n in range(400)
    ]
    counted, measured = measurement_of(tally(answers)), measure(answers)
    assert set(counted.by_context) == {"code", "helps"}
    for one, other in [(counted, measured), *zip(
        counted.by_context.values(), measured.by_context.values(), strict=True
    )]:  # fmt: skip
        same = replace(one, ci95=other.ci95, by_context=other.by_context)
        assert same == other
        assert one.ci95 == pytest.approx(other.ci95, abs=0.02)


def test_the_interval_is_as_wide_as_the_families_differ() -> None:
    """Many answers of few families say less than as many of many."""
    rng = random.Random(6)
    few = measurement_of(tally([answer(rng, f"f{n % 10}") for n in range(3000)]))
    many = measurement_of(tally([answer(rng, f"f{n}") for n in range(3000)]))
    assert few.ci95[1] - few.ci95[0] > 3 * (many.ci95[1] - many.ci95[0])
    truth = measure([answer(rng, f"f{n}") for n in range(3000)])
    assert many.ci95[1] - many.ci95[0] == pytest.approx(truth.ci95[1] - truth.ci95[0], rel=0.25)


def test_it_doesnt_grow() -> None:
    rng = random.Random(7)
    assert len(tally([answer(rng, f"f{n}") for n in range(3000)])) == GROUPS


def test_nothing_counted() -> None:
    nothing = measurement_of({})
    assert math.isnan(nothing.rate)
    assert (nothing.answers, nothing.volume, nothing.by_context) == (0, 0.0, {})


def test_by_model_the_most_answers_first() -> None:
    counted = {Key("a", None, "code", 1): NameCounts(1), Key("b", "x", "code", 1): NameCounts(2, 1)}
    assert [(who, m.answers) for who, m in by_model(counted).items()] == [
        (("b", "x"), 2), (("a", None), 1),
    ]  # fmt: skip
