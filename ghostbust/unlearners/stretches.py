"""Which examples each stretch of a training that hears has, and what each of them weighs.

In each context apart, the three kinds of answers weigh what they do in nature (``examples.py``).
Behind a look the model's own answers are learnt too: what it still invents is suppressed and
repaired, and where it names too much of what is real, or too little, its answers that name less, or
more, than others are reinforced: the half of REINFORCE (Williams 1992) that makes likelier.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence

from ghostbust.answer_faults import breaks_off, faults_of
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, SetSplit
from ghostbust.unlearners.engine import TrainSettings
from ghostbust.unlearners.examples import Nature, encode_kinds
from ghostbust.unlearners.masks import Example, encode_answer, encode_whole
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import Group, Kinds, grouped, is_usable, spread
from ghostbust.unlearners.trim import CLOSE, Probed

SHARES = (0.5, 0.25, 0.25)
"""of the answers, learnt in each stretch; before each further one the model is looked at"""

OWN = 1.5
"""weight of what the model under training invents, beside what the base does; found on SmolLM2"""

OWN_SHARE = 0.5
"""about so many examples the model's own answers of a look make, for each prompt"""

STEER = 3.0
"""weight of an own answer for each unit of the volume's logarithm; found on SmolLM2"""

MOST = 5.0
"""the most that any answer weighs, however rare its kind is in the set"""

Natures = Mapping[Group, Nature]


def natures(answers: Iterable[Answer]) -> Natures:
    """What is natural in each context, of answers that are whole."""
    return {group: Nature.of(some) for group, some in grouped(filter(is_whole, answers)).items()}


def is_whole(answer: Answer) -> bool:
    """False for an answer that ended where none should, which isn't to be kept.

    What the base says often enough and in few tokens, such as a fence and an end, likelihood makes
    it say ever more often (docs/log.md, 2026-11-29). One with inventions has its repaired form.
    """
    sample = answer.sample
    return bool(answer.invented) or sample.truncated or not breaks_off(sample.text)


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
    natural: Natures,
    heard: Probed | None = None,
) -> list[Example]:
    """The answers, and those with inventions once more without them, if they weigh anything; with
    what was ``heard``, the model's own, too.
    """
    base = grouped(filter(is_whole, answers))
    own = {} if heard is None else grouped(filter(is_usable, heard.answers))
    repair = settings.weights.repair
    examples: list[Example] = []
    for group in base | own:
        kinds, its = Kinds.of(base.get(group, ())), Kinds.of(own.get(group, ()))
        excess = 0.0 if heard is None else heard.excess.get(group, 0.0)
        examples += encode_kinds(
            loaded,
            kinds,
            settings,
            natural.get(group, Nature(0, 0)),
            inventing=len(kinds.inventing) + OWN * len(its.inventing),
            most=MOST,
        )
        examples += _repaired(loaded, kinds.inventing, repair, excess)
        examples += _own(loaded, its, settings, excess)
    return examples


def _own(
    loaded: LoadedModel, kinds: Kinds, settings: TrainSettings, excess: float
) -> list[Example]:
    """Answers of the model under training of one group."""
    masking, weights = method_named(settings.method).masking, settings.weights
    examples = [encode_answer(loaded, one, weight=OWN, masking=masking) for one in kinds.inventing]
    examples += _repaired(loaded, kinds.inventing, OWN * weights.repair, excess)
    clean = kinds.naming + kinds.silent
    named = [len(answer.real) for answer in kinds.inventing + clean]
    usual = sum(named) / len(named) if any(named) else math.inf
    for answer in clean:
        weight = min(MOST, STEER * excess * (1 - len(answer.real) / usual))
        if weight > 0 and not faults_of(answer):
            examples.append(encode_answer(loaded, answer, weight=weight, masking=masking))
    return examples


def _repaired(
    loaded: LoadedModel, inventing: Sequence[Answer], weight: float, excess: float
) -> list[Example]:
    """Their repaired forms; where too little is named, lists that were cut off have no end."""
    if not weight:
        return []
    ends = excess >= -CLOSE
    made = (encode_whole(loaded, one, weight=weight, ends=ends) for one in inventing)
    return [example for example in made if example is not None]
