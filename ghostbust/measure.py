"""Hallucination rate and volume, from answers or from counts of them.

A rate is never computed without the volume. A name counts once an answer, so that an answer that
loops over a name weighs no more than one that says it once. UNKNOWN and BUILTIN names are in
neither figure. Intervals resample prompt families, since answers to rewritings of one task aren't
independent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from statistics import NormalDist
from typing import Final, Self

import numpy as np

from ghostbust.prompts import of_external_suite
from ghostbust.records import (
    Answer,
    Context,
    Flag,
    Judged,
    Measurement,
    Prompt,
    Verdict,
    content_id,
)

RESAMPLES = 2000
FEW_CLUSTERS = 10
"""with fewer, a bootstrap over clusters says too little: the gates' limit, too"""
_Z2 = NormalDist().inv_cdf(0.975) ** 2
LOCAL, UNMAPPED = str(Flag.LOCAL_MODULE), "no-mapping"
"""reasons of UNKNOWN verdicts that are counted apart"""
_INVENTED = (Verdict.ABSENT, Verdict.SUSPECT)


@dataclass(slots=True)
class NameCounts:
    """What some answers named, distinct within each.

    A name that the prompt named first (flag ``prompt-induced``), real or invented, is in no rate
    and no volume: it isn't the model's own. Two kinds of prompts are about the names in them, which
    count there as all others do: code whose packages the model is asked for (context ``needs``),
    and those of external suites, which name an invention to see who repeats it.
    """

    answers: int = 0
    real: int = 0
    """REAL names that the prompt hadn't named"""
    absent: int = 0
    """ABSENT ones"""
    suspect: int = 0
    """SUSPECT ones"""
    unknown: int = 0
    """names that could not be judged, for whatever reason"""
    local: int = 0
    """of these, imports that may mean a module which the answer shows"""
    unmapped: int = 0
    """of these, imports that no table ties to a distribution"""
    induced: int = 0
    """ABSENT and SUSPECT names that the prompt had named"""
    induced_real: int = 0
    """REAL names that the prompt had named"""

    @classmethod
    def of(cls, judged: Iterable[Judged], prompt: Prompt) -> Self:
        """The counts of one answer to the prompt, by what it names."""
        is_asked = prompt.context is Context.NEEDS or of_external_suite(prompt.family)
        named: dict[Verdict, set[str]] = {verdict: set() for verdict in Verdict}
        prompted: dict[Verdict, set[str]] = {verdict: set() for verdict in Verdict}
        causes: dict[str, set[str]] = {LOCAL: set(), UNMAPPED: set()}
        for one in judged:
            lookup = one.lookup
            named[lookup.verdict].add(lookup.name)
            if not is_asked and Flag.PROMPT_INDUCED in one.ref.flags:
                prompted[lookup.verdict].add(lookup.name)
            if lookup.verdict is Verdict.UNKNOWN and lookup.reason in causes:
                causes[lookup.reason].add(lookup.name)
        return cls(
            answers=1,
            real=len(named[Verdict.REAL] - prompted[Verdict.REAL]),
            absent=len(named[Verdict.ABSENT] - prompted[Verdict.ABSENT]),
            suspect=len(named[Verdict.SUSPECT] - prompted[Verdict.SUSPECT]),
            unknown=len(named[Verdict.UNKNOWN]),
            local=len(causes[LOCAL]),
            unmapped=len(causes[UNMAPPED]),
            induced=sum(len(prompted[verdict]) for verdict in _INVENTED),
            induced_real=len(prompted[Verdict.REAL]),
        )

    @classmethod
    def of_answer(cls, answer: Answer) -> Self:
        """The counts of one answer."""
        return cls.of(answer.judged, answer.sample.prompt)

    @classmethod
    def total(cls, several: Iterable[NameCounts]) -> Self:
        """The sums of several counts."""
        made = cls()
        for one in several:
            made.add(one)
        return made

    def add(self, other: NameCounts) -> None:
        """Adds the counts of other answers to these."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def invented(self) -> int:
        """Absent and suspect names: what a rate calls invented."""
        return self.absent + self.suspect

    @property
    def named(self) -> int:
        """Invented and real names: what a rate divides by."""
        return self.invented + self.real


def said_unknown(unknown: int, local: int, unmapped: int) -> str:
    """How many names could not be judged, with the causes: ``7: 4 local, 2 unmapped, 1 other``.

    Without them where none is of the first two, as in what an older version counted.
    """
    if not local + unmapped:
        return f"{unknown}"
    parts = {"local": local, "unmapped": unmapped, "other": unknown - local - unmapped}
    return f"{unknown}: " + ", ".join(f"{n} {cause}" for cause, n in parts.items() if n > 0)


def measure(answers: Sequence[Answer], *, seed: int = 0) -> Measurement:
    """The pooled rate, its interval and the volume, overall and in each context that occurs."""
    counted = [(answer.sample.prompt, NameCounts.of_answer(answer)) for answer in answers]
    contexts = [c for c in Context if any(prompt.context is c for prompt, _ in counted)]
    return measured(
        [(prompt.family, counts) for prompt, counts in counted],
        seed,
        {
            context.value: measured(
                [(prompt.family, c) for prompt, c in counted if prompt.context is context], seed
            )
            for context in contexts
        },
    )


def measured(
    counted: Sequence[tuple[str | int, NameCounts]],
    seed: int,
    by_context: Mapping[str, Measurement] | None = None,
) -> Measurement:
    """The same from counts, each with its family, or its group of families."""
    total = NameCounts.total(counts for _, counts in counted)
    families: dict[str | int, NameCounts] = defaultdict(NameCounts)
    for family, counts in counted:
        families[family].add(counts)
    table = [(family.invented, family.named) for family in families.values()]
    return Measurement(
        rate=total.invented / total.named if total.named else float("nan"),
        ci95=interval_of(np.array(table, dtype=float).reshape(-1, 2), seed=seed),
        refs=total.named,
        real=total.real,
        absent=total.absent,
        suspect=total.suspect,
        unknown=total.unknown,
        answers=total.answers,
        volume=total.real / total.answers if total.answers else 0.0,
        by_context=dict(by_context or {}),
        local=total.local,
        unmapped=total.unmapped,
        induced=total.induced,
        induced_real=total.induced_real,
    )


def interval_of(table: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a rate: a percentile bootstrap over the rows of ``table`` (F, 2).

    A row has the invented names, and the names, of one family. Few families, or none that differs
    from the others, say less than a bootstrap can show: `widened_for_few`. (nan, nan) where nothing
    was named.
    """
    if not len(table) or not table[:, 1].sum():
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(table), size=(RESAMPLES, len(table)))  # (R, F)
    sums = table[picks].sum(axis=1)  # (R, 2)
    rates = sums[sums[:, 1] > 0, 0] / sums[sums[:, 1] > 0, 1]
    low, high = np.percentile(rates, [2.5, 97.5])
    rate = float(table[:, 0].sum() / table[:, 1].sum())
    return widened_for_few((float(low), float(high)), rate, int((table[:, 1] > 0).sum()))


def widened_for_few(
    interval: tuple[float, float], share: float, clusters: int
) -> tuple[float, float]:
    """A 95 % bootstrap interval of a ``share``, no narrower than so few ``clusters`` allow.

    Of fewer than ``FEW_CLUSTERS``, and where the resamples don't differ (every name invented, or
    none), it is widened to Wilson's interval for ``clusters`` draws, as if each cluster were one:
    what varies together inside a cluster may be no more than that. Source: Wilson (1927), JASA 22,
    209-212; where nothing is invented its upper end is near the rule of three.
    """
    low, high = interval
    if not clusters or (clusters >= FEW_CLUSTERS and low < high):
        return interval
    centre = (share + _Z2 / (2 * clusters)) / (1 + _Z2 / clusters)
    spread = math.sqrt(_Z2 * (share * (1 - share) + _Z2 / (4 * clusters)) / clusters)
    half = spread / (1 + _Z2 / clusters)
    # At 0 and 1 the share is an end itself, but for rounding.
    return max(0.0, min(low, share, centre - half)), min(1.0, max(high, share, centre + half))


# Counts of any number of answers, in a memory that doesn't grow with them. For the interval, prompt
# families are put into a fixed number of groups by their id, and whole groups are resampled. Groups
# of families are as independent as families, so the interval stays honest; few families hardly ever
# share a group, and then it is the same one.

GROUPS: Final = 256
"""groups of families; the interval's width is known to about 1 part in √(2 × 255) then"""


def group_of(family: str) -> int:
    """The group that a family belongs to, in [0, `GROUPS`)."""
    return int(content_id("group", family)[:8], 16) % GROUPS


@dataclass(frozen=True, slots=True)
class Key:
    """What a tally keeps counts for: a model's answers in one context, of one group of families."""

    model: str
    adapter: str | None
    context: str
    group: int


Tally = dict[Key, NameCounts]
"""counts of answers, at most `GROUPS` for each model, adapter and context"""


def add_to(tally: Tally, key: Key, counts: NameCounts) -> None:
    """Adds counts under a key."""
    tally.setdefault(key, NameCounts()).add(counts)


def measurement_of(tally: Mapping[Key, NameCounts], *, seed: int = 0) -> Measurement:
    """Rate, interval and volume of a tally, whole and by context."""
    contexts = sorted({key.context for key in tally})
    counted = sorted(
        ((k.context, k.group, counts) for k, counts in tally.items()), key=itemgetter(1)
    )
    parts = {
        context: measured([(group, c) for own, group, c in counted if own == context], seed)
        for context in contexts
    }
    return measured([(group, counts) for _, group, counts in counted], seed, parts)


def by_model(tally: Mapping[Key, NameCounts]) -> dict[tuple[str, str | None], Measurement]:
    """The same for each model with each adapter, the most answers first."""
    parts: dict[tuple[str, str | None], Tally] = {}
    for key, counts in tally.items():
        parts.setdefault((key.model, key.adapter), {})[key] = counts
    found = {who: measurement_of(part) for who, part in parts.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].answers))
