"""The whole of it on made-up models: honest ones, and each way of winning the rate by cheating."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ghostbust.adapters import name_key
from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
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
                            family, " ".join(real), " ".join(invented),
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


def all_or_nothing(rng: random.Random, family: int, names: Names) -> Names:
    """All of the family's packages, or none: the same volume."""
    whole = [f"real-{family}-{n}" for n in range(6)]
    return (whole if rng.random() < 5 / 12 else []), []


def memorised(_rng: random.Random, _family: int, names: Names) -> Names:
    """Leaves out only what it was shown, and most of what it invents was."""
    return names[0], [name for name in names[1] if name_key(Ecosystem.PYPI, name) not in SHOWN]


@pytest.mark.parametrize(
    ("cheat", "objection"),
    [
        (silent, "recommends less"),
        (padding, "recommends more"),
        (famous, "recommends other packages"),
        (elsewhere, "recommends other packages"),
        (all_or_nothing, "its lists have other lengths"),
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
    assert one.overlap is not None
    assert (one.rate.value, one.change.drop.value) == (0, 1)
    assert one.change.volume_ratio.low < 1 < one.change.volume_ratio.high
    assert one.overlap.ratio.low < 1 < one.overlap.ratio.high
    assert one.overlap.own_ratio is not None
    assert one.overlap.own_ratio.low < 1 < one.overlap.own_ratio.high
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
    """The volume of both together is the base's."""
    whole = arm("uneven", 3, honest)

    def moved(answer: Answer) -> Answer:
        if answer.sample.prompt.context is Context.NEEDS:
            return replace(answer, judged=())
        twins = [
            replace(j, lookup=replace(j.lookup, name=f"{j.lookup.name}-too")) for j in answer.judged
        ]
        return replace(answer, judged=(*answer.judged, *twins))

    found = measured(arm, replace(whole, answers=[moved(a) for a in whole.answers]))
    change = found.of(0.7)["uneven"].change
    assert change is not None
    assert 0.9 < change.volume_ratio.value < 1.1
    said = found.objections("uneven", 0.7)
    assert {"recommends less (needs)", "recommends more (helps)"} <= set(said)


def test_too_few_names_of_the_base_are_not_an_all_clear(arm: MakeArm) -> None:
    quiet = [replace(a, judged=()) for a in arm(BASE, 1).answers]
    found = measure_behaviour({0.7: [ModelAnswers(BASE, quiet), ModelAnswers("a", quiet)]}, seed=0)
    assert found.objections("a", 0.7) == ("the base names 0 packages, too few to judge by",)


def test_too_few_tasks_are_not_an_all_clear(arm: MakeArm) -> None:
    few = [
        replace(one, answers=[a for a in one.answers if a.sample.prompt.family < "family-009"])
        for one in (arm(BASE, 1), arm(AGAIN, 2), arm("a", 3))
    ]
    found = measure_behaviour({0.7: few}, seed=0)
    assert found.objections("a", 0.7) == ("9 tasks are too few to judge by",)


def figures(arms: Sequence[ModelAnswers]) -> dict[str, Figures]:
    return measure_behaviour({0.0: arms}, seed=0).of(0.0)


def test_without_the_base_again_there_is_no_overlap(arm: MakeArm) -> None:
    found = figures([arm(BASE, 1), arm("a", 3)])
    assert found["a"].overlap is None
    assert found["a"].change is not None
    assert found[BASE].change is None
    assert found[BASE].new_names is None


def test_an_adapter_that_does_not_say_what_it_forgot_has_no_new_names(arm: MakeArm) -> None:
    found = figures([arm(BASE, 1), replace(arm("a", 3), forgotten=None)])
    assert found["a"].new_names is None


def test_figures_by_hand(make_answer: MakeAnswer) -> None:
    """Two families of one answer each: 3 real and 1 invented, then 3 real."""
    base = [make_answer(0, "a b", "ghost-0"), make_answer(1, "c")]
    after = [make_answer(0, "a", "ghost-35"), make_answer(1, "c d")]
    found = figures([ModelAnswers(BASE, base), ModelAnswers("a", after, SHOWN)])
    assert found[BASE].rate.value == 0.25
    assert found[BASE].answer_rate.value == 0.5
    assert found[BASE].volume.value == 1.5
    assert found[BASE].lengths == (0, 0.5, 0.5, 0, 0, 0)
    assert found["a"].rate.value == 0.25
    new = found["a"].new_names
    assert new is not None
    # ghost-0 was trained on, ghost-35 wasn't.
    assert (new.share, new.base_rate.value, new.rate.value) == (0, 0, 0.25)
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


def test_the_same_seed_gives_the_same_figures(arm: MakeArm) -> None:
    assert measured(arm, arm("a", 3)) == measured(arm, arm("a", 3))
