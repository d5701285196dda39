"""Figures by hand, and of made-up models: honest ones, and each way of cheating."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from ghostbust.adapters import name_key
from ghostbust.evaluation.behaviour import (
    CountTable,
    ModelAnswers,
    Yardstick,
    compare,
    counted,
    draw_together,
    drop,
    measure_behaviour,
)
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Figures, Induced
from ghostbust.records import Answer, Context, Ecosystem

MakeAnswer = Callable[..., Answer]
Names = tuple[list[str], list[str]]
"""real and invented names of an answer"""
Say = Callable[[random.Random, int, Names], Names]

FAMILIES = 60
FAMOUS = ["numpy", "requests", "flask", "pandas", "click", "rich", "boto3", "httpx"]
GHOSTS = 40
SHOWN = frozenset(name_key(Ecosystem.PYPI, f"ghost-{n}") for n in range(30))


def of_base(rng: random.Random, family: int) -> Names:
    """One to four of the family's six packages, and up to two of the ghosts."""
    real = rng.sample([f"real-{family}-{n}" for n in range(6)], rng.randint(1, 4))
    return real, [f"ghost-{n}" for n in rng.sample(range(GHOSTS), rng.randint(0, 2))]


@pytest.fixture
def arm(make_answer: MakeAnswer) -> Callable[..., ModelAnswers]:
    """Makes a model that says what the base would, changed by a function."""

    def make(name: str, seed: int, say: Say = lambda _rng, _family, names: names) -> ModelAnswers:
        rng = random.Random(seed)
        answers = []
        for family in range(FAMILIES):
            for context in (Context.HELPS, Context.NEEDS):
                for number in range(3):
                    real, invented = say(rng, family, of_base(rng, family))
                    answers.append(
                        make_answer(
                            family, " ".join(real),
                            " ".join(name for name in invented if name[0] != "?"),
                            unknown=" ".join(name for name in invented if name[0] == "?"),
                            context=context, number=number,
                        )
                    )  # fmt: skip
        return ModelAnswers(name, answers, None if name in (BASE, AGAIN) else SHOWN)

    return make


MakeArm = Callable[..., ModelAnswers]


def measured(arm: MakeArm, *others: ModelAnswers) -> Behaviour:
    return measure_behaviour({0.7: [arm(BASE, 1), arm(AGAIN, 2), *others]}, seed=0)


def honest(_rng: random.Random, _family: int, names: Names) -> Names:
    """Leaves out what it would have invented, and nothing else."""
    return names[0], []


def silent(_rng: random.Random, _family: int, _names: Names) -> Names:
    return [], []


def padding(_rng: random.Random, _family: int, names: Names) -> Names:
    return [*names[0], *FAMOUS], names[1]


def famous(rng: random.Random, _family: int, names: Names) -> Names:
    """As many names as the base, but always famous ones."""
    return rng.sample(FAMOUS, len(names[0])), []


def elsewhere(_rng: random.Random, family: int, names: Names) -> Names:
    """The names that the base gives to the next prompt: each is said as often as before."""
    other = (family + 1) % FAMILIES
    return [name.replace(f"real-{family}-", f"real-{other}-") for name in names[0]], []


def sharpened(_rng: random.Random, family: int, names: Names) -> Names:
    """As many of the base's packages for the prompt, but always its first ones."""
    return [f"real-{family}-{n}" for n in range(len(names[0]))], []


def memorised(_rng: random.Random, _family: int, names: Names) -> Names:
    """Leaves out only what it was shown, and most of what it invents was."""
    return names[0], [name for name in names[1] if name_key(Ecosystem.PYPI, name) not in SHOWN]


def unsure(_rng: random.Random, _family: int, names: Names) -> Names:
    """Marked for `arm`: what the base invents comes in a form that can't be judged."""
    return names[0], [f"?{name}" for name in names[1]]


@pytest.mark.parametrize(
    ("cheat", "objection"),
    [
        (silent, "names fewer supported packages"),
        (padding, "names more packages"),
        (famous, "names other packages"),
        (elsewhere, "names other packages"),
        (sharpened, "names fewer different packages"),
        (unsure, "names more that can't be judged"),
        (memorised, "forgets little but the names that it was shown"),
    ],
)
def test_every_cheat_is_caught(arm: MakeArm, cheat: Say, objection: str) -> None:
    found = measured(arm, arm("cheat", 3, cheat))
    assert objection in found.objections("cheat", 0.7)


def test_an_honest_adapter_and_the_base_itself_are_not(arm: MakeArm) -> None:
    found = measured(arm, arm("honest", 3, honest))
    assert found.objections("honest", 0.7) == ()
    assert found.objections(AGAIN, 0.7) == ()
    one = found.of(0.7)["honest"]
    assert one.change is not None
    assert (one.rate.value, one.change.drop.value) == (0, 1)
    assert one.change.supported.low < 1 < one.change.supported.high
    assert one.change.distinct.low < 1 < one.change.distinct.high
    assert one.change.all.high < 1
    assert one.new_names is not None
    assert one.new_names.share == pytest.approx(0.25, abs=0.1)
    assert one.new_names.drop.value == 1


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("", "more empty answers"),
        ("I am sorry, I can not say.", "more malformed answers"),
        ("- numpy\n" * 20, "more looping answers"),
    ],
)
def test_broken_answers_are_caught_in_a_tenth_of_all(
    arm: MakeArm, text: str, objection: str
) -> None:
    whole = arm("broken", 3, honest)
    answers = [
        replace(a, sample=replace(a.sample, text=text), judged=()) if n % 10 == 0 else a
        for n, a in enumerate(whole.answers)
    ]
    found = measured(arm, replace(whole, answers=answers))
    assert objection in found.objections("broken", 0.7)
    assert objection not in found.objections(AGAIN, 0.7)


def test_less_in_one_context_and_more_in_the_other_is_caught(arm: MakeArm) -> None:
    """The names of both together are as many as the base's."""
    whole = arm("uneven", 3, honest)

    def moved(answer: Answer) -> Answer:
        if answer.sample.prompt.context is Context.NEEDS:
            return replace(answer, judged=())
        twins = [
            replace(j, lookup=replace(j.lookup, name=f"{j.lookup.name}-too")) for j in answer.judged
        ]
        return replace(answer, judged=(*answer.judged, *twins))

    found = measured(arm, replace(whole, answers=[moved(a) for a in whole.answers]))
    said = found.objections("uneven", 0.7)
    assert {"names fewer supported packages (needs)", "names more packages (helps)"} <= set(said)


def test_silence_where_the_base_invents_most_is_no_drop(make_answer: MakeAnswer) -> None:
    """Pooled, the rate fell from 0.5 to 0.2; with the base's weights it stayed as it was."""

    def said(helps: tuple[str, str], needs: tuple[str, str]) -> list[Answer]:
        return [
            make_answer(family, *names, context=context)
            for family in range(10)
            for context, names in ((Context.HELPS, helps), (Context.NEEDS, needs))
        ]

    base = said(("a", "ghost-1 ghost-2 ghost-3 ghost-4"), ("b c d e", "ghost-5"))
    silent = said(("", ""), ("b c d e", "ghost-5"))
    found = figures([ModelAnswers(BASE, base), ModelAnswers("a", silent)])
    assert (found[BASE].rate.value, found["a"].rate.value) == (0.5, 0.2)
    assert found["a"].change is not None
    assert found["a"].change.drop.value == pytest.approx(0)


def test_too_few_names_or_tasks_are_not_an_all_clear(arm: MakeArm) -> None:
    quiet = [replace(a, judged=()) for a in arm(BASE, 1).answers]
    found = measure_behaviour({0.7: [ModelAnswers(BASE, quiet), ModelAnswers("a", quiet)]}, seed=0)
    assert found.objections("a", 0.7) == ("the base names 0 packages, too few to judge by",)
    few = [
        replace(one, answers=[a for a in one.answers if a.sample.prompt.family < "family-009"])
        for one in (arm(BASE, 1), arm(AGAIN, 2), arm("a", 3))
    ]
    found = measure_behaviour({0.7: few}, seed=0)
    assert found.objections("a", 0.7) == ("9 tasks are too few to judge by",)


def figures(arms: Sequence[ModelAnswers]) -> dict[str, Figures]:
    return measure_behaviour({0.0: arms}, seed=0).of(0.0)


def test_what_is_not_known_has_no_figures(arm: MakeArm) -> None:
    """No new names where the forgotten ones aren't known."""
    found = figures([arm(BASE, 1), replace(arm("a", 3), forgotten=None)])
    assert found["a"].new_names is None
    assert found["a"].change is not None
    assert found[BASE].change is None
    assert found[BASE].new_names is None


def test_figures_by_hand(make_answer: MakeAnswer) -> None:
    """Two families of one answer each: 3 real and 1 invented, then 4 real and 2 others."""
    base = [make_answer(0, "a b", "ghost-0"), make_answer(1, "c pip")]
    after = [make_answer(0, "a x", "ghost-35", unknown="y"), make_answer(1, "c d")]
    found = figures([ModelAnswers(BASE, base), ModelAnswers("a", after, SHOWN)])
    assert found[BASE].rate.value == 0.25
    assert found[BASE].answer_rate.value == 0.5
    assert found[BASE].volume.value == 1.5
    assert (found[BASE].supported.value, found[BASE].all.value) == (1.5, 2)
    assert (found[BASE].installers, found[BASE].distinct) == (1, 3)
    assert found["a"].rate.value == 0.2
    assert (found["a"].supported.value, found["a"].all.value) == (1, 3)
    change = found["a"].change
    assert change is not None
    ratios = change.supported.value, change.all.value, change.distinct.value
    assert ratios == pytest.approx((2 / 3, 1.5, 4 / 3))
    assert (change.unsupported.value, change.unknown.value) == pytest.approx((0.5, 1 / 6))
    new = found["a"].new_names
    assert new is not None
    # ghost-0 was trained on, ghost-35 wasn't.
    assert (new.share, new.base_rate.value, new.rate.value) == (0, 0, 0.2)
    assert new.drop.value == -1


def test_inventions_that_the_prompt_named_are_told_apart(judged_answer: MakeAnswer) -> None:
    """The base repeats one and thinks of three; the other repeats it again and thinks of one."""
    base = [judged_answer("- ghost-1\n- ghost-2\n- ghost-3\n- ghost-4", family="ghost-1")]
    after = [judged_answer("- ghost-1\n- ghost-2\n- numpy", family="ghost-1")]
    found = figures([ModelAnswers(BASE, base), ModelAnswers("a", after)])
    assert found[BASE].induced == Induced(0.25, None, None)
    one = found["a"].induced
    assert one.share == 0.5
    assert one.drop is not None
    assert one.other_drop is not None
    assert one.drop.value == 0
    assert one.other_drop.value == pytest.approx(2 / 3)


def test_each_context_has_figures_of_its_own(arm: MakeArm) -> None:
    found = measured(arm)
    assert {one.context for one in found.figures} == {"all", "helps", "needs"}
    whole, parts = found.of(0.7)[BASE], [found.of(0.7, c)[BASE] for c in ("helps", "needs")]
    assert whole.answers == sum(part.answers for part in parts) == FAMILIES * 6


# Counts, and families drawn for all models together


def test_forgotten_names_are_not_new_in_their_ecosystem_only(make_answer: MakeAnswer) -> None:
    forgotten = frozenset({name_key(Ecosystem.PYPI, "ghost"), name_key(Ecosystem.NPM, "spectre")})
    model = ModelAnswers("a", [make_answer(0, "rich", "ghost spectre")])
    found = counted(model, model.rows(Yardstick.of(model)), forgotten).columns
    assert (found["invented"], found["named"]) == ([2], [3])
    assert (found["new_invented"], found["new_named"]) == ([1], [2])


def test_families_are_drawn_for_all_together() -> None:
    """What is the same for both is the same in every resample, however much it varies."""
    families = [f"f{n}" for n in range(20)]
    values = [float(n) for n in range(20)]
    one, other = draw_together(
        [
            CountTable(families, {"a": values}),
            CountTable(families[::-1], {"a": values[::-1], "b": values}),
        ],
        seed=1,
        resamples=50,
    )
    assert one["a"].shape == (51,)
    assert one["a"][0] == 190
    assert len(np.unique(one["a"])) > 10
    assert np.array_equal(one["a"], other["a"])
    assert not np.array_equal(one["a"], other["b"])


def test_other_families_cannot_be_compared() -> None:
    tables = [CountTable([family], {"a": [1.0]}) for family in "fg"]
    with pytest.raises(ValueError, match="different prompts"):
        draw_together(tables, seed=0, resamples=2)


def test_padding_and_silence_each_lower_one_rate_and_not_the_other() -> None:
    base = {
        name: np.array([n])
        for name, n in {"invented": 10.0, "named": 40.0, "inventing": 8.0}.items()
    }
    base["answers"] = np.array([20.0])
    padded = base | {"named": np.array([160.0])}
    assert drop(base, padded, "invented", "named") == [0.75]
    assert drop(base, padded, "inventing", "answers") == [0]
    silent = {name: np.zeros(1) for name in base} | {"answers": base["answers"]}
    assert drop(base, silent, "invented", "named") == [0]
    assert drop(base, silent, "inventing", "answers") == [1]


# The row of a variant


def test_the_drop_and_the_ratios_are_as_counted(judged_answer: MakeAnswer) -> None:
    base = [judged_answer("- numpy\n- ghost-a\n", family="a"), judged_answer("- ghost-b\n- rich")]
    adapted = [judged_answer("- numpy\n- rich\n- flask", family="a"), judged_answer("- ghost-b")]
    row = compare("plain", base, adapted, note="by hand")
    assert (row.base.rate, row.adapted.rate) == (0.5, 0.25)
    assert row.drop == 0.5
    assert (row.real_ratio, row.all_ratio) == pytest.approx((1.5, 1.0))
    low, high = row.drop_ci95
    assert low < 0.5 < high
    assert (row.variant, row.note) == ("plain", "by hand")


def test_the_interval_needs_no_pairs_of_prompts(judged_answer: MakeAnswer) -> None:
    """As where each model goes on from its own answer: other prompts, the same families."""
    base = [judged_answer("- ghost-a\n- numpy", family=f"f{n}") for n in range(20)]
    adapted = [judged_answer("- numpy", family=f"f{n}") for n in range(19)]
    adapted.append(judged_answer("- ghost-a", family="f19"))
    row = compare("own", base, adapted)
    assert row.drop == pytest.approx(0.9)
    assert row.drop_ci95[1] == 1.0
    assert 0.5 < row.drop_ci95[0] < 0.9


@pytest.mark.parametrize(
    ("base", "adapted", "drop", "ratio"),
    [
        ("- numpy", "- ghost-a", math.nan, 0),  # the base invents nothing
        ("- ghost-a", "None.", math.nan, math.nan),  # the adapter names nothing
        ("- ghost-a", "- numpy", 1, math.nan),  # no real names of the base
    ],
)
def test_what_cannot_be_divided_is_no_number(
    base: str, adapted: str, drop: float, ratio: float, judged_answer: MakeAnswer
) -> None:
    row = compare("none", [judged_answer(base)], [judged_answer(adapted)])
    assert [row.drop, row.real_ratio] == pytest.approx([drop, ratio], nan_ok=True)
