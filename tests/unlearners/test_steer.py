"""Steering: which stage learns what, what its answers weigh, and where the weights are taken."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, Ecosystem, SetSplit
from ghostbust.unlearners.data import Nature
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import (
    FORK,
    Example,
    encode_answer,
    encode_broken_off,
    encode_steered,
    encode_whole,
)
from ghostbust.unlearners.settings import MOST_LOOKS, SHARES, TrainSettings, Weights
from ghostbust.unlearners.steer import (
    BARE_PER_STEP,
    FURTHEST,
    LOWER,
    MOST,
    OWN,
    OWN_SHARE,
    STEER,
    TURN,
    BareCode,
    Goal,
    Habit,
    Probed,
    ProbePoint,
    Stage,
    encode_stage,
    habits_of,
    share_out,
    train_in_stages,
    trim,
)

GOAL = Goal(0.8, 1.25, 0.5)
EXAMPLES = [Example((1, 2), 1, (2,))]


@dataclass
class FakeTrainer:
    """Its one weight says how many stages it made, or where between two of them it was put."""

    at: float = 0.0
    steps: int = 0
    to_come: list[int] = field(default_factory=list)

    def run(self, examples: Sequence[Example], *, to_come: int = 0) -> None:
        self.steps += len(examples)
        self.at += 1
        self.to_come.append(to_come)

    def weights(self) -> list[torch.Tensor]:
        return [torch.tensor(self.at)]

    def blend(
        self, first: Sequence[torch.Tensor], last: Sequence[torch.Tensor], share: float
    ) -> None:
        self.at = float(torch.lerp(first[0], last[0], share))


def trimmed(
    seen: Callable[[float], Probed],
) -> tuple[tuple[ProbePoint, ...], list[float | None], float]:
    """What trim probed, which weights of repaired forms it asked for, and where it went."""
    trainer, asked = FakeTrainer(), list[float | None]()

    def rest(weight: float | None) -> list[Example]:
        asked.append(weight)
        return EXAMPLES * (1 if weight is None else 2)

    looks = trim(cast("Trainer", trainer), rest, lambda: seen(trainer.at), repair=1.0, goal=GOAL)
    return looks, asked, trainer.at


def straight(*places: tuple[float, float, float]) -> Callable[[float], Probed]:
    """Volume and rate by share: straight from one (share, volume, rate) to the next."""

    def seen(share: float) -> Probed:
        for (a, volume, rate), (b, volume_b, rate_b) in itertools.pairwise(places):
            if share <= b:
                part = (share - a) / (b - a)
                return Probed(volume * (volume_b / volume) ** part, rate + part * (rate_b - rate))
        return Probed(*places[-1][1:])

    return seen


@pytest.mark.parametrize(
    ("first", "weight"), [(2.0, LOWER), (1.2, LOWER), (1.05, 1.0), (0.95, 1.0), (0.8, None)]
)
def test_the_last_stage_of_a_trim_goes_where_the_volume_is_missing(
    first: float, weight: float | None
) -> None:
    looks, asked, place = trimmed(straight((0, first, 0.9), (1, 1.0, 0.2)))
    assert [(look.steps, look.share) for look in looks] == [(0, 0.0), (2 if weight else 1, 1.0)]
    assert [look.volume for look in looks] == [first, pytest.approx(1.0)]
    assert [look.rate for look in looks] == [0.9, pytest.approx(0.2)]
    assert (asked, place) == ([weight], 1.0)


@pytest.mark.parametrize(
    "places",
    [
        [(0, 2.0, 0.9), (1, 0.5, 0.2)],
        [(0, 0.5, 0.3), (1, 2.0, 0.1)],
        [(0, 1.0, 0.9), (1, 1.0, 0.1)],
        [(0, 1.0, 0.1), (1, 1.0, 0.9)],
        [(0, 1.03, 0.9), (1, 0.79, 0.2)],
        [(0, 2.0, 0.6), (0.6, 1.5, 0.4), (1, 0.5, 0.2)],
        [(0, 4.0, 0.8), (1, 1.5, 0.3), (1.5, 0.95, 0.1)],
    ],
)
def test_the_weights_are_taken_where_the_chances_are_best(
    places: list[tuple[float, float, float]],
) -> None:
    seen = straight(*places)
    found, _, went = trimmed(seen)
    assert [look.share for look in found[:2]] == [0.0, 1.0]
    assert 2 <= len(found) <= MOST_LOOKS
    (stayed,) = (look for look in found if look.share == pytest.approx(went))
    possible = [seen(part / 100 * places[-1][0]) for part in range(101)]
    best = max(GOAL.chance(one.volume, one.rate) for one in possible)
    chances = [GOAL.chance(look.volume, look.rate) for look in found]
    assert GOAL.chance(stayed.volume, stayed.rate) == max(chances) > best - 0.1


def test_the_chance_is_of_both_limits_at_once() -> None:
    assert GOAL.chance(1.0, 0.1) == pytest.approx(0.863, abs=0.001)
    assert GOAL.chance(1.25, 0.1) == pytest.approx(0.5, abs=0.01)
    assert GOAL.chance(1.0, 0.5) == pytest.approx(0.863 / 2, abs=0.001)
    assert GOAL.chance(0.0, 0.0) == 0
    assert GOAL.chance(1.03, 0.9) < GOAL.chance(0.79, 0.2)
    assert Goal(0.9, 1.1, 0.15).chance(1.0, 0.0) < GOAL.chance(1.0, 0.0)


@pytest.mark.parametrize(
    ("first", "last", "furthest"),
    [(4.0, 1.6, FURTHEST), (0.3, 0.5, FURTHEST), (4.0, 3.0, 1.0), (1.3, 1.4, 1.0)],
)
def test_the_line_is_extended_only_where_it_leads_to_the_bases_volume(
    first: float, last: float, furthest: float
) -> None:
    seen = straight((0, first, 0.3), (1, last, 0.2), (2, last * last / first, 0.1))
    found, _, _ = trimmed(seen)
    assert max(look.share for look in found) == furthest


def test_a_model_that_falls_silent_stays_where_it_began() -> None:
    looks, _, place = trimmed(lambda _: Probed(0.0, 0.0))
    assert (len(looks), place) == (2, 0.0)


@pytest.mark.parametrize(
    ("rates", "went"),
    # the first stage's end would be the best of all in the second case, and isn't on the line
    [((0.9, 0.5, 0.2), 3.0), ((0.1, 0.3, 0.9), 2.0)],
)
def test_each_stage_knows_what_was_probed_before_it(rates: Sequence[float], went: float) -> None:
    trainer, told = FakeTrainer(), list[Probed | None]()
    seen = [Probed(1.0, rate) for rate in rates]
    probes = iter(seen)

    def learn(before: Probed | None) -> list[Example]:
        told.append(before)
        return EXAMPLES * 4

    looks = train_in_stages(
        cast("Trainer", trainer), [Stage(learn, 1)] * 3, lambda: next(probes), GOAL
    )
    assert told == [None, *seen[:2]]
    assert [(look.steps, look.share) for look in looks] == [(4, -1.0), (8, 0.0), (12, 1.0)]
    assert [Probed(look.volume, look.rate) for look in looks] == seen
    assert trainer.at == went
    assert trainer.to_come == [2, 1, 0], "the learning rate falls over all stages"


MakeAnswer = Callable[..., Answer]
PLAIN = TrainSettings(method="au-heard", weights=Weights(repair=1.0))
WEIGHED = TrainSettings(method="au-heard", weights=Weights(naming=1.2, silent=0.5))
SILENT = "- json"
"""a whole answer that names no package: one of the standard library"""
HELPS, CODE = (Ecosystem.PYPI, Context.HELPS), (Ecosystem.PYPI, Context.CODE)


@pytest.fixture
def ghosts(make_answer: MakeAnswer) -> list[Answer]:
    return [make_answer("- numpy\n- ghost"), make_answer("- ghost")]


def test_what_is_not_sound_is_natural_and_not_kept(
    tiny: LoadedModel, ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    fence, colon, prose = (
        make_answer(text) for text in ("```", "These packages help:", "Not at all.")
    )
    installer = make_answer("- pip")
    sound, more = make_answer(SILENT), make_answer("- pip\n- rich")
    answers = [*ghosts, fence, colon, prose, installer, sound, more]
    code = make_answer("```\nimport numpy\n```", listed=False)
    habits = {HELPS: Habit(Nature(1, 2), early=2 / 8), CODE: Habit(Nature(2, 0))}
    assert habits_of([*answers, code, code]) == habits
    found = encode_stage(tiny, answers, PLAIN, {})
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
    found = encode_stage(tiny, [emptied, broken, named, silent], settings, nature)
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
    weights = [e.weight for e in encode_stage(tiny, [silent, *ghosts, named], WEIGHED, nature)]
    # the natural weight of two with inventions is 4 of the naming and 6 of the silent ones
    assert weights == [1.0, 1.0, 1.2 * 4, 0.5 * 6]
    weights = [e.weight for e in encode_stage(tiny, [*ghosts, *[named] * 5], WEIGHED, nature)]
    assert weights == [1.0, 1.0, *[1.2 * 4 / 5] * 5]
    rare = {HELPS: Habit(Nature(naming=2.0, silent=30.0))}
    weights = [e.weight for e in encode_stage(tiny, [silent, *ghosts, named], WEIGHED, rare)]
    assert weights[-1] == MOST, "one answer doesn't stand for all of its kind"


def test_every_step_has_bare_code(tiny: LoadedModel, make_answer: MakeAnswer) -> None:
    def code(number: int, family: str = "family", name: str = "json") -> Answer:
        return make_answer(f"```\nimport {name}\nx = {number}\n```", family=family, listed=False)

    def drawn(settings: TrainSettings, *bare: BareCode) -> list[str]:
        found = encode_stage(tiny, answers, settings, {}, None, *bare)
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


def probed(excess: float, *answers: Answer) -> Probed:
    return Probed(1.0, 0.5, answers, {HELPS: excess, CODE: 9.0})


def test_what_the_model_itself_invents_is_suppressed_and_repaired(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    base, named = make_answer("- ghost-a\n- rich"), make_answer("- numpy\n- rich")
    whole, emptied = make_answer("- numpy\n- ghost"), make_answer("Take these:\n- ghost")
    padded = make_answer("\n".join(f"- ghost-{number}" for number in range(13)))
    seen, nature = probed(0.0, whole, emptied, padded), {HELPS: Habit(Nature(1.0, 0.0))}
    settings = TrainSettings(method="au-heard", weights=Weights(repair=1.0, naming=1.0))
    assert encode_stage(tiny, [base, named], settings, nature, seen) == [
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
    examples = encode_stage(tiny, [base], PLAIN, {HELPS: Habit(Nature(1, 1))}, probed(excess, own))
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
    seen = probed(excess, few, many, inventing, refusal, code)
    base = make_answer("- flask")
    found = encode_stage(tiny, [base], WEIGHED, {HELPS: Habit(Nature(1, 1))}, seen)
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
    unbounded = encode_stage(
        tiny, [base], PLAIN, {HELPS: Habit(Nature(1, 1))}, probed(99, few, many)
    )
    assert [e.weight for e in unbounded] == [1.0, MOST]


@pytest.mark.parametrize(("early", "weight"), [(0.0, OWN), (0.25, OWN / 2), (0.5, 0), (0.9, 0)])
def test_of_own_answers_that_break_off_more_than_natural_the_end_is_suppressed(
    early: float, weight: float, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    fence, going_on = make_answer("```"), make_answer("```", truncated=True)
    named = make_answer("- numpy")
    seen = probed(0.0, fence, going_on, named, fence)
    found = encode_stage(tiny, [], PLAIN, {HELPS: Habit(Nature(1, 1), early)}, seen)
    assert found == ([encode_broken_off(tiny, fence, weight=weight)] * 2 if weight else [])


def test_each_stage_has_about_so_many_examples(
    ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    clean = [make_answer(f"- numpy\n{number} times") for number in range(10)]
    probe = tuple(answer.sample.prompt for answer in clean)
    shares = share_out(SetSplit(tuple(ghosts * 5), tuple(clean), (), probe), seed=1)
    assert [len(some) for some, _ in shares] == [8, 4, 4, 4]
    assert [examples for _, examples in shares] == [12, *[6 + round(OWN_SHARE * 10)] * 3]
    assert math.fsum(SHARES) == pytest.approx(1)
