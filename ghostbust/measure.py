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
from random import Random
from statistics import NormalDist, quantiles
from typing import Final, Self

from ghostbust.prompts import of_external_suite
from ghostbust.records import (
    OLDER_MEASURE,
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
Z95: Final = NormalDist().inv_cdf(0.975)
"""the normal quantile of a 95 % interval"""
LOCAL, UNMAPPED = str(Flag.LOCAL_MODULE), "no-mapping"
"""reasons of UNKNOWN verdicts that are counted apart"""
_INVENTED = (Verdict.ABSENT, Verdict.SUSPECT)

INSTALLERS: Final = frozenset(
    ("pip", "setuptools", "wheel", "conda", "mamba", "poetry", "pipenv", "pipx", "virtualenv", "uv",
     "pdm", "hatch", "flit", "npm", "npx", "yarn", "pnpm", "bun", "corepack", "nvm")
)  # fmt: skip
"""what installs packages, or comes with every environment: named to say how, not what"""


@dataclass(slots=True)
class NameCounts:
    """What some answers named, distinct within each.

    Installers that exist (`INSTALLERS`) are in no rate and no volume: SmolLM2's commonest real name
    is pip. Nor is a name that the prompt named first (flag ``prompt-induced``), real or invented:
    it isn't the model's own. Two kinds of prompts are about the names in them, which
    count there as all others do: code whose packages the model is asked for (context ``needs``),
    and those of external suites, which name an invention to see who repeats it.
    """

    answers: int = 0
    real: int = 0
    """REAL names that the prompt hadn't named, installers left out"""
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
    """REAL names that the prompt had named, installers left out"""
    installers: int = 0
    """REAL names of installers"""
    inventing: int = 0
    """answers with at least one ABSENT or SUSPECT name that the prompt hadn't named"""

    @classmethod
    def of(cls, judged: Iterable[Judged], prompt: Prompt) -> Self:
        """The counts of one answer to the prompt, by what it names."""
        judged = list(judged)
        own, prompted, installers = _named(judged, prompt)
        unknown = [one.lookup for one in judged if one.lookup.verdict is Verdict.UNKNOWN]
        causes = {
            cause: {lookup.name for lookup in unknown if lookup.reason == cause}
            for cause in (LOCAL, UNMAPPED)
        }
        return cls(
            answers=1,
            real=len(own[Verdict.REAL]),
            absent=len(own[Verdict.ABSENT]),
            suspect=len(own[Verdict.SUSPECT]),
            unknown=len(own[Verdict.UNKNOWN] | prompted[Verdict.UNKNOWN]),
            local=len(causes[LOCAL]),
            unmapped=len(causes[UNMAPPED]),
            induced=sum(len(prompted[verdict]) for verdict in _INVENTED),
            induced_real=len(prompted[Verdict.REAL]),
            installers=len(installers),
            inventing=int(any(own[verdict] for verdict in _INVENTED)),
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


def asks_of_its_names(prompt: Prompt) -> bool:
    """Whether a prompt is about the names in it, which then count as all others do."""
    return prompt.context is Context.NEEDS or of_external_suite(prompt.family)


_Names = dict[Verdict, set[str]]


def _named(judged: Iterable[Judged], prompt: Prompt) -> tuple[_Names, _Names, set[str]]:
    """An answer's own names by verdict, those that the prompt had named, and its installers."""
    is_asked = asks_of_its_names(prompt)
    own: _Names = {verdict: set() for verdict in Verdict}
    prompted: _Names = {verdict: set() for verdict in Verdict}
    for one in judged:
        own[one.lookup.verdict].add(one.lookup.name)
        if not is_asked and Flag.PROMPT_INDUCED in one.ref.flags:
            prompted[one.lookup.verdict].add(one.lookup.name)
    installers = own[Verdict.REAL] & INSTALLERS
    prompted[Verdict.REAL] -= INSTALLERS
    own[Verdict.REAL] -= INSTALLERS
    for verdict, names in prompted.items():
        own[verdict] -= names
    return own, prompted, installers


def own_real_names(answer: Answer) -> set[str]:
    """The REAL names of an answer that count: neither installers nor named by the prompt."""
    own, _, _ = _named(answer.judged, answer.sample.prompt)
    return own[Verdict.REAL]


@dataclass(frozen=True, slots=True)
class Named:
    """What one answer named; the answer itself isn't needed."""

    prompt_id: str
    family: str
    context: Context
    counts: NameCounts
    real_names: frozenset[str]
    """its own REAL names: neither installers nor named by the prompt"""

    @classmethod
    def of(cls, answer: Answer) -> Named:
        """What the answer named."""
        prompt = answer.sample.prompt
        counts, real = NameCounts.of_answer(answer), frozenset(own_real_names(answer))
        return Named(prompt.id, prompt.family, prompt.context, counts, real)


def said_unknown(unknown: int, local: int, unmapped: int) -> str:
    """How many names could not be judged, with the causes: ``7: 4 local, 2 unmapped, 1 other``.

    Without them where none is of the first two, as in what an older version counted.
    """
    if not local + unmapped:
        return f"{unknown}"
    parts = {"local": local, "unmapped": unmapped, "other": unknown - local - unmapped}
    return f"{unknown}: " + ", ".join(f"{n} {cause}" for cause, n in parts.items() if n > 0)


def said_measure(measured: Measurement) -> str:
    """By which measure an older version counted, in a phrase; empty if by today's."""
    return OLDER_MEASURE if measured.installers is None else ""


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
        ci95=interval_of(table, seed=seed),
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
        installers=total.installers,
        inventing=total.inventing,
    )


def interval_of(table: Sequence[tuple[int, int]], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a rate: a percentile bootstrap over the rows of ``table``.

    A row has the invented names, and the names, of one family. Few families, or none that differs
    from the others, say less than a bootstrap can show: `widened_for_few`. (nan, nan) where nothing
    was named.
    """
    invented, named = (sum(column) for column in zip(*table, strict=True)) if table else (0, 0)
    if not named:
        return (float("nan"), float("nan"))
    rng = Random(seed)  # noqa: S311 (nothing secret)
    rates = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(table, k=len(table))
        if whole := sum(row[1] for row in drawn):
            rates.append(sum(row[0] for row in drawn) / whole)
    low, *_, high = quantiles(rates, n=40, method="inclusive")
    return widened_for_few((low, high), invented / named, sum(row[1] > 0 for row in table))


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
    wide = wilson_interval(share, clusters)
    # At 0 and 1 the share is an end itself, but for rounding.
    return max(0.0, min(low, share, wide[0])), min(1.0, max(high, share, wide[1]))


def wilson_interval(share: float, draws: float, *, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share seen in so many independent draws; 95 % by default.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    middle = share + z**2 / (2 * draws)
    half = z * math.sqrt(share * (1 - share) / draws + (z / (2 * draws)) ** 2)
    scale = 1 + z**2 / draws
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


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
