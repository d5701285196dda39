"""Which examples each stretch of a training that hears has, and what each of them weighs.

In each context apart, the three kinds of answers weigh what they do in nature (``examples.py``).
Only sound answers are kept or repaired; sound ones of their kind stand for the others. Behind a
look the model's own answers are learnt too: what it still invents is suppressed and repaired, the
end of what breaks off is suppressed, and where it names too much of what is real, or too little,
its answers that name less, or more, than others are reinforced: the half of REINFORCE (Williams
1992) that makes likelier. Beside them all stands bare code of the base, to be kept as it is.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, Prompt, SetSplit
from ghostbust.unlearners.data import Nature, encode_kinds
from ghostbust.unlearners.engine import Trainer, distance
from ghostbust.unlearners.masks import (
    Example,
    encode_answer,
    encode_bare,
    encode_broken_off,
    encode_steered,
    encode_whole,
)
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.methods.interface import MOST_LOOKS, SHARES
from ghostbust.unlearners.sets import (
    Group,
    Kinds,
    ends_early,
    grouped,
    is_sound,
    is_usable,
    spread,
)
from ghostbust.unlearners.settings import TrainSettings

if TYPE_CHECKING:
    import torch


# --- trim
# TRIM: the end of training, in which the volume is brought back to the base's.
#
# Repaired answers lower the volume and everything else raises it; where the two hold each other
# differs by model, by tasks and by set (docs/log.md). So training stops short and the model, with
#  the
# adapter as it is, answers train-side prompts. Then the rest of its answers is learnt, with
# heavier
# repaired forms where it names too much that is real, and only what names real packages where it
# names too little. On the line between the two states the adapter is taken from where it has the
# best chance to show both a lower rate and the base's volume: suppression grows along it, and the
# volume moves.

LOWER = 2.0
"""weight of repaired answers with which the volume falls"""

CLOSE = math.log(1.1)
"""a volume that is within this of the base's, as a logarithm, is right as it is"""

VOLUME, RATE = NormalDist(sigma=0.15), NormalDist(sigma=0.12)
"""how far what held-out prompts show may be from a look at some 140 prompts, estimated from the
runs in docs/log.md: of the volume's logarithm, and of the rate as a multiple of the base's"""

FURTHEST = 1.5
"""how far on the line between the two states it is followed: 1 is its end"""

WORTH = 0.05
"""a look is taken where it promises so much more of a chance"""

LEAST = 0.01
"""a ratio below this counts as this: a logarithm of none there is none"""


@dataclass(frozen=True, slots=True)
class Goal:
    """What held-out prompts have to show, as the gates will judge it; multiples of the base's."""

    volume_low: float = 0.8
    volume_high: float = 1.25
    most_rate: float = 0.5

    def chance(self, volume: float, rate: float) -> float:
        """How likely they are to show it, where a look showed this volume and this rate."""
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
    """what it said"""
    excess: Mapping[Group, float] = field(default_factory=dict)
    """logarithm of the volume in each context, as far as few answers say it"""


@dataclass(frozen=True, slots=True)
class Look:
    """What the model named at some point of the training."""

    steps: int
    share: float
    """how far on the line that the last stretch of training went: 0 its start, 1 its end; beyond 1
    it is drawn on, below 0 were the stretches before it"""
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
) -> tuple[Look, ...]:
    """Train on what is left, then go to where ``goal`` is nearest. Says what was seen.

    ``rest`` gives the answers that are left, their repaired forms at the given weight, which is
    ``repair`` where the volume is right as it is; for None, what raises the volume. ``probe`` asks
    the model. The weights that stay are among those that were looked at.
    """

    def look(share: float) -> Look:
        seen = probe()
        return Look(trainer.steps, share, seen.volume, seen.rate)

    looks = [look(0.0)]
    begin = trainer.weights()
    trainer.run(rest(_weight(looks[0], repair)))
    looks.append(look(1.0))
    settle(trainer, begin, looks, look, goal)
    return tuple(looks)


def settle(
    trainer: Trainer,
    begin: Sequence[torch.Tensor],
    looks: list[Look],
    look: Callable[[float], Look],
    goal: Goal,
) -> None:
    """Go to where ``goal`` is nearest on the line from ``begin`` to where the training is now.

    ``looks`` are those at both ends; more are added where they promise something.
    """
    end = trainer.weights()
    best = _best(looks, goal)
    while len(looks) < MOST_LOOKS:
        place = _best(_places(looks), goal)
        if _chance(place, goal) <= _chance(best, goal) + WORTH:
            break
        trainer.blend(begin, end, place.share)
        looks.append(look(place.share))
        best = _best(looks, goal)
    trainer.blend(begin, end, best.share)


def _best(looks: Sequence[Look], goal: Goal) -> Look:
    """The one with the best chance; where none has any, the nearest to the base's volume."""
    return max(looks, key=lambda look: (_chance(look, goal), -abs(look.log)))


def _chance(look: Look, goal: Goal) -> float:
    return goal.chance(look.volume, look.rate)


def _weight(first: Look, repair: float) -> float | None:
    """What repaired answers weigh in the last stretch; None where the volume has to rise."""
    if abs(first.log) <= CLOSE:
        return repair
    return LOWER if first.log > 0 else None


def _places(looks: Sequence[Look]) -> list[Look]:
    """What would be seen elsewhere, if rate and volume ran straight from one look to the next.

    Behind the last one only where no other volume would be right.
    """
    order = sorted(looks, key=lambda look: look.share)
    places = [_between(a, b, part / 20) for a, b in itertools.pairwise(order) for part in range(21)]
    if not any(abs(place.log) <= CLOSE for place in places):
        a, b = order[-2:]
        reach = (FURTHEST - b.share) / (b.share - a.share)
        places += [_between(a, b, 1 + reach * part / 20) for part in range(1, 21)]
    return places


def _between(a: Look, b: Look, part: float) -> Look:
    """What would be seen on the straight line from ``a`` to ``b``."""
    return Look(
        b.steps,
        a.share + part * (b.share - a.share),
        math.exp(a.log + part * (b.log - a.log)),
        max(0.0, a.rate + part * (b.rate - a.rate)),
    )


# --- hear
# HEAR: training in stretches, each of which knows what the model said just before it.
#
# What the base's answers alone teach moves the volume, and each model and set moves it another way
# (docs/log.md). So between stretches the model, with the adapter as it is, answers train-side
# prompts, and the next one learns from these answers too (``stretches.py``). On the line of the
# last
# stretch the adapter is taken from where rate and volume are best, as in ``trim.py``.


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the training."""

    examples: Callable[[Probed | None], Sequence[Example]]
    """what it learns, given what was seen just before it; None: nothing was"""
    steps: int
    """about how many it makes: the learning rate falls over all of them"""


def hear(
    trainer: Trainer, stretches: Sequence[Stretch], probe: Callable[[], Probed], goal: Goal
) -> tuple[Look, ...]:
    """Train stretch by stretch, then go to where ``goal`` is nearest. Says what was seen.

    ``probe`` asks the model; there are two stretches at least. The weights that stay are among
    those that were looked at.
    """
    looks: list[Look] = []
    seen: Probed | None = None

    def look(share: float) -> Look:
        nonlocal seen
        seen = probe()
        return Look(trainer.steps, share, seen.volume, seen.rate)

    *before, last = stretches
    for number, stretch in enumerate(before, 1):
        to_come = sum(later.steps for later in stretches[number:])
        trainer.run(stretch.examples(seen), to_come=to_come)
        looks.append(look(float(number - len(before))))
    begin = trainer.weights()
    trainer.run(last.examples(seen))
    line = [looks.pop(), look(1.0)]
    settle(trainer, begin, line, look, goal)
    return (*looks, *line)


# --- soup
# SOUP: several trainings from the same start, and what they have in common.
#
# Each training is steered by looks at a hundred prompts or two, learns other answers as far as
# there
# are any (``sets.deal``), and ends where its volume and its rate happen to be; what they have in
# common is what such answers teach. So each is a member, and their mean is taken (a model soup:
# Wortsman et al. 2022, arXiv 2203.05482). All members begin with the same A of each layer, which
# moves little; the mean of their A and B is then near the adapter whose change of the weights is
# the mean of theirs: off by 17 % of its norm where they learnt other answers (docs/log.md).
#
# A mean is nearer to the start than its members are, since what they did differently cancels out.
#  So
# its B goes on in the same direction, by as much as they are farther away. Asking the model on the
# way didn't help: two hundred answers can't tell the places apart (docs/log.md).

STEP = 1_000_003
"""from the seed of one member to that of the next"""


def member_seeds(seed: int, members: int) -> range:
    """The seeds of a round's trainings; the first one's is the round's."""
    return range(seed, seed + STEP * members, STEP)


def soup(
    trainer: Trainer, train: Callable[[int], tuple[Look, ...]], seeds: Sequence[int]
) -> tuple[Look, ...]:
    """Train once with each of the seeds, each time from where the trainer stands now, and go to
    their mean and beyond. ``train`` gets the seed. Says what was seen.

    The trainer is made with the first seed. One training is left where it ends.
    """
    start = trainer.weights()
    ends: list[list[torch.Tensor]] = []
    looks: list[Look] = []
    for number, seed in enumerate(seeds):
        if number:
            trainer.begin_anew(start, seed)
        looks += train(seed)
        ends.append(trainer.weights())
    if len(ends) > 1:
        mean = [torch.stack(same).mean(0) for same in zip(*ends, strict=True)]
        trainer.go_beyond(start, mean, farther(start, ends, mean))
    return tuple(looks)


def farther(
    start: Sequence[torch.Tensor],
    ends: Sequence[Sequence[torch.Tensor]],
    mean: Sequence[torch.Tensor],
) -> float:
    """How much farther from the start the ends are than their mean, as a factor: 1 where they are
    the same, √n for n that have nothing in common, and no more where they work against each other.
    """
    reach, most = distance(start, mean), math.sqrt(len(ends))
    far = sum(distance(start, end) for end in ends) / len(ends)
    return min(far / reach, most) if reach else 1.0


# --- stretches
# Which examples each stretch of a training that hears has, and what each of them weighs.
#
# In each context apart, the three kinds of answers weigh what they do in nature (``examples.py``).
# Only sound answers are kept or repaired; sound ones of their kind stand for the others. Behind a
# look the model's own answers are learnt too: what it still invents is suppressed and repaired,
# the
# end of what breaks off is suppressed, and where it names too much of what is real, or too little,
# its answers that name less, or more, than others are reinforced: the half of REINFORCE (Williams
# 1992) that makes likelier. Beside them all stands bare code of the base, to be kept as it is.

OWN = 1.5
"""weight of what the model under training invents, beside what the base does; found on SmolLM2"""

OWN_SHARE = 0.5
"""about so many examples the model's own answers of a look make, for each prompt"""

STEER, TURN = 3.0, 0.3
"""weight of an own answer for each unit of the volume's logarithm, and what the forks in it weigh
beside that; found on SmolLM2"""

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
    """Code of the base by itself, to be kept as it is: that of its answers without inventions."""

    def __init__(self, answers: Iterable[Answer], prompts: Iterable[Prompt], seed: int) -> None:
        """That of families of the ``prompts``, which are asked while it trains, is left out; in a
        seeded order.
        """
        asked = {prompt.family for prompt in prompts}
        self._left = [
            answer
            for answer in sorted(answers, key=lambda answer: answer.sample.id)
            if answer.sample.prompt.context is Context.CODE
            and answer.sample.prompt.family not in asked
            and is_usable(answer)
            and not answer.invented
        ]
        random.Random(seed).shuffle(self._left)  # noqa: S311

    def draw(self, loaded: LoadedModel, steps: int) -> list[Example]:
        """``BARE_PER_STEP`` for each of so many steps, as far as there are any, in turn."""
        drawn = self._left[: BARE_PER_STEP * steps]
        self._left = [*self._left[len(drawn) :], *drawn]
        examples = (encode_bare(loaded, answer) for answer in drawn)
        return [example for example in examples if example is not None]


def share_out(sets: SetSplit, seed: int) -> list[tuple[list[Answer], int]]:
    """Each stretch's answers, alike in contexts and kinds, and about how many examples it has."""
    parts: list[list[Answer]] = [[] for _ in SHARES]
    for answers in (sets.forget, sets.retain):
        order = sorted(answers, key=lambda answer: answer.sample.id)
        random.Random(seed).shuffle(order)  # noqa: S311
        order = spread(order)
        begin = 0.0
        for some, share in zip(parts, SHARES, strict=True):
            some += order[round(begin * len(order)) : round((begin + share) * len(order))]
            begin += share
    own = [0] + [round(OWN_SHARE * len(sets.probe))] * (len(parts) - 1)
    return [
        (some, len(some) + sum(bool(answer.invented) for answer in some) + more)
        for some, more in zip(parts, own, strict=True)
    ]


def encode_stretch(
    loaded: LoadedModel,
    answers: Sequence[Answer],
    settings: TrainSettings,
    habits: Habits,
    heard: Probed | None = None,
    bare: BareCode | None = None,
) -> list[Example]:
    """The answers, and those with inventions once more without them, if they weigh anything; with
    what was ``heard``, the model's own, too; with ``bare`` code, if it weighs anything, some for
    each step.
    """
    base = grouped(one for one in answers if one.invented or is_sound(one))
    own = {} if heard is None else grouped(filter(is_usable, heard.answers))
    examples: list[Example] = []
    for group in base | own:
        kinds, its = Kinds.of(base.get(group, ())), Kinds.of(own.get(group, ()))
        habit = habits.get(group, Habit(Nature(0, 0)))
        excess = 0.0 if heard is None else heard.excess.get(group, 0.0)
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
    """The repaired forms that are sound, and what those weigh together that aren't, by their kind.

    Where too little is named, lists that were cut off have no end.
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

    Of ends that come too early only so much is suppressed as is more than natural: suppressed
    everywhere, lists don't end either (docs/log.md, 2026-11-30).
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
