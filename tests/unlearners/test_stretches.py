"""What each answer of a stretch weighs, those of the model's own among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, Ecosystem, SetSplit
from ghostbust.unlearners.data import Nature
from ghostbust.unlearners.masks import (
    FORK,
    encode_answer,
    encode_broken_off,
    encode_steered,
    encode_whole,
)
from ghostbust.unlearners.methods.interface import Weights
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steer import (
    BARE_PER_STEP,
    MOST,
    OWN,
    OWN_SHARE,
    STEER,
    TURN,
    BareCode,
    Habit,
    Probed,
    encode_stretch,
    habits_of,
    share_out,
)

MakeAnswer = Callable[..., Answer]
PLAIN = TrainSettings(method="au-heard", weights=Weights(repair=1.0))
WEIGHED = TrainSettings(method="au-heard", weights=Weights(naming=1.2, silent=0.5))
SILENT = "- json"
"""a whole answer that names no package: one of the standard library"""
HELPS, CODE = (Ecosystem.PYPI, Context.HELPS), (Ecosystem.PYPI, Context.CODE)


@pytest.fixture
def ghosts(make_answer: MakeAnswer) -> list[Answer]:
    return [make_answer("- numpy\n- ghost"), make_answer("- ghost")]


def test_each_context_has_its_habits(ghosts: list[Answer], make_answer: MakeAnswer) -> None:
    code = make_answer("```\nimport numpy\n```", listed=False)
    assert habits_of([*ghosts, code, code, make_answer("- numpy")]) == {
        HELPS: Habit(Nature(0.5, 0)),
        CODE: Habit(Nature(2, 0)),
    }


def test_what_is_not_sound_is_natural_and_not_kept(
    tiny: LoadedModel, ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    fence, colon, prose = (
        make_answer(text) for text in ("```", "These packages help:", "Not at all.")
    )
    installer = make_answer("- pip")
    sound, more = make_answer(SILENT), make_answer("- pip\n- rich")
    answers = [*ghosts, fence, colon, prose, installer, sound, more]
    assert habits_of(answers) == {HELPS: Habit(Nature(1, 2), early=2 / 8)}
    found = encode_stretch(tiny, answers, PLAIN, {})
    assert [e.ids for e in found if not e.forgets and not e.repaired] == [
        encode_answer(tiny, one).ids for one in (more, sound)
    ]


def test_sound_answers_stand_for_what_has_no_sound_repaired_form(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    emptied, broken = make_answer("- ghost"), make_answer("numpy, ghost\n```\n- ghost")
    named, silent = make_answer("- numpy"), make_answer(SILENT)
    settings = TrainSettings(method="au-heard", weights=Weights(repair=1, naming=1, silent=1))
    nature = {HELPS: Habit(Nature(naming=0.5, silent=0.25))}
    found = encode_stretch(tiny, [emptied, broken, named, silent], settings, nature)
    assert not any(e.repaired for e in found)
    # beside two with inventions, and one more of each kind for what they would have been
    clean = [e for e in found if not e.forgets]
    assert [e.weight for e in clean] == [2 * 0.5 + 1, 2 * 0.25 + 1]
    assert [(e.mask[0], e.fork) for e in clean] == [(FORK, 1.0), (FORK, 1.0)]


def test_kinds_weigh_what_is_asked_however_many_they_are(
    tiny: LoadedModel, ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    named, silent = make_answer("- numpy\n- rich"), make_answer(SILENT)
    nature = {HELPS: Habit(Nature(naming=2.0, silent=3.0))}
    weights = [e.weight for e in encode_stretch(tiny, [silent, *ghosts, named], WEIGHED, nature)]
    # the natural weight of two with inventions is 4 of the naming and 6 of the silent ones
    assert weights == [1.0, 1.0, 1.2 * 4, 0.5 * 6]
    weights = [e.weight for e in encode_stretch(tiny, [*ghosts, *[named] * 5], WEIGHED, nature)]
    assert weights == [1.0, 1.0, *[1.2 * 4 / 5] * 5]
    rare = {HELPS: Habit(Nature(naming=2.0, silent=30.0))}
    weights = [e.weight for e in encode_stretch(tiny, [silent, *ghosts, named], WEIGHED, rare)]
    assert weights[-1] == MOST, "one answer doesn't stand for all of its kind"


@pytest.mark.parametrize("settings", [PLAIN, WEIGHED])
def test_without_a_weight_or_an_invention_every_answer_counts_the_same(
    settings: TrainSettings, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    answers = [make_answer("- numpy"), make_answer(SILENT)]
    assert [
        e.weight for e in encode_stretch(tiny, answers, settings, {HELPS: Habit(Nature(2, 3))})
    ] == [
        1.0,
        1.0,
    ]
    if settings is PLAIN:
        answers.append(make_answer("- ghost"))
        assert {
            e.weight for e in encode_stretch(tiny, answers, settings, {HELPS: Habit(Nature(2, 3))})
        } == {1.0}


def test_every_step_has_bare_code(tiny: LoadedModel, make_answer: MakeAnswer) -> None:
    def code(number: int, family: str = "family", name: str = "json") -> Answer:
        return make_answer(f"```\nimport {name}\nx = {number}\n```", family=family, listed=False)

    def drawn(settings: TrainSettings, *bare: BareCode) -> list[str]:
        found = encode_stretch(tiny, answers, settings, {}, None, *bare)
        assert sum(not example.bare for example in found) == 3  # the answers and a repaired form
        return [tiny.decode(list(example.ids)) for example in found if example.bare]

    answers = [make_answer("- numpy\n- ghost"), make_answer("- numpy")]
    asked, fence = code(4, "asked"), make_answer("```\n- json\n```")
    said = [*answers, code(1), code(2), code(3), asked, code(5, name="ghost"), fence]
    one_step = replace(PLAIN, answers_per_step=3)
    weighed = replace(one_step, weights=replace(PLAIN.weights, bare=1.0))
    bare = BareCode(said, [asked.sample.prompt], seed=3)
    pieces = drawn(weighed, bare) + drawn(weighed, bare)
    assert len(pieces) == 2 * BARE_PER_STEP
    texts = {f"import json\nx = {number}\n" for number in (1, 2, 3)}
    assert set(pieces) == texts, "clean code that nobody is asked for"
    assert pieces[0] == pieces[3], "in turn"
    assert drawn(weighed, BareCode([*reversed(said)], [asked.sample.prompt], seed=3)) == pieces[:2]
    assert drawn(one_step, bare) == drawn(weighed, BareCode([fence], [], 3)) == drawn(weighed) == []


def heard(excess: float, *answers: Answer) -> Probed:
    return Probed(1.0, 0.5, answers, {HELPS: excess, CODE: 9.0})


def test_what_the_model_itself_invents_is_suppressed_and_repaired(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    base, named = make_answer("- ghost-a\n- rich"), make_answer("- numpy\n- rich")
    whole, emptied = make_answer("- numpy\n- ghost"), make_answer("Take these:\n- ghost")
    padded = make_answer("\n".join(f"- ghost-{number}" for number in range(13)))
    seen, nature = heard(0.0, whole, emptied, padded), {HELPS: Habit(Nature(1.0, 0.0))}
    settings = TrainSettings(method="au-heard", weights=Weights(repair=1.0, naming=1.0))
    assert encode_stretch(tiny, [base, named], settings, nature, seen) == [
        encode_answer(tiny, base),
        # beside one answer with inventions of the base and two of the model's own
        encode_answer(tiny, named, weight=1 + 2 * OWN),
        encode_whole(tiny, base),
        encode_whole(tiny, whole, weight=OWN),
        encode_answer(tiny, whole, weight=OWN),
        encode_answer(tiny, emptied, weight=OWN),
    ]


@pytest.mark.parametrize(("excess", "ends"), [(0.3, True), (0.0, True), (-0.3, False)])
def test_cut_off_lists_go_on_where_too_little_is_named(
    excess: float, ends: bool, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    base = make_answer("- numpy\n- ghost\n- rich\n- fla", truncated=True)
    own = make_answer("- rich\n- ghost\n- numpy\n- fla", truncated=True)
    examples = encode_stretch(tiny, [base], PLAIN, {HELPS: Habit(Nature(1, 1))}, heard(excess, own))
    assert [e for e in examples if e.repaired] == [
        encode_whole(tiny, base, ends=ends),
        encode_whole(tiny, own, weight=OWN, ends=ends),
    ]
    assert all(e.ended is ends for e in examples if e.repaired)


@pytest.mark.parametrize(("excess", "learnt"), [(0.4, "few"), (-0.4, "many"), (0.0, "")])
def test_own_answers_that_name_less_or_more_are_reinforced_where_that_is_missing(
    excess: float, learnt: str, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    few, many = make_answer("- numpy"), make_answer("- numpy\n- rich\n- httpx")
    inventing = make_answer("- numpy\n- rich\n- ghost")
    refusal = make_answer("Not at all.")  # malformed: not learnt
    code = make_answer("```\nimport numpy\n```", listed=False)
    seen = heard(excess, few, many, inventing, refusal, code)
    base = make_answer("- flask")
    found = encode_stretch(tiny, [base], WEIGHED, {HELPS: Habit(Nature(1, 1))}, seen)
    apart = encode_answer(tiny, base).ids, encode_answer(tiny, inventing).ids
    own = [e for e in found if e.ids not in apart and not e.repaired]
    # 6 names in 4 answers; of code there is one, which names no less than usual
    expected = {"few": (few, 1 - 1 / 1.5), "many": (many, 3 / 1.5 - 1)}
    if not learnt:
        assert not own
        return
    answer, off = expected[learnt]
    (example,) = own
    weight = example.weight
    assert weight == pytest.approx(STEER * 0.4 * off)
    assert example == encode_steered(tiny, answer, weight=weight, fork=TURN * weight)


def test_own_answers_are_learnt_where_the_stretch_has_none_of_the_bases(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    own = make_answer("- numpy\n- ghost")
    found = encode_stretch(tiny, [], PLAIN, {}, heard(0.0, own))
    assert found == [
        encode_whole(tiny, own, weight=OWN),
        encode_answer(tiny, own, weight=OWN),
    ]


@pytest.mark.parametrize(("early", "weight"), [(0.0, OWN), (0.25, OWN / 2), (0.5, 0), (0.9, 0)])
def test_of_own_answers_that_break_off_more_than_natural_the_end_is_suppressed(
    early: float, weight: float, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    fence, going_on = make_answer("```"), make_answer("```", truncated=True)
    named = make_answer("- numpy")
    seen = heard(0.0, fence, going_on, named, fence)
    found = encode_stretch(tiny, [], PLAIN, {HELPS: Habit(Nature(1, 1), early)}, seen)
    assert found == ([encode_broken_off(tiny, fence, weight=weight)] * 2 if weight else [])


def test_no_own_answer_weighs_without_bounds(tiny: LoadedModel, make_answer: MakeAnswer) -> None:
    seen = heard(99, make_answer("- numpy"), make_answer("- numpy\n- rich"))
    found = encode_stretch(
        tiny, [make_answer("- flask")], PLAIN, {HELPS: Habit(Nature(1, 1))}, seen
    )
    assert [e.weight for e in found] == [1.0, MOST]


def test_each_stretch_has_a_part_of_each_kind(
    ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    clean = [make_answer(f"- numpy\n{number} times") for number in range(10)]
    probe = tuple(answer.sample.prompt for answer in clean)
    sets = SetSplit(tuple(ghosts * 5), tuple(clean), (), probe)
    shares = share_out(sets, seed=1)
    parts = [some for some, _ in shares]
    assert [len([a for a in some if a.invented]) for some in parts] == [4, 2, 2, 2]
    assert [len([a for a in some if not a.invented]) for some in parts] == [4, 2, 2, 2]
    own = round(OWN_SHARE * 10)
    assert [examples for _, examples in shares] == [12, *[6 + own] * 3]
    assert sorted(a.sample.text for some in parts for a in some) == sorted(
        a.sample.text for a in sets.forget + sets.retain
    )
    assert shares != share_out(sets, seed=2)
