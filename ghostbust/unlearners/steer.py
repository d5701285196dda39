"""Keeping the volume while training: stages, between which the model itself is sampled.

What the base's answers teach alone moves the volume, and each model and set moves it another way
(docs/log.md). So between stages the model, with the adapter as it is, answers train-side prompts,
and the later stages depend on what it names. On the line of the last stage, from its start to its
end, the adapter is taken where it has the best chance to show both a lower rate and the base's
volume: suppression grows along the line, and the volume moves.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, Prompt, SetSplit
from ghostbust.unlearners.data import Nature, cut, encode_kinds
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import (
    Example,
    encode_answer,
    encode_bare,
    encode_broken_off,
    encode_steered,
    encode_whole,
)
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import (
    Group,
    Kinds,
    ends_early,
    grouped,
    is_sound,
    is_usable,
)
from ghostbust.unlearners.settings import MOST_LOOKS, SHARES, TrainSettings

LOWER = 2.0
"""weight of repaired answers with which the volume falls"""

CLOSE = math.log(1.1)
"""a volume within this of the base's, as a logarithm, is right as it is"""

VOLUME, RATE = NormalDist(sigma=0.15), NormalDist(sigma=0.12)
"""how far a result on held-out prompts may be from one on some 140 train-side prompts, estimated
from the runs in docs/log.md: of the volume's logarithm, and of the rate as a multiple of the
base's"""

FURTHEST = 1.5
"""how far the line of the last stage is extended; 1 is its end"""

WORTH = 0.05
"""the model is sampled once more where that promises so much more of a chance"""

LEAST = 0.01
"""the least ratio whose logarithm is taken: it is undefined for 0"""


@dataclass(frozen=True, slots=True)
class Goal:
    """What training aims at: bands of real names and of the rate, as multiples of the base's."""

    volume_low: float = 0.8
    volume_high: float = 1.25
    most_rate: float = 0.5

    def chance(self, volume: float, rate: float) -> float:
        """How likely they are to show it, where train-side prompts showed this."""
        log = math.log(max(volume, LEAST))
        low, high = (math.log(limit) - log for limit in (self.volume_low, self.volume_high))
        return (VOLUME.cdf(high) - VOLUME.cdf(low)) * RATE.cdf(self.most_rate - rate)


@dataclass(frozen=True, slots=True)
class Probed:
    """What a model names to some prompts."""

    volume: float
    """real names per answer, as a multiple of the base's"""
    rate: float
    """hallucination rate, as a multiple of the base's; 0 where it names nothing"""
    answers: tuple[Answer, ...] = ()
    excess: Mapping[Group, float] = field(default_factory=dict)
    """logarithm of the volume in each context, as far as few answers say it"""


@dataclass(frozen=True, slots=True)
class ProbePoint:
    """What the model named at some point of the training."""

    steps: int
    share: float
    """place on the line of the last stage: 0 its start, 1 its end, above 1 on its extension; below
    0 are the ends of earlier stages"""
    volume: float
    rate: float

    @property
    def log(self) -> float:
        """Above 0 where it names too much, below where it names too little."""
        return math.log(max(self.volume, LEAST))


def trim(
    trainer: Trainer,
    rest: Callable[[float | None], Sequence[Example]],
    probe: Callable[[], Probed],
    *,
    repair: float,
    goal: Goal,
) -> tuple[ProbePoint, ...]:
    """TRIM: train on what is left, then go to where the chance is best. Returns what was probed.

    ``rest`` gives the answers that are left, with this weight of repaired forms: ``repair`` where
    the volume is right, a higher one where the model names too much, None where it names too
    little.
    """

    def look(share: float) -> ProbePoint:
        seen = probe()
        return ProbePoint(trainer.steps, share, seen.volume, seen.rate)

    first = look(0.0)
    weight: float | None = repair
    if abs(first.log) > CLOSE:
        weight = LOWER if first.log > 0 else None
    begin = trainer.weights()
    trainer.run(rest(weight))
    return settle(trainer, begin, [first, look(1.0)], look, goal)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training."""

    examples: Callable[[Probed | None], Sequence[Example]]
    """what it learns, given what the model named just before; None: it wasn't sampled"""
    steps: int
    """about how many it makes: the learning rate falls over all of them"""


def train_in_stages(
    trainer: Trainer, stages: Sequence[Stage], probe: Callable[[], Probed], goal: Goal
) -> tuple[ProbePoint, ...]:
    """HEAR: train stage by stage, two at least, then go to where the chance is best on the line of
    the last one. Returns what was probed.
    """
    looks: list[ProbePoint] = []
    seen: Probed | None = None

    def look(share: float) -> ProbePoint:
        nonlocal seen
        seen = probe()
        return ProbePoint(trainer.steps, share, seen.volume, seen.rate)

    *before, last = stages
    for number, stage in enumerate(before, 1):
        to_come = sum(later.steps for later in stages[number:])
        trainer.run(stage.examples(seen), to_come=to_come)
        looks.append(look(float(number - len(before))))
    begin = trainer.weights()
    trainer.run(last.examples(seen))
    return (*looks[:-1], *settle(trainer, begin, [looks[-1], look(1.0)], look, goal))


def settle(
    trainer: Trainer,
    begin: Sequence[torch.Tensor],
    looks: list[ProbePoint],
    look: Callable[[float], ProbePoint],
    goal: Goal,
) -> tuple[ProbePoint, ...]:
    """Go to the best probed point of the line from ``begin`` to where the training is now.

    ``looks`` are the points at both ends; more are probed while they promise a better chance.
    Returns all of them.
    """

    def chance(point: ProbePoint) -> float:
        return goal.chance(point.volume, point.rate)

    def best(points: Sequence[ProbePoint]) -> ProbePoint:
        """The one with the best chance; where none has any, the nearest to the base's volume."""
        return max(points, key=lambda point: (chance(point), -abs(point.log)))

    end = trainer.weights()
    while len(looks) < MOST_LOOKS:
        place = best(_places(looks))
        if chance(place) <= chance(best(looks)) + WORTH:
            break
        trainer.blend(begin, end, place.share)
        looks.append(look(place.share))
    trainer.blend(begin, end, best(looks).share)
    return tuple(looks)


def _places(looks: Sequence[ProbePoint]) -> list[ProbePoint]:
    """What other points of the line would show, if rate and volume ran straight between probes.

    Beyond the last one only where no other volume would be right.
    """

    def between(a: ProbePoint, b: ProbePoint, part: float) -> ProbePoint:
        return ProbePoint(
            b.steps,
            a.share + part * (b.share - a.share),
            math.exp(a.log + part * (b.log - a.log)),
            max(0.0, a.rate + part * (b.rate - a.rate)),
        )

    order = sorted(looks, key=lambda look: look.share)
    places = [between(a, b, part / 20) for a, b in itertools.pairwise(order) for part in range(21)]
    if not any(abs(place.log) <= CLOSE for place in places):
        a, b = order[-2:]
        reach = (FURTHEST - b.share) / (b.share - a.share)
        places += [between(a, b, 1 + reach * part / 20) for part in range(1, 21)]
    return places


# The examples of a stage of HEAR. In each context, the three kinds of answers weigh what they do in
# nature (``data.py``). Only sound answers are kept or repaired; sound ones stand in for the others
# of their kind. After the first stage the model's own answers are learnt, too: what it still
# invents is suppressed and repaired; the end of what breaks off is suppressed; and where it names
# too many real packages, or too few, its answers that name fewer, or more, than others are
# reinforced: the half of REINFORCE (Williams 1992) that makes answers likelier. Bare code of the
# base stands beside them, to be kept as it is.

OWN = 1.5
"""weight of what the model under training invents, beside what the base does; found on SmolLM2"""

OWN_SHARE = 0.5
"""about so many examples come of the model's own answers, for each prompt"""

STEER, TURN = 3.0, 0.3
"""weight of an own answer for each unit of the volume's logarithm, and of the forks in it beside
that; found on SmolLM2"""

BARE_PER_STEP = 2
"""pieces of bare code in each step"""

MOST = 5.0
"""the most that any answer weighs, however rare its kind is in the set"""


@dataclass(frozen=True, slots=True)
class Habit:
    """What a model does in one context before it is trained."""

    kinds: Nature
    early: float = 0.0
    """share of its answers that end where none should"""


Habits = Mapping[Group, Habit]


def habits_of(answers: Iterable[Answer]) -> Habits:
    """What is natural in each context."""
    return {
        group: Habit(Nature.of(some), sum(map(ends_early, some)) / len(some))
        for group, some in grouped(answers).items()
    }


class BareCode:
    """Code of the base without a prompt: from its answers without inventions."""

    def __init__(self, answers: Iterable[Answer], prompts: Iterable[Prompt], seed: int) -> None:
        """In a seeded order; without the families of the ``prompts``, which are probed while it
        trains.
        """
        probed = {prompt.family for prompt in prompts}
        self._left = [
            answer
            for answer in sorted(answers, key=lambda answer: answer.sample.id)
            if answer.sample.prompt.context is Context.CODE
            and answer.sample.prompt.family not in probed
            and is_usable(answer)
            and not answer.invented
        ]
        random.Random(seed).shuffle(self._left)  # noqa: S311

    def draw(self, loaded: LoadedModel, steps: int) -> list[Example]:
        """``BARE_PER_STEP`` for each of so many steps, in turn, as far as there are any."""
        drawn = self._left[: BARE_PER_STEP * steps]
        self._left = [*self._left[len(drawn) :], *drawn]
        examples = (encode_bare(loaded, answer) for answer in drawn)
        return [example for example in examples if example is not None]


def share_out(sets: SetSplit, seed: int) -> list[tuple[list[Answer], int]]:
    """Each stage's answers, and about how many examples it has."""
    parts = cut(sets, SHARES, seed)
    own = [0] + [round(OWN_SHARE * len(sets.probe))] * (len(parts) - 1)
    return [
        (some, len(some) + sum(bool(answer.invented) for answer in some) + more)
        for some, more in zip(parts, own, strict=True)
    ]


def encode_stage(
    loaded: LoadedModel,
    answers: Sequence[Answer],
    settings: TrainSettings,
    habits: Habits,
    probed: Probed | None = None,
    bare: BareCode | None = None,
) -> list[Example]:
    """The answers and their repaired forms, the model's own where it was ``probed``, and ``bare``
    code for each step, as far as the settings give them a weight.
    """
    base = grouped(one for one in answers if one.invented or is_sound(one))
    own = {} if probed is None else grouped(filter(is_usable, probed.answers))
    examples: list[Example] = []
    for group in base | own:
        kinds, its = Kinds.of(base.get(group, ())), Kinds.of(own.get(group, ()))
        habit = habits.get(group, Habit(Nature(0, 0)))
        excess = 0.0 if probed is None else probed.excess.get(group, 0.0)
        repaired, lost = _repaired(loaded, kinds, its, settings.weights.repair, excess)
        examples += encode_kinds(
            loaded,
            kinds,
            settings,
            habit.kinds,
            inventing=len(kinds.inventing) + OWN * len(its.inventing),
            besides=lost,
            most=MOST,
        )
        examples += repaired
        examples += _own(loaded, its, settings, excess, habit.early)
    if bare is not None and settings.weights.bare:
        examples += bare.draw(loaded, math.ceil(len(examples) / settings.answers_per_step))
    return examples


def _repaired(
    loaded: LoadedModel, base: Kinds, own: Kinds, weight: float, excess: float
) -> tuple[list[Example], Nature]:
    """The sound repaired forms, and the weight of the others by their kind.

    Where the model names too little, lists that were cut off don't end.
    """
    examples: list[Example] = []
    naming = silent = 0.0
    for kinds, each in ((base, weight), (own, OWN * weight)):
        for answer in kinds.inventing if weight else ():
            example = encode_whole(loaded, answer, weight=each, ends=excess >= -CLOSE)
            if example is not None:
                examples.append(example)
            elif answer.real:
                naming += each
            else:
                silent += each
    return examples, Nature(naming, silent)


def _own(
    loaded: LoadedModel, kinds: Kinds, settings: TrainSettings, excess: float, early: float
) -> list[Example]:
    """Answers of the model under training of one group.

    Ends that come too early are suppressed only as far as there are more than natural: where all
    were suppressed, lists didn't end either (docs/log.md, 2026-11-30).
    """
    masking = method_named(settings.method).masking
    examples = [encode_answer(loaded, one, weight=OWN, masking=masking) for one in kinds.inventing]
    clean = kinds.naming + kinds.silent
    ended = [one for one in clean if ends_early(one)]
    more = len(ended) - early * len(kinds.inventing + clean)
    if more > 0:
        examples += [
            encode_broken_off(loaded, one, weight=OWN * more / len(ended)) for one in ended
        ]
    named = [len(answer.real) for answer in kinds.inventing + clean]
    usual = sum(named) / len(named) if any(named) else math.inf
    for answer in clean:
        weight = min(MOST, STEER * excess * (1 - len(answer.real) / usual))
        if weight > 0 and is_sound(answer):
            examples.append(encode_steered(loaded, answer, weight=weight, fork=TURN * weight))
    return examples
