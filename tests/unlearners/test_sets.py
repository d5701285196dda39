"""SELECT: what gets in, what never does."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from ghostbust import prompts
from ghostbust.errors import TrainingError
from ghostbust.prompts import name_side
from ghostbust.records import Answer, Context, Ecosystem, Prompt, Side
from ghostbust.unlearners.sets import (
    FEWEST_PROBES,
    LONGEST_LIST,
    Kinds,
    deal,
    is_sound,
    select,
    spread,
)

MakeAnswer = Callable[..., Answer]


@pytest.fixture
def answers(make_answer: MakeAnswer) -> list[Answer]:
    """Of 30 families one answer each that invents, that names real packages, that names none."""
    return [
        make_answer(text, family=f"family-{number}")
        for number in range(30)
        for text in (f"- numpy\n- ghost-{number}", f"- rich\n- flask\n\n{number}", "I can't say.")
    ]


HOLDOUT = [
    Prompt(f"held out {number}", Context.CODE, Ecosystem.PYPI, f"family-{number}")
    for number in range(5)
]


def test_at_most_half_of_a_full_set_invents(answers: list[Answer]) -> None:
    sets = select(answers, HOLDOUT, most=40, probes=0, seed=1)
    assert (len(sets.forget), len(sets.retain)) == (20, 20)
    assert all(answer.invented for answer in sets.forget)
    assert not any(answer.invented for answer in sets.retain)
    assert set(sets.forget + sets.retain) <= set(answers)
    assert sets.holdout == tuple(HOLDOUT)
    silent = [answer for answer in sets.retain if not answer.real]
    assert len(silent) == round(0.3 * 20), "what names nothing is in it"
    few_others = [a for a in answers if a.invented] + [a for a in answers if not a.invented][:9]
    sets = select(few_others, [], most=30, probes=0, seed=1)
    assert (len(sets.forget), len(sets.retain)) == (21, 9)
    few_inventions = [a for a in answers if a.invented][:3] + [a for a in answers if not a.invented]
    sets = select(few_inventions, [], most=20, probes=0, seed=1)
    assert (len(sets.forget), len(sets.retain)) == (3, 17)


def test_members_are_dealt_other_answers_as_far_as_there_are_any(answers: list[Answer]) -> None:
    sets = select(answers, [], most=28, members=2, probes=0, seed=1)
    first, second = deal(sets, members=2, most=28)
    for hand in (first, second):
        kinds = Kinds.of(hand.forget + hand.retain)
        assert (len(hand.forget), len(kinds.naming), len(kinds.silent)) == (14, 10, 4)
    assert not set(first.forget) & set(second.forget)
    assert not set(first.retain) & set(second.retain)
    dealt = first.forget + second.forget + first.retain + second.retain
    assert set(sets.forget + sets.retain) == set(dealt), "the sets are what the members learn from"


def test_members_share_what_there_is_too_little_of(answers: list[Answer]) -> None:
    few = [a for a in answers if a.invented][:16] + [a for a in answers if not a.invented]
    sets = select(few, [], most=28, members=2, probes=0, seed=1)
    first, second = deal(sets, members=2, most=28)
    assert (len(first.forget), len(second.forget)) == (14, 14)
    assert len(set(first.forget) & set(second.forget)) == 12
    assert not set(first.retain) & set(second.retain)
    for hand in deal(sets, members=3, most=90):
        assert set(hand.forget + hand.retain) == set(sets.forget + sets.retain), "none has more"


def test_suites_never_get_in_held_out_or_not(
    answers: list[Answer], make_answer: MakeAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by their family, nor by words that are a suite's under another family."""
    words = "one two three four five six seven eight"
    monkeypatch.setattr(prompts, "_known", lambda: frozenset(prompts.fingerprints(words)))
    others = [
        make_answer("- numpy\n- ghost-a", family=prompts.suite_family("garak", "1")),
        make_answer("- numpy\n- ghost-b", family="own", prompt=f"Code for: {words}, please."),
        make_answer("- numpy\n- ghost-d", family=prompts.suite_family("fresh", "1")),
        make_answer("- numpy\n- ghost-c", family="own", prompt="Code for: one two three four."),
    ]
    sets = select([*answers, *others], [], most=1000, probes=100, seed=0)
    trained = {a.sample.prompt.text for a in (*sets.forget, *sets.retain, *sets.base)}
    trained |= {prompt.text for prompt in sets.probe}
    texts = [other.sample.prompt.text for other in others]
    assert [text in trained for text in texts] == [False, False, False, True]
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        select(others[:2], [], most=10, probes=0, seed=0)


def test_held_out_families_never_get_in(answers: list[Answer]) -> None:
    held_out = {prompt.family for prompt in HOLDOUT}
    for seed in range(5):
        sets = select(answers, HOLDOUT, most=1000, probes=0, seed=seed)
        families = {answer.sample.prompt.family for answer in sets.forget + sets.retain}
        assert families.isdisjoint(held_out)
        assert len(families) == 25


def test_the_choice_is_seeded_and_independent_of_order(
    answers: list[Answer], make_answer: MakeAnswer
) -> None:
    first = select(answers, HOLDOUT, most=20, probes=0, seed=1)
    for seed in range(3):
        shuffled = random.Random(seed).sample(answers, len(answers))
        assert select(shuffled, HOLDOUT, most=20, probes=0, seed=1) == first
    assert select(answers, HOLDOUT, most=20, probes=0, seed=2) != first
    twins = [make_answer("- numpy\n- ghost", seed=seed) for seed in range(6)]
    (taken,) = select(twins, [], most=9, probes=0, seed=0).forget
    assert select(twins[::-1], [], most=9, probes=0, seed=0).forget == (taken,)


def test_probes_are_prompts_of_other_families(
    answers: list[Answer], make_answer: MakeAnswer
) -> None:
    adapted = [
        replace(answer, sample=replace(answer.sample, adapter="round-0001-aa"))
        for answer in answers[:30]
    ]
    unusual = [
        make_answer(text, family=f"u-{number}", prompt=f"prompt {number} of u")
        for number in range(90)
        for text in ("\n".join(f"- ghost-{n}" for n in range(LONGEST_LIST + 1)), "")
    ]
    logged = [*answers, *adapted, *unusual]
    sets = select(logged, HOLDOUT, most=5, probes=32, seed=1)
    assert len(sets.probe) == len(set(sets.probe)) == 32
    learnt = {answer.sample.prompt.family for answer in sets.forget + sets.retain}
    held_out = {prompt.family for prompt in HOLDOUT}
    assert {prompt.family for prompt in sets.probe}.isdisjoint(learnt | held_out)
    assert set(sets.base) == {
        answer
        for answer in logged
        if answer.sample.adapter is None and answer.sample.prompt.family not in held_out
    }, "whatever it said"
    assert {answer.sample.prompt for answer in sets.base} > set(sets.probe)


def test_probes_take_at_most_a_third_of_the_prompts(make_answer: MakeAnswer) -> None:
    def logged(families: int) -> list[Answer]:
        return [
            make_answer("- numpy\n- ghost", family=f"{n}", prompt=f"{n} {k}")
            for n in range(families)
            for k in range(3)
        ]

    assert len(select(logged(60), [], most=900, probes=900, seed=0).probe) == 60
    assert len(select(logged(30), [], most=900, probes=900, seed=0).probe) == FEWEST_PROBES == 30
    sets = select(logged(29), [], most=900, probes=900, seed=0)
    assert (len(sets.probe), len(sets.forget)) == (0, 87), "too few to steer by"


def test_what_says_nothing_new_is_left_out(make_answer: MakeAnswer) -> None:
    good = make_answer("- numpy\n- ghost")
    squat, mist = make_answer("- squat\n- numpy", family="a"), make_answer("- mist", family="b")
    longest = make_answer("\n".join(f"- ghost-{n}" for n in range(LONGEST_LIST)), family="b")
    too_long = make_answer("\n".join(f"- ghost-{n}" for n in range(LONGEST_LIST + 1)), family="c")
    again = make_answer("- numpy\n- ghost", seed=1)
    empty = make_answer(" \n", family="d")
    logged = [good, squat, mist, longest, too_long, again, empty]
    sets = select(logged, [], most=9, probes=0, seed=0)
    texts = sorted(answer.sample.text for answer in sets.forget)
    assert texts == sorted(one.sample.text for one in (good, squat, longest)), "suspects, too"
    assert sets.retain == (mist,), "an unknown name isn't unlearnt"


def test_nothing_to_learn_from_is_an_error(make_answer: MakeAnswer) -> None:
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        select([make_answer("- numpy")], [], most=9, probes=0, seed=0)
    with pytest.raises(TrainingError, match="nothing to keep"):
        select([make_answer("- ghost\n- ghost-b")], [], most=9, probes=0, seed=0)
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        select([], [], most=9, probes=0, seed=0)


def test_what_one_adapter_invents_and_what_the_base_keeps_can_come_first(
    answers: list[Answer],
) -> None:
    def of(answer: Answer, adapter: str) -> Answer:
        return replace(answer, sample=replace(answer.sample, adapter=adapter))

    some = [of(answer, "round-0001-aa") for answer in answers[:15]]
    base = answers[:6] + answers[15:]
    sets = select([*base, *some], [], most=20, probes=0, seed=1, first="round-0001-aa")
    assert (len(sets.forget), len(sets.retain)) == (10, 10)
    assert len([a for a in sets.forget if a.sample.adapter]) == len([a for a in some if a.invented])
    assert all(answer.sample.adapter is None for answer in sets.retain)
    chosen = sets.forget + sets.retain
    assert len({(a.sample.prompt.id, a.sample.text) for a in chosen}) == 20, "no text comes twice"
    assert all(answer.sample.adapter is None for answer in sets.base), "base means base"
    assert len(sets.base) == len(base)
    sets = select([*base, *some], [], most=80, probes=0, seed=1, first="round-0001-aa")
    kept = {answer.sample.adapter for answer in sets.retain}
    assert kept == {None, "round-0001-aa"}, "where the base's don't suffice, the adapter's do"


@pytest.mark.parametrize("most", [8, 16, 32])
def test_each_kind_has_the_contexts_in_their_proportions(
    make_answer: MakeAnswer, most: int
) -> None:
    texts = ("- ghost", "- rich", "I can't say.")
    many = [
        make_answer(f"{text}\n\n{number}", family=f"family-{number}")
        for number in range(80)
        for text in texts
    ]
    for number, answer in enumerate(many[:180]):
        prompt = replace(answer.sample.prompt, context=Context.CODE)
        many[number] = replace(answer, sample=replace(answer.sample, prompt=prompt))
    sets = select(many, [], most=most, probes=0, seed=1)
    kinds = Kinds.of(sets.forget + sets.retain)
    for kind in (kinds.inventing, kinds.naming, kinds.silent):
        of_code = [answer for answer in kind if answer.sample.prompt.context is Context.CODE]
        assert abs(len(of_code) - 0.75 * len(kind)) < 1
    first = spread(many)[: most // 2]
    for text in texts:
        some = [answer for answer in first if answer.sample.text.startswith(text)]
        assert abs(len(some) - len(first) / 3) <= 1, "and the kinds"


def test_an_answer_that_invents_a_held_out_name_is_in_no_set(answers: list[Answer]) -> None:
    def is_held_out(name: str) -> bool:
        return name_side(Ecosystem.PYPI, name, 0.4) is Side.HOLDOUT

    invented = {name for answer in answers for name in answer.invented}
    hidden = set(filter(is_held_out, invented))
    assert 0 < len(hidden) < len(invented)
    sets = select(answers, [], most=200, probes=0, seed=1, name_holdout=0.4)
    shown = {name for answer in sets.forget + sets.retain for name in answer.invented}
    assert shown == invented - hidden
    real = {name for answer in sets.retain for name in answer.real}
    assert real == {"rich", "flask"}, "names that are real are never held out"
    assert select(answers, [], most=200, probes=0, seed=1) != sets


def test_where_only_sound_answers_are_kept_those_with_inventions_are_learnt_all_the_same(
    make_answer: MakeAnswer,
) -> None:
    ghost, named, silent = make_answer("```\n- ghost"), make_answer("- rich"), make_answer("- json")
    fence, installer, colon = make_answer("```"), make_answer("- pip"), make_answer("Take these:")
    answers = [ghost, named, silent, fence, installer, colon]
    assert [*filter(is_sound, answers)] == [named, silent]
    chosen = select(answers, (), most=12, probes=0, seed=0, sound=True)
    assert chosen.forget == (ghost,)
    assert {*chosen.retain} == {named, silent}
    assert {*select(answers, (), most=12, probes=0, seed=0).retain} == {*answers} - {ghost}


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("Sadly nothing of that kind is there.", True),
        ("Not for now.", False),  # hardly a sentence
        ("1 + 2 - 3 = 0", False),
        ("```\n```\nSadly nothing of that kind is there.\n```\n", False),  # open
        ("the same words over again " * 6, False),  # a loop, too
    ],
)
def test_sentences_in_place_of_a_list_are_sound(
    text: str, sound: bool, make_answer: MakeAnswer
) -> None:
    assert is_sound(make_answer(text)) is sound
    assert not is_sound(make_answer(text, listed=False)), "where code was asked for"
