"""Counts of any number of answers, in a memory that doesn't grow with them.

What `ghostbust.measure` computes from answers, this computes from counts: the same rate and the
same volume. For the interval, prompt families are put into a fixed number of groups by their id,
and whole groups are resampled. Groups of families are as independent as families, so the interval
stays honest; with few families, hardly any share a group, and it is the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np

from ghostbust.measure import interval_of
from ghostbust.records import Judged, Measurement, Verdict, content_id

GROUPS: Final = 256
"""groups of families; the interval's width is known to about 1 part in √(2 × 255) then"""


_COUNTED: Final = (Verdict.REAL, Verdict.ABSENT, Verdict.SUSPECT, Verdict.UNKNOWN)


def group_of(family: str) -> int:
    """The group that a family belongs to, in [0, `GROUPS`)."""
    return int(content_id("group", family)[:8], 16) % GROUPS


@dataclass(slots=True)
class Counts:
    """What some answers named; a name counts once an answer."""

    answers: int = 0
    real: int = 0
    absent: int = 0
    suspect: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, judged: Iterable[Judged]) -> Self:
        """The counts of one answer, of what it names."""
        names = {(one.lookup.verdict, one.lookup.name) for one in judged}
        verdicts = [verdict for verdict, _ in names]
        return cls(1, *map(verdicts.count, _COUNTED))

    def add(self, other: Counts) -> None:
        """Adds the counts of other answers to these."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def invented(self) -> int:
        """Absent and suspect names."""
        return self.absent + self.suspect


@dataclass(frozen=True, slots=True)
class Key:
    """What answers are counted apart by."""

    model: str
    adapter: str | None
    context: str
    group: int


Tally = dict[Key, Counts]
"""counts of answers, at most `GROUPS` for each model, adapter and context"""


def add_to(tally: Tally, key: Key, counts: Counts) -> None:
    """Adds counts under a key."""
    tally.setdefault(key, Counts()).add(counts)


def measurement_of(tally: Mapping[Key, Counts], *, seed: int = 0) -> Measurement:
    """Rate, interval and volume of all that was counted, whole and by context."""
    contexts = sorted({key.context for key in tally})
    parts = {
        context: _measurement([(k, c) for k, c in tally.items() if k.context == context], seed, {})
        for context in contexts
    }
    return _measurement(list(tally.items()), seed, parts)


def by_model(tally: Mapping[Key, Counts]) -> dict[tuple[str, str | None], Measurement]:
    """The same for each model with each adapter, the most answers first."""
    parts: dict[tuple[str, str | None], Tally] = {}
    for key, counts in tally.items():
        parts.setdefault((key.model, key.adapter), {})[key] = counts
    measured = {who: measurement_of(part) for who, part in parts.items()}
    return dict(sorted(measured.items(), key=lambda item: -item[1].answers))


def _measurement(
    counted: Iterable[tuple[Key, Counts]], seed: int, by_context: dict[str, Measurement]
) -> Measurement:
    total, groups = Counts(), np.zeros((GROUPS, 3))  # (G, 3): invented, named, answers
    for key, counts in counted:
        total.add(counts)
        groups[key.group] += (counts.invented, counts.invented + counts.real, counts.answers)
    refs = total.invented + total.real
    return Measurement(
        rate=total.invented / refs if refs else float("nan"),
        ci95=interval_of(groups[groups[:, 2] > 0, :2], seed=seed),
        refs=refs,
        real=total.real,
        absent=total.absent,
        suspect=total.suspect,
        unknown=total.unknown,
        answers=total.answers,
        volume=total.real / total.answers if total.answers else 0.0,
        by_context=by_context,
    )
