"""Which examples each stretch of a training that hears has, and what each of them weighs.

In each context apart, the three kinds of answers weigh what they do in nature (``examples.py``).
Only sound answers are kept or repaired; sound ones of their kind stand for the others. Behind a
look the model's own answers are learnt too: what it still invents is suppressed and repaired, the
end of what breaks off is suppressed, and where it names too much of what is real, or too little,
its answers that name less, or more, than others are reinforced: the half of REINFORCE (Williams
1992) that makes likelier. Beside them all stands bare code of the base, to be kept as it is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, Prompt, SetSplit
from ghostbust.unlearners.examples import Nature, encode_kinds
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
    spread,
)
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steering import SHARES
from ghostbust.unlearners.trim import CLOSE, Probed

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
