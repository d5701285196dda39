"""What adapters changed in what a model recommends, beside what the base changes by itself.

::

    answers of the base, the base again, each adapter ─measure_behaviour─▶ Behaviour ─tables─▶ Table

Every figure is a ratio of counts, summed over prompt families. Families are resampled whole, and
the same ones for every model, so what is hard for all of them cancels out of a comparison. How each
figure could be won by cheating, and which other one then loses: docs/guides/evaluation.md.
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
from ghostbust.answer_faults import FAULTS, faults_of
from ghostbust.evaluation.figures import (
    AGAIN,
    ALL,
    LEVEL,
    Behaviour,
    ChangeFromBase,
    Figures,
    Induced,
    NewNames,
    Overlap,
    estimate,
    share_estimate,
)
from ghostbust.measure import NameCounts, measure
from ghostbust.records import Answer, Context, Flag, Measurement, Prompt
from ghostbust.samplers.interface import Sampler
from ghostbust.statistics import (
    RESAMPLES,
    Floats,
    Interval,
    cluster_sums,
    percentile_interval,
    relative_drop,
    resampled_sums,
)

BINS = {"0": 0, "1": 1, "2": 2, "3-5": 5, "6-12": 12, ">12": None}
"""real names in an answer: label to the largest number that belongs to it"""
WATCHED = (*FAULTS, "truncated")
NAME_RESAMPLES = 1000
"""fewer than elsewhere: each is a row of as many names as occur"""

Sums = Mapping[str, Floats]
"""column to its sums over all families: (1 + R,), as counted, then of each resample"""


@dataclass(frozen=True)
class ModelAnswers:
    """The answers of one model at one temperature. Every model answered the same prompts."""

    name: str
    answers: Sequence[Answer]
    forgotten: frozenset[str] | None = None
    """keys (``adapters.name_key``) of the names that the adapter was trained to forget; None where
    that isn't known"""

    @cached_property
    def faults(self) -> list[dict[str, float]]:
        """What is wrong with each answer, 0 or 1. Kept, as every block of code is parsed for it."""
        return [
            dict.fromkeys(FAULTS, 0.0) | dict.fromkeys(faults_of(answer), 1.0)
            for answer in self.answers
        ]

    def of(self, context: Context | None) -> list[Answer]:
        """Its answers in one context, or in all."""
        return [a for a in self.answers if context in (None, a.sample.prompt.context)]

    def counted(self, forgotten: Collection[str], context: Context | None = None) -> CountTable:
        """The counts of its answers in one context, or in all.

        ``new_invented`` and ``new_named`` leave the ``forgotten`` names out.
        """
        chosen = [
            (answer, faults)
            for answer, faults in zip(self.answers, self.faults, strict=True)
            if context in (None, answer.sample.prompt.context)
        ]
        rows = [_row(answer, forgotten) | faults for answer, faults in chosen]
        names = rows[0] if rows else {}
        families = [answer.sample.prompt.family for answer, _ in chosen]
        return CountTable(families, {name: [row[name] for row in rows] for name in names})


def measure_behaviour(models: Mapping[float, Sequence[ModelAnswers]], *, seed: int) -> Behaviour:
    """The figures of the models at each temperature; the first model is the base.

    One named ``AGAIN`` is the base once more, with another seed: the yardstick. Raises ValueError
    where the models didn't answer prompts of the same families.
    """
    found: list[Figures] = []
    for temperature, (base, *others) in models.items():
        again = next((one for one in others if one.name == AGAIN), None)
        asked = {answer.sample.prompt.context for answer in base.answers}
        contexts = (None, *(context for context in Context if context in asked))
        found += [
            _figures(base, model, again, temperature, context, seed)
            for model in (base, *others)
            for context in contexts
        ]
    return Behaviour(tuple(found))


def _figures(
    base: ModelAnswers,
    model: ModelAnswers,
    again: ModelAnswers | None,
    temperature: float,
    context: Context | None,
    seed: int,
) -> Figures:
    forgotten = model.forgotten or frozenset()
    counted = [one.counted(forgotten, context) for one in (base, model)]
    before, after = draw_together(counted, seed=seed, resamples=RESAMPLES)
    compared = model is not base
    families = len(set(counted[0].families))
    faults_before, faults = (
        {name: share(sums[name], sums["answers"]) for name in WATCHED} for sums in (before, after)
    )
    change = ChangeFromBase(
        drop=estimate(drop(before, after, "invented", "named")),
        answer_drop=estimate(drop(before, after, "with_invention", "answers")),
        volume_ratio=estimate(volume_ratio(before, after)),
        length_distance=estimate(length_distance(before, after)),
        faults={name: estimate(faults[name] - faults_before[name]) for name in WATCHED},
    )
    new_names = NewNames(
        share=_ratio(before["new_invented"][0], before["invented"][0]),
        rate=estimate(share(after["new_invented"], after["new_named"])),
        base_rate=estimate(share(before["new_invented"], before["new_named"])),
        drop=estimate(drop(before, after, "new_invented", "new_named")),
    )
    induced, others = "induced", "not_induced"
    return Figures(
        model=model.name,
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
        faults={name: share_estimate(values, families) for name, values in faults.items()},
        change=change if compared else None,
        new_names=new_names if model.forgotten is not None else None,
        induced=Induced(
            share=_ratio(after[induced][0], after[induced][0] + after[others][0]),
            drop=estimate(drop(before, after, induced, "answers")) if compared else None,
            other_drop=estimate(drop(before, after, others, "answers")) if compared else None,
        ),
        overlap=_overlap(base, model, again, context, seed) if compared and again else None,
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _overlap(
    base: ModelAnswers,
    model: ModelAnswers,
    again: ModelAnswers,
    context: Context | None,
    seed: int,
) -> Overlap:
    """The model beside all answers of the base, as a share of those beside each other.

    Two answers of one model to one prompt differ too, so every overlap is read as a share of that
    between the base and itself. All models have seeds of their own: with the base's random numbers,
    a model close to it would seem closer than the base is to itself. The repeated base is compared
    with the other half of the base alone.
    """
    own, first, second = (one.of(context) for one in (model, base, again))
    between = across(own, first if model is again else [*first, *second])
    several = within(own)
    tables = [between, within([*first, *second]), *([several] if several.families else [])]
    drawn = draw_together(tables, seed=seed, resamples=RESAMPLES)
    yardstick = dice(drawn[1])
    names = name_shares([first, second, own], seed=seed, resamples=NAME_RESAMPLES)
    common = common_share(names[2], names[0])
    if model is not again:
        common = (common + common_share(names[2], names[1])) / 2
    return Overlap(
        dice=estimate(dice(drawn[0])),
        ratio=estimate(share(dice(drawn[0]), yardstick)),
        own_ratio=estimate(share(dice(drawn[2]), yardstick)) if several.families else None,
        common=estimate(common),
        common_ratio=estimate(share(common, common_share(names[0], names[1]))),
    )


# Counts by family, drawn for all models together


@dataclass(frozen=True)
class CountTable:
    """Counts of several answers, or of several prompts, a column for each thing counted."""

    families: Sequence[str]
    """the prompt family of each: (N,)"""
    columns: Mapping[str, Sequence[float]]
    """name to the counts: (N,) each"""


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
    drawn = _drawn(np.hstack(tables), seed, resamples)  # (1 + R, ΣK)
    found: list[Sums] = []
    for one in counted:
        part, drawn = np.hsplit(drawn, [len(one.columns)])
        found.append({name: part[:, place] for place, name in enumerate(one.columns)})
    return found


def _drawn(rows: Floats, seed: int, resamples: int) -> Floats:
    """Column sums of ``rows`` (F, K), as they are, then of each resample of rows: (1 + R, K)."""
    return np.vstack([rows.sum(axis=0), resampled_sums(rows, seed=seed, resamples=resamples)])


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


# Figures from sums: (1 + R,) each, as measured, then of each resample


def share(part: Floats, whole: Floats) -> Floats:
    """part / whole, elementwise; where whole is 0, infinity, or NaN if part is 0 too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(part, whole), dtype=np.float64)


def rate(sums: Sums) -> Floats:
    """invented / (invented + real) names, distinct within each answer.

    Falls with every famous name that pads an answer: `volume` and the overlap see that.
    """
    return share(sums["invented"], sums["named"])


def answer_rate(sums: Sums) -> Floats:
    """Answers with at least one invention / answers. Padding doesn't lower it; silence does."""
    return share(sums["with_invention"], sums["answers"])


def drop(base: Sums, model: Sums, part: str, whole: str) -> Floats:
    """1 - the model's part / whole over the base's, as ``relative_drop``."""
    return relative_drop(np.column_stack([base[part], base[whole], model[part], model[whole]]))


def volume(sums: Sums) -> Floats:
    """Real names per answer, distinct within each."""
    return share(sums["real"], sums["answers"])


def volume_ratio(base: Sums, model: Sums) -> Floats:
    """The model's volume / the base's. NaN where neither names a real package.

    A model that names nothing here and twice as much there has a ratio of 1: `length_distance` and
    the ratio within each context see that.
    """
    return share(volume(model), volume(base))


def lengths(sums: Sums) -> Floats:
    """The share of answers with so many real names, by ``BINS``: (1 + R, 6)."""
    return np.column_stack([share(sums[f"length {label}"], sums["answers"]) for label in BINS])


def length_distance(base: Sums, model: Sums) -> Floats:
    """Total variation between the distributions of list lengths, in [0, 1].

    Half the sum of the differences: the share of answers that would have to change their bin.
    Chance alone makes it more than 0, so it's read beside the base's distance to itself.
    """
    return np.asarray(np.abs(lengths(model) - lengths(base)).sum(axis=1) / 2)


# Overlap of the names of two sets of answers


def across(left: Sequence[Answer], right: Sequence[Answer]) -> CountTable:
    """What each left answer shares with each right one to the same prompt, a mean per prompt."""
    others = _by_prompt(right)
    return _shared({key: product(mine, others[key]) for key, mine in _by_prompt(left).items()})


def within(answers: Sequence[Answer]) -> CountTable:
    """The same between each two of the answers to a prompt; needs two of each."""
    return _shared({key: combinations(mine, 2) for key, mine in _by_prompt(answers).items()})


def dice(sums: Sums) -> Floats:
    """2·|A ∩ B| / (|A| + |B|) of the real names, sums over sums: (1 + R,), in [0, 1].

    Naming less, more, or other packages all lower it. NaN where neither side names any.
    """
    return share(sums["shared"], sums["sizes"])


def name_shares(models: Sequence[Sequence[Answer]], *, seed: int, resamples: int) -> list[Floats]:
    """How often each model says each real name, resampled together: (1 + R, V) for each.

    A row sums to 1, or is 0 throughout where nothing was named. V are the names that occur.
    """
    names = sorted({name for answers in models for answer in answers for name in answer.real})
    families = sorted({answer.sample.prompt.family for answers in models for answer in answers})
    column = {name: place for place, name in enumerate(names)}
    row = {family: place for place, family in enumerate(families)}
    counts = np.zeros((len(families), len(models), len(names)))  # (F, A, V)
    for number, answers in enumerate(models):
        for answer in answers:
            for name in answer.real:
                counts[row[answer.sample.prompt.family], number, column[name]] += 1
    drawn = _drawn(counts.reshape(len(families), -1), seed, resamples)  # (1 + R, A·V)
    found = []
    for part in np.split(drawn, len(models), axis=1):  # (1 + R, V) each
        totals = part.sum(axis=1, keepdims=True)
        found.append(part / np.where(totals, totals, 1))
    return found


def common_share(left: Floats, right: Floats) -> Floats:
    """The sum over names of the smaller of both shares, in [0, 1]: (1 + R,).

    Over all prompts together: it sees that the same few famous names come everywhere, also where
    single answers overlap too little to show it.
    """
    return np.asarray(np.minimum(left, right).sum(axis=1))


def _by_prompt(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    grouped: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        grouped[answer.sample.prompt.id].append(answer)
    return grouped


def _shared(pairs: Mapping[str, Iterable[tuple[Answer, Answer]]]) -> CountTable:
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


# The base beside one adapter under one variant of the measurement

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
    drop_ci95: Interval
    """bootstrap interval over prompt families, both sides drawn together"""
    note: str = ""
    """what else a reader has to know of the variant"""

    @property
    def volume_ratio(self) -> float:
        """Real names per answer, as a multiple of the base's; NaN where it names none."""
        return _ratio(self.adapted.volume, self.base.volume)


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
    if not (before.absent + before.suspect and after.refs):
        return Row(variant, before, after, math.nan, (math.nan, math.nan), note)
    families = [answer.sample.prompt.family for answer in (*base, *adapted)]
    counts = np.zeros((len(families), 4))  # invented, named; of the base, of the adapted model
    for number, answer in enumerate((*base, *adapted)):
        column = 0 if number < len(base) else 2
        named = NameCounts.of_answer(answer)
        counts[number, column : column + 2] = named.invented, named.named
    drops = relative_drop(resampled_sums(cluster_sums(families, *counts.T.tolist()), seed=seed))
    interval = percentile_interval(drops, LEVEL)
    return Row(variant, before, after, 1 - after.rate / before.rate, interval, note)
