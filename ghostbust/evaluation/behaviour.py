"""What adapters changed in what a model recommends, beside what the base changes by itself.

::

    Arm(base), Arm(base again), Arm(adapter) …  ─measure_behaviour─▶  Behaviour  ─tables─▶  Table …
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ghostbust.answer_faults import FAULTS
from ghostbust.evaluation import overlap, rates, volume
from ghostbust.evaluation.counting import (
    Counted,
    Sums,
    clusters_of,
    count_answers,
    count_faults,
    draw_together,
    share,
)
from ghostbust.evaluation.figures import (
    AGAIN,
    ALL,
    Behaviour,
    Change,
    Figures,
    Induced,
    NewNames,
    Overlap,
)
from ghostbust.evaluation.report import estimate, share_estimate
from ghostbust.records import Answer, Context
from ghostbust.statistics import RESAMPLES

WATCHED = (*FAULTS, "truncated")
NAME_RESAMPLES = 1000
"""fewer than elsewhere: each is a row of as many names as occur"""


@dataclass(frozen=True)
class Arm:
    """The answers of one model at one temperature. Every arm answered the same prompts."""

    name: str
    answers: Sequence[Answer]
    forgotten: frozenset[str] | None = None
    """keys of the names that the adapter was trained to forget; None where that isn't known"""

    @cached_property
    def faults(self) -> list[dict[str, float]]:
        """What is wrong with each answer."""
        return count_faults(self.answers)

    def counted(self, forgotten: frozenset[str], context: Context | None) -> Counted:
        """The counts of its answers in one context, or in all."""
        return count_answers(self.answers, self.faults, forgotten, context)

    def of(self, context: Context | None) -> list[Answer]:
        """Its answers in one context, or in all."""
        return [a for a in self.answers if context in (None, a.sample.prompt.context)]


def measure_behaviour(arms: Mapping[float, Sequence[Arm]], *, seed: int) -> Behaviour:
    """The figures of the arms at each temperature; the first arm is the base.

    An arm named ``AGAIN`` is the base once more, with another seed: the yardstick. Raises
    ValueError where the arms didn't answer prompts of the same families.
    """
    made: list[Figures] = []
    for temperature, (base, *others) in arms.items():
        again = next((arm for arm in others if arm.name == AGAIN), None)
        asked = {answer.sample.prompt.context for answer in base.answers}
        contexts = (None, *(context for context in Context if context in asked))
        made += [
            _figures(base, arm, again, temperature, context, seed)
            for arm in (base, *others)
            for context in contexts
        ]
    return Behaviour(tuple(made))


def _figures(
    base: Arm, arm: Arm, again: Arm | None, temperature: float, context: Context | None, seed: int
) -> Figures:
    known = arm.forgotten or frozenset()
    counted = [one.counted(known, context) for one in (base, arm)]
    before, after = draw_together(counted, seed=seed, resamples=RESAMPLES)
    compared = arm is not base
    families = len(set(counted[0].families))
    return Figures(
        arm=arm.name,
        temperature=temperature,
        context=context or ALL,
        families=families,
        answers=int(after["answers"][0]),
        names=int(after["named"][0]),
        unknown=int(after["unknown"][0]),
        local=int(after["local"][0]),
        unmapped=int(after["unmapped"][0]),
        rate=share_estimate(rates.rate(after), clusters_of(counted[1], "named")),
        answer_rate=share_estimate(rates.answer_rate(after), families),
        volume=estimate(volume.volume(after)),
        lengths=tuple(volume.lengths(after)[0].tolist()),
        faults={
            name: share_estimate(share(after[name], after["answers"]), families) for name in WATCHED
        },
        change=_change(before, after) if compared else None,
        new_names=_new_names(before, after) if arm.forgotten is not None else None,
        induced=_induced(before, after, compared=compared),
        overlap=_overlap(base, arm, again, context, seed) if compared and again else None,
    )


def _change(before: Sums, after: Sums) -> Change:
    return Change(
        drop=estimate(rates.drop(before, after, "invented", "named")),
        answer_drop=estimate(rates.drop(before, after, "with_invention", "answers")),
        volume_ratio=estimate(volume.volume_ratio(before, after)),
        length_distance=estimate(volume.length_distance(before, after)),
        faults={
            name: estimate(
                share(after[name], after["answers"]) - share(before[name], before["answers"])
            )
            for name in WATCHED
        },
    )


def _new_names(before: Sums, after: Sums) -> NewNames:
    new, every = float(before["new_invented"][0]), float(before["invented"][0])
    return NewNames(
        share=new / every if every else math.nan,
        rate=estimate(rates.new_name_rate(after)),
        base_rate=estimate(rates.new_name_rate(before)),
        drop=estimate(rates.drop(before, after, "new_invented", "new_named")),
    )


def _induced(before: Sums, after: Sums, *, compared: bool) -> Induced:
    named = float(after["induced"][0])
    every = named + float(after["not_induced"][0])
    drops = [
        estimate(rates.drop(before, after, part, "answers")) if compared else None
        for part in ("induced", "not_induced")
    ]
    return Induced(named / every if every else math.nan, *drops)


def _overlap(base: Arm, arm: Arm, again: Arm, context: Context | None, seed: int) -> Overlap | None:
    """The arm beside all answers of the base, as a share of those beside each other.

    The repeated base is set against the other half alone. None where no prompt has two answers.
    """
    own, first, second = (one.of(context) for one in (arm, base, again))
    between = overlap.across(own, first if arm is again else [*first, *second])
    counted = [between, overlap.within([*first, *second])]
    several = overlap.within(own)
    drawn = draw_together(
        [*counted, *([several] if several.families else [])], seed=seed, resamples=RESAMPLES
    )
    mine, yardstick = drawn[0], drawn[1]
    names = overlap.name_shares([first, second, own], seed=seed, resamples=NAME_RESAMPLES)
    common = overlap.common_share(names[2], names[0])
    if arm is not again:
        common = (common + overlap.common_share(names[2], names[1])) / 2
    return Overlap(
        dice=estimate(overlap.dice(mine)),
        ratio=estimate(overlap.dice_ratio(yardstick, mine)),
        own_ratio=estimate(overlap.dice_ratio(yardstick, drawn[2])) if several.families else None,
        common=estimate(common),
        common_ratio=estimate(share(common, overlap.common_share(names[0], names[1]))),
    )
