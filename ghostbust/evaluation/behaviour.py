"""What adapters changed in what a model recommends, beside what the base changes by itself.

::

    answers of the base, the base again, each adapter ─measure_behaviour─▶ Behaviour ─tables─▶ Table

Every figure is a ratio of counts, summed over prompt families. Families are resampled whole, and
the same ones for every model, so what is hard for all of them cancels out of a comparison. How each
figure could be won by cheating, and which other one then loses: docs/guides/evaluation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from ghostbust.adapters import name_key
from ghostbust.answer_faults import FAULTS, faults_of
from ghostbust.evaluation.agreement import AskedCode, install_counts
from ghostbust.evaluation.figures import (
    AGAIN,
    ALL,
    BASE,
    LEVEL,
    Agreement,
    Behaviour,
    ChangeFromBase,
    Figures,
    Induced,
    NewNames,
    estimate,
    share_estimate,
)
from ghostbust.measure import NameCounts, measure, own_real_names
from ghostbust.records import Answer, Context, Flag, Measurement, Prompt
from ghostbust.samplers.interface import Sampler
from ghostbust.side_by_side import BaseNames
from ghostbust.statistics import (
    RESAMPLES,
    Floats,
    Interval,
    cluster_sums,
    percentile_interval,
    relative_drop,
    resampled_sums,
)

COUNTED = (
    "answers", "real", "invented", "named", "inventing", "unknown", "local", "unmapped",
    "installers",
)  # fmt: skip
"""figures of an answer that are those of `NameCounts`"""
AGREEMENT = {
    "missing": ("install_missing", "install_imported"),
    "unused": ("install_unused", "install_named"),
    "agreeing": ("install_agreeing", "install_answers"),
    "recall": ("needs_found", "needs_asked"),
    "precision": ("needs_right", "needs_named"),
}
"""each figure of `Agreement` as a part and a whole"""
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

    def rows(self, base: Yardstick) -> list[dict[str, float]]:
        """The counts of each answer."""
        own = self.name in (BASE, AGAIN)
        return [
            _row(answer, base, own=own) | faults
            for answer, faults in zip(self.answers, self.faults, strict=True)
        ]


@dataclass(frozen=True)
class Yardstick:
    """What the base says to the prompts, all its answers together."""

    names: BaseNames
    code: AskedCode

    @classmethod
    def of(cls, *models: ModelAnswers) -> Self:
        """Of the base's answers, and of those of the base again."""
        answers = [answer for model in models for answer in model.answers]
        return cls(BaseNames(answers), AskedCode(answers))


def counted(
    model: ModelAnswers,
    rows: Sequence[Mapping[str, float]],
    forgotten: Collection[str],
    context: Context | None = None,
) -> CountTable:
    """The counts of the model's answers in one context, or in all; ``rows`` are its own.

    ``new_invented`` and ``new_named`` leave the ``forgotten`` names out.
    """
    chosen = [
        (answer.sample.prompt.family, {**row, **_new(answer, forgotten)})
        for answer, row in zip(model.answers, rows, strict=True)
        if context in (None, answer.sample.prompt.context)
    ]
    columns = chosen[0][1] if chosen else {}
    return CountTable(
        [family for family, _ in chosen],
        {name: [row[name] for _, row in chosen] for name in columns},
    )


def measure_behaviour(models: Mapping[float, Sequence[ModelAnswers]], *, seed: int) -> Behaviour:
    """The figures of the models at each temperature; the first model is the base.

    One named ``AGAIN`` is the base once more, with another seed: the yardstick. At temperature 0
    the base would only repeat itself, so there its one answer stands for both. Raises ValueError
    where the models didn't answer prompts of the same families.
    """
    found: list[Figures] = []
    for temperature, (base, *others) in models.items():
        again = next((one for one in others if one.name == AGAIN), base)
        yardstick = Yardstick.of(base, again)
        rows = {model.name: model.rows(yardstick) for model in (base, *others)}
        asked = {answer.sample.prompt.context for answer in base.answers}
        contexts = (None, *(context for context in Context if context in asked))
        found += [
            _figures(base, model, rows, temperature, context, seed)
            for model in (base, *others)
            for context in contexts
        ]
    return Behaviour(tuple(found))


def _figures(
    base: ModelAnswers,
    model: ModelAnswers,
    rows: Mapping[str, Sequence[Mapping[str, float]]],
    temperature: float,
    context: Context | None,
    seed: int,
) -> Figures:
    forgotten = model.forgotten or frozenset()
    tables = [counted(one, rows[one.name], forgotten, context) for one in (base, model)]
    before, after = draw_together(tables, seed=seed, resamples=RESAMPLES)
    compared = model is not base
    families = len(set(tables[0].families))
    faults_before, faults = (
        {name: share(sums[name], sums["answers"]) for name in WATCHED} for sums in (before, after)
    )
    known_before, known = (
        distinct(one, context, seed=seed, resamples=NAME_RESAMPLES) for one in (base, model)
    )
    agreement = {
        name: share_estimate(share(after[part], after[whole]), clusters_of(tables[1], whole))
        if after[whole][0]
        else None
        for name, (part, whole) in AGREEMENT.items()
    }
    change = ChangeFromBase(
        drop=estimate(weighted_drop(before, after)),
        answer_drop=estimate(drop(before, after, "inventing", "answers")),
        supported=estimate(share(per_answer(after, "supported"), per_answer(before, "supported"))),
        all=estimate(share(per_answer(after, "all"), per_answer(before, "all"))),
        distinct=estimate(share(known, known_before)),
        unsupported=estimate(unsupported(after) - unsupported(before)),
        unknown=estimate(unknown(after) - unknown(before)),
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
        local=int(after["local"][0]),
        unmapped=int(after["unmapped"][0]),
        installers=int(after["installers"][0]),
        distinct=int(known[0]),
        rate=share_estimate(rate(after), clusters_of(tables[1], "named")),
        answer_rate=share_estimate(answer_rate(after), families),
        supported=estimate(per_answer(after, "supported")),
        volume=estimate(per_answer(after, "real")),
        all=estimate(per_answer(after, "all")),
        unsupported=share_estimate(unsupported(after), clusters_of(tables[1], "real")),
        unknown=share_estimate(unknown(after), clusters_of(tables[1], "all")),
        naming=share_estimate(per_answer(after, "naming"), families),
        faults={name: share_estimate(values, families) for name, values in faults.items()},
        agreement=Agreement(**agreement),
        change=change if compared else None,
        new_names=new_names if model.forgotten is not None else None,
        induced=Induced(
            share=_ratio(after[induced][0], after[induced][0] + after[others][0]),
            drop=estimate(drop(before, after, induced, "answers")) if compared else None,
            other_drop=estimate(drop(before, after, others, "answers")) if compared else None,
        ),
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


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

    import numpy as np

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

    import numpy as np

    return np.vstack([rows.sum(axis=0), resampled_sums(rows, seed=seed, resamples=resamples)])


def _new(answer: Answer, forgotten: Collection[str]) -> dict[str, float]:
    counts = NameCounts.of(
        (
            one
            for one in answer.judged
            if not one.lookup.invented
            or name_key(one.lookup.ecosystem, one.lookup.name) not in forgotten
        ),
        answer.sample.prompt,
    )
    return {"new_invented": float(counts.invented), "new_named": float(counts.named)}


def _row(answer: Answer, base: Yardstick, *, own: bool) -> dict[str, float]:
    counts, supported = NameCounts.of_answer(answer), base.names.supported(answer, own=own)
    induced = {
        judged.lookup.name
        for judged in answer.judged
        if judged.lookup.invented and Flag.PROMPT_INDUCED in judged.ref.flags
    }
    row = {name: float(getattr(counts, name)) for name in COUNTED} | {
        "all": float(counts.named + counts.unknown),
        "supported": supported,
        "unsupported": counts.real - supported,
        "naming": float(bool(counts.real)),
        "induced": float(len(induced)),
        "not_induced": float(len(set(answer.invented) - induced)),
        "truncated": float(answer.sample.truncated),
    }
    row |= install_counts(answer) | base.code.counts(answer)
    for context in Context:
        here = answer.sample.prompt.context is context
        row[f"invented {context}"] = row["invented"] * here
        row[f"named {context}"] = row["named"] * here
    return row


# Figures from sums: (1 + R,) each, as measured, then of each resample


def share(part: Floats, whole: Floats) -> Floats:
    """part / whole, elementwise; where whole is 0, infinity, or NaN if part is 0 too."""

    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(part, whole), dtype=np.float64)


def rate(sums: Sums) -> Floats:
    """invented / (invented + real) names, distinct within each answer.

    Falls with every famous name that pads an answer: `all` and `unsupported` see that.
    """
    return share(sums["invented"], sums["named"])


def answer_rate(sums: Sums) -> Floats:
    """Answers with at least one invention / answers. Padding doesn't lower it; silence does."""
    return share(sums["inventing"], sums["answers"])


def drop(base: Sums, model: Sums, part: str, whole: str) -> Floats:
    """1 - the model's part / whole over the base's, as ``relative_drop``."""

    import numpy as np

    return relative_drop(np.column_stack([base[part], base[whole], model[part], model[whole]]))


def weighted_drop(base: Sums, model: Sums) -> Floats:
    """1 - the model's rate over the base's, each context weighted by its share of the base's names.

    So a model that falls silent where the base invents most has gained nothing: where it names
    nothing it counts as the base. `SideBySide.rates` is the same with an analytic spread.
    """

    import numpy as np

    before, after = rate(base), np.zeros_like(base["named"])
    for context in Context:
        invented, named = f"invented {context}", f"named {context}"
        silent = model[named] == 0
        here = share(np.where(silent, base[invented], model[invented]),
                     np.where(silent, base[named], model[named]))  # fmt: skip
        after += np.where(base[named] > 0, here * share(base[named], base["named"]), 0)
    return relative_drop(np.column_stack([before, base["answers"], after, base["answers"]]))


def per_answer(sums: Sums, column: str) -> Floats:
    """So many per answer."""
    return share(sums[column], sums["answers"])


def unsupported(sums: Sums) -> Floats:
    """The share of the real names that the base doesn't name for the prompt."""
    return share(sums["unsupported"], sums["real"])


def unknown(sums: Sums) -> Floats:
    """The share of all names that can't be judged."""
    return share(sums["unknown"], sums["all"])


def distinct(model: ModelAnswers, context: Context | None, *, seed: int, resamples: int) -> Floats:
    """How many different real names all its answers have, families resampled: (1 + R,).

    A model that says the base's likeliest names always has fewer. A resample has fewer names than
    the whole, so read it as a ratio of two models, which were resampled together.
    """

    import numpy as np

    said = [(answer.sample.prompt.family, own_real_names(answer)) for answer in model.of(context)]
    names = {name: place for place, name in enumerate(sorted({n for _, r in said for n in r}))}
    families = {family: place for place, family in enumerate(sorted({f for f, _ in said}))}
    has = np.zeros((len(families), max(1, len(names))))  # (F, V)
    for family, real in said:
        has[families[family], [names[name] for name in real]] = 1
    return np.asarray((_drawn(has, seed, resamples) > 0).sum(axis=1), dtype=np.float64)


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
    def real_ratio(self) -> float:
        """Real names per answer, as a share of the base's; NaN where it names none."""
        return _ratio(self.adapted.volume, self.base.volume)

    @property
    def all_ratio(self) -> float:
        """The same of all names."""
        before, after = (
            _ratio(one.refs + one.unknown, one.answers) for one in (self.base, self.adapted)
        )
        return _ratio(after, before)


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

    import numpy as np

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
