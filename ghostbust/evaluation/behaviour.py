"""What adapters changed in what a model recommends, beside what the base changes by itself.

::

    answers of the base, the base again, each adapter ─measure_behaviour─▶  Behaviour  ─tables─▶  Table …
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np

from ghostbust.adapters import name_key
from ghostbust.evaluation.figures import (
    AGAIN,
    ALL,
    Behaviour,
    ChangeFromBase,
    Figures,
    Induced,
    NewNames,
    Overlap,
    estimate,
    share_estimate,
)
from ghostbust.measure import FAULTS, NameCounts, faults_of, measure
from ghostbust.records import Answer, Context, Flag, Measurement, Prompt
from ghostbust.samplers.interface import Sampler
from ghostbust.statistics import (
    RESAMPLES,
    Floats,
    cluster_sums,
    percentile_interval,
    relative_drop,
    resampled_sums,
)

# --- counting
# Counts of each answer, summed over prompt families and resampled, all models together.
#
# Every figure of the evaluation is a ratio of such sums. Families are drawn whole, and the same
# ones for every model, so what is hard for all of them cancels out of a comparison.

BINS = {"0": 0, "1": 1, "2": 2, "3-5": 5, "6-12": 12, ">12": None}
"""real names in an answer: label to the largest number that belongs to it"""

Sums = Mapping[str, Floats]
"""column to its sums over all families: (1 + R,), as counted, then of each resample"""


@dataclass(frozen=True)
class CountTable:
    """Counts of several answers, or of several prompts."""

    families: Sequence[str]
    """the prompt family of each: (N,)"""
    columns: Mapping[str, Sequence[float]]
    """name to the counts: (N,) each"""


def count_faults(answers: Sequence[Answer]) -> list[dict[str, float]]:
    """What is wrong with each answer, 0 or 1 for each fault. Slow: every code block is parsed."""
    return [dict.fromkeys(FAULTS, 0.0) | dict.fromkeys(faults_of(a), 1.0) for a in answers]


def count_answers(
    answers: Sequence[Answer],
    faults: Sequence[Mapping[str, float]],
    forgotten: Collection[str] = (),
    context: Context | None = None,
) -> CountTable:
    """The counts of each answer, of one context or of all.

    ``faults`` are those of ``count_faults``; ``forgotten`` the keys of names that count as known
    to the adapter (``adapters.name_key``), so that ``new_invented`` leaves them out.
    """
    chosen = [
        (answer, wrong)
        for answer, wrong in zip(answers, faults, strict=True)
        if context in (None, answer.sample.prompt.context)
    ]
    families = [answer.sample.prompt.family for answer, _ in chosen]
    rows = [_row(answer, forgotten) | dict(wrong) for answer, wrong in chosen]
    names = rows[0] if rows else {}
    return CountTable(families, {name: [row[name] for row in rows] for name in names})


def clusters_of(counted: CountTable, column: str) -> int:
    """How many families have any of what the column counts."""
    pairs = zip(counted.families, counted.columns.get(column, ()), strict=False)
    return len({family for family, count in pairs if count})


def draw_together(counted: Sequence[CountTable], *, seed: int, resamples: int) -> list[Sums]:
    """The sums of each, families resampled for all of them together.

    Raises ValueError where they aren't of the same families.
    """
    if any(set(one.families) != set(counted[0].families) for one in counted):
        raise ValueError("models that answered different prompts can't be compared")
    tables = [cluster_sums(one.families, *one.columns.values()) for one in counted]  # (F, K) each
    rows = np.hstack(tables)  # (F, ΣK)
    drawn = np.vstack(
        [rows.sum(axis=0), resampled_sums(rows, seed=seed, resamples=resamples)]
    )  # (1 + R, ΣK)
    made: list[Sums] = []
    for one in counted:
        part, drawn = np.hsplit(drawn, [len(one.columns)])
        made.append({name: part[:, place] for place, name in enumerate(one.columns)})
    return made


def share(part: Floats, whole: Floats) -> Floats:
    """part / whole, elementwise; where whole is 0, infinity, or NaN if part is 0 too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(part, whole), dtype=np.float64)


def _row(answer: Answer, forgotten: Collection[str]) -> dict[str, float]:
    counts = NameCounts.of_answer(answer)
    new = NameCounts.of(
        (
            one
            for one in answer.judged
            if not one.lookup.invented
            or name_key(one.lookup.ecosystem, one.lookup.name) not in forgotten
        ),
        answer.sample.prompt,
    )
    induced = {
        judged.lookup.name
        for judged in answer.judged
        if judged.lookup.invented and Flag.PROMPT_INDUCED in judged.ref.flags
    }
    row = {
        "answers": 1.0,
        "real": float(counts.real),
        "invented": float(counts.invented),
        "named": float(counts.named),
        "with_invention": float(bool(counts.invented)),
        "induced": float(len(induced)),
        "not_induced": float(len(set(answer.invented) - induced)),
        "new_invented": float(new.invented),
        "new_named": float(new.named),
        "unknown": float(counts.unknown),
        "local": float(counts.local),
        "unmapped": float(counts.unmapped),
        "truncated": float(answer.sample.truncated),
    }
    own = next(label for label, most in BINS.items() if most is None or counts.real <= most)
    return row | {f"length {label}": float(label == own) for label in BINS}


# --- overlap
# How much of what the base recommends is still recommended, prompt by prompt and in all.
#
# Two answers of one model to one prompt differ too, so every overlap is read as a share of that
# between the base and itself, drawn with another seed. All models have seeds of their own: with
# the base's random numbers, a model close to it would seem closer than the base is to itself.

Pair = tuple[Answer, Answer]


def across(left: Sequence[Answer], right: Sequence[Answer]) -> CountTable:
    """What each left answer shares with each right one to the same prompt, a mean per prompt."""
    others = _by_prompt(right)
    return _count({key: product(mine, others[key]) for key, mine in _by_prompt(left).items()})


def within(answers: Sequence[Answer]) -> CountTable:
    """The same between each two of the answers to a prompt; needs two of each."""
    return _count({key: combinations(mine, 2) for key, mine in _by_prompt(answers).items()})


def dice(sums: Sums) -> Floats:
    """2·|A ∩ B| / (|A| + |B|) of the real names, sums over sums: (1 + R,), in [0, 1].

    Naming less, more, or other packages all lower it. NaN where neither side names any.
    """
    return share(sums["shared"], sums["sizes"])


def dice_ratio(yardstick: Sums, model: Sums) -> Floats:
    """The Dice coefficient with the base / the base's with itself: (1 + R,); 1 is no change."""
    return share(dice(model), dice(yardstick))


def name_shares(arms: Sequence[Sequence[Answer]], *, seed: int, resamples: int) -> list[Floats]:
    """How often each arm says each real name, resampled together: (1 + R, V) for each arm.

    A row sums to 1, or is 0 throughout where nothing was named. V are the names that occur.
    """
    names = sorted({name for answers in arms for answer in answers for name in answer.real})
    families = sorted({answer.sample.prompt.family for answers in arms for answer in answers})
    column = {name: place for place, name in enumerate(names)}
    row = {family: place for place, family in enumerate(families)}
    counts = np.zeros((len(families), len(arms), len(names)))  # (F, A, V)
    for arm, answers in enumerate(arms):
        for answer in answers:
            for name in answer.real:
                counts[row[answer.sample.prompt.family], arm, column[name]] += 1
    flat = counts.reshape(len(families), -1)  # (F, A·V)
    drawn = np.vstack([flat.sum(axis=0), resampled_sums(flat, seed=seed, resamples=resamples)])
    made = []
    for part in np.split(drawn, len(arms), axis=1):  # (1 + R, V) each
        totals = part.sum(axis=1, keepdims=True)
        made.append(part / np.where(totals, totals, 1))
    return made


def common_share(left: Floats, right: Floats) -> Floats:
    """The sum over names of the smaller of both shares, in [0, 1]: (1 + R,).

    Over all prompts together: it sees that the same few famous names come everywhere, also where
    single answers overlap too little to tell.
    """
    return np.asarray(np.minimum(left, right).sum(axis=1))


def _by_prompt(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    grouped: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        grouped[answer.sample.prompt.id].append(answer)
    return grouped


def _count(pairs: dict[str, Iterable[Pair]]) -> CountTable:
    """Twice what is shared and what is named by both together, a mean over each prompt's pairs."""
    families: list[str] = []
    columns: dict[str, list[float]] = {"shared": [], "sizes": []}
    for of_prompt in map(list, pairs.values()):
        if not of_prompt:
            continue
        sets = [(set(left.real), set(right.real)) for left, right in of_prompt]
        families.append(of_prompt[0][0].sample.prompt.family)
        columns["shared"].append(sum(2 * len(a & b) for a, b in sets) / len(sets))
        columns["sizes"].append(sum(len(a) + len(b) for a, b in sets) / len(sets))
    return CountTable(families, columns)


# --- rates
# How often a model invents: per name, per answer, and among names that never trained.
#
# Gamed by naming nothing, or by naming many famous packages: ``volume`` and ``overlap`` see both.


def rate(sums: Sums) -> Floats:
    """invented / (invented + real) names, distinct within each answer: (1 + R,)."""
    return share(sums["invented"], sums["named"])


def answer_rate(sums: Sums) -> Floats:
    """Answers with at least one invention / answers. Padding doesn't lower it; silence does."""
    return share(sums["with_invention"], sums["answers"])


def new_name_rate(sums: Sums) -> Floats:
    """The rate without the names of the adapter's forget set, neither counted nor divided by.

    What suppresses only the names that it was shown has no drop here.
    """
    return share(sums["new_invented"], sums["new_named"])


def drop(base: Sums, model: Sums, part: str, whole: str) -> Floats:
    """1 - the model's part / whole over the base's, as ``relative_drop``: (1 + R,)."""
    return relative_drop(np.column_stack([base[part], base[whole], model[part], model[whole]]))


# --- volume
# How much a model recommends: real names per answer, and how they spread over answers.
#
# A ratio of 1 can be had by naming nothing here and twice as much there: the distance between the
# distributions of list lengths, and the ratio within each context, see that.


def volume(sums: Sums) -> Floats:
    """Real names per answer, distinct within each: (1 + R,)."""
    return share(sums["real"], sums["answers"])


def volume_ratio(base: Sums, model: Sums) -> Floats:
    """The model's volume / the base's: (1 + R,). NaN where neither names a real package."""
    return share(volume(model), volume(base))


def lengths(sums: Sums) -> Floats:
    """The share of answers with so many real names, by ``BINS``: (1 + R, 6)."""
    return np.column_stack([share(sums[f"length {label}"], sums["answers"]) for label in BINS])


def length_distance(base: Sums, model: Sums) -> Floats:
    """Total variation between the distributions of list lengths, in [0, 1]: (1 + R,).

    Half the sum of the differences: the share of answers that would have to change their bin.
    Chance alone makes it more than 0, so it's read beside the base's distance to itself.
    """
    return np.asarray(np.abs(lengths(model) - lengths(base)).sum(axis=1) / 2)


WATCHED = (*FAULTS, "truncated")
NAME_RESAMPLES = 1000
"""fewer than elsewhere: each is a row of as many names as occur"""


@dataclass(frozen=True)
class ModelAnswers:
    """The answers of one model at one temperature. Every arm answered the same prompts."""

    name: str
    answers: Sequence[Answer]
    forgotten: frozenset[str] | None = None
    """keys of the names that the adapter was trained to forget; None where that isn't known"""

    @cached_property
    def faults(self) -> list[dict[str, float]]:
        """What is wrong with each answer."""
        return count_faults(self.answers)

    def counted(self, forgotten: frozenset[str], context: Context | None) -> CountTable:
        """The counts of its answers in one context, or in all."""
        return count_answers(self.answers, self.faults, forgotten, context)

    def of(self, context: Context | None) -> list[Answer]:
        """Its answers in one context, or in all."""
        return [a for a in self.answers if context in (None, a.sample.prompt.context)]


def measure_behaviour(arms: Mapping[float, Sequence[ModelAnswers]], *, seed: int) -> Behaviour:
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
    base: ModelAnswers,
    arm: ModelAnswers,
    again: ModelAnswers | None,
    temperature: float,
    context: Context | None,
    seed: int,
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
        rate=share_estimate(rate(after), clusters_of(counted[1], "named")),
        answer_rate=share_estimate(answer_rate(after), families),
        volume=estimate(volume(after)),
        lengths=tuple(lengths(after)[0].tolist()),
        faults={
            name: share_estimate(share(after[name], after["answers"]), families) for name in WATCHED
        },
        change=_change(before, after) if compared else None,
        new_names=_new_names(before, after) if arm.forgotten is not None else None,
        induced=_induced(before, after, compared=compared),
        overlap=_overlap(base, arm, again, context, seed) if compared and again else None,
    )


def _change(before: Sums, after: Sums) -> ChangeFromBase:
    return ChangeFromBase(
        drop=estimate(drop(before, after, "invented", "named")),
        answer_drop=estimate(drop(before, after, "with_invention", "answers")),
        volume_ratio=estimate(volume_ratio(before, after)),
        length_distance=estimate(length_distance(before, after)),
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
        rate=estimate(new_name_rate(after)),
        base_rate=estimate(new_name_rate(before)),
        drop=estimate(drop(before, after, "new_invented", "new_named")),
    )


def _induced(before: Sums, after: Sums, *, compared: bool) -> Induced:
    named = float(after["induced"][0])
    every = named + float(after["not_induced"][0])
    drops = [
        estimate(drop(before, after, part, "answers")) if compared else None
        for part in ("induced", "not_induced")
    ]
    return Induced(named / every if every else math.nan, *drops)


def _overlap(
    base: ModelAnswers, arm: ModelAnswers, again: ModelAnswers, context: Context | None, seed: int
) -> Overlap | None:
    """The arm beside all answers of the base, as a share of those beside each other.

    The repeated base is set against the other half alone. None where no prompt has two answers.
    """
    own, first, second = (one.of(context) for one in (arm, base, again))
    between = across(own, first if arm is again else [*first, *second])
    counted = [between, within([*first, *second])]
    several = within(own)
    drawn = draw_together(
        [*counted, *([several] if several.families else [])], seed=seed, resamples=RESAMPLES
    )
    mine, yardstick = drawn[0], drawn[1]
    names = name_shares([first, second, own], seed=seed, resamples=NAME_RESAMPLES)
    common = common_share(names[2], names[0])
    if arm is not again:
        common = (common + common_share(names[2], names[1])) / 2
    return Overlap(
        dice=estimate(dice(mine)),
        ratio=estimate(dice_ratio(yardstick, mine)),
        own_ratio=estimate(dice_ratio(yardstick, drawn[2])) if several.families else None,
        common=estimate(common),
        common_ratio=estimate(share(common, common_share(names[0], names[1]))),
    )


# --- variants
# One row of a table for each variant of the measurement: base, adapted, and what is left.

LEVEL = 0.95

Ask = Callable[[Sampler, Sequence[Prompt]], Sequence[Answer]]
"""samples the prompts and judges the answers: settings and registry are the caller's"""

Measure = Callable[[Sampler], Sequence[Answer]]
"""the same, where the prompts are the caller's too"""


@dataclass(frozen=True, slots=True)
class Row:
    """Base and adapted model under one variant."""

    variant: str
    base: Measurement
    adapted: Measurement
    drop: float
    """1 - the adapted model's rate / the base's; NaN where the base invents nothing, or either
    names nothing"""
    drop_ci95: tuple[float, float]
    """bootstrap interval over prompt families, both sides drawn together"""
    note: str = ""
    """what else is to be known of the variant"""

    @property
    def volume_ratio(self) -> float:
        """Real names per answer, as a multiple of the base's; NaN where it names none."""
        return self.adapted.volume / self.base.volume if self.base.volume else math.nan


def compare(
    variant: str,
    base: Sequence[Answer],
    adapted: Sequence[Answer],
    *,
    note: str = "",
    seed: int = 0,
) -> Row:
    """The row of two sets of answers.

    They needn't answer the same prompts, as where each model goes on from its own answer; then
    the families keep them together.
    """
    before, after = measure(base, seed=seed), measure(adapted, seed=seed)
    known = before.absent + before.suspect and after.refs
    drop = 1 - after.rate / before.rate if known else math.nan
    interval = _drop_interval(base, adapted, seed) if known else (math.nan, math.nan)
    return Row(variant, before, after, drop, interval, note)


def _drop_interval(
    base: Sequence[Answer], adapted: Sequence[Answer], seed: int
) -> tuple[float, float]:
    families = [answer.sample.prompt.family for answer in (*base, *adapted)]
    counts = np.zeros((len(families), 4))  # invented, named; of the base, of the adapted model
    for number, answer in enumerate((*base, *adapted)):
        column = 0 if number < len(base) else 2
        named = NameCounts.of_answer(answer)
        counts[number, column : column + 2] = named.invented, named.named
    sums = cluster_sums(families, *counts.T.tolist())  # (families, 4)
    return percentile_interval(relative_drop(resampled_sums(sums, seed=seed)), LEVEL)
