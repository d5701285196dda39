"""Counts of any number of answers, in a memory that doesn't grow with them.

What `ghostbust.measure` computes from answers, this computes from counts: the same rate and the
same volume. For the interval, prompt families are put into a fixed number of groups by their id,
and whole groups are resampled. Groups of families are as independent as families, so the interval
stays honest; with few families, hardly any share a group, and it is the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ghostbust.counts import Counts
from ghostbust.measure import measured
from ghostbust.records import Measurement, content_id

GROUPS: Final = 256
"""groups of families; the interval's width is known to about 1 part in √(2 × 255) then"""


def group_of(family: str) -> int:
    """The group that a family belongs to, in [0, `GROUPS`)."""
    return int(content_id("group", family)[:8], 16) % GROUPS


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
    counted = sorted(((k.context, k.group, counts) for k, counts in tally.items()), key=_by_group)
    parts = {
        context: measured([(group, c) for own, group, c in counted if own == context], seed)
        for context in contexts
    }
    return measured([(group, counts) for _, group, counts in counted], seed, parts)


def _by_group(counted: tuple[str, int, Counts]) -> int:
    return counted[1]


def by_model(tally: Mapping[Key, Counts]) -> dict[tuple[str, str | None], Measurement]:
    """The same for each model with each adapter, the most answers first."""
    parts: dict[tuple[str, str | None], Tally] = {}
    for key, counts in tally.items():
        parts.setdefault((key.model, key.adapter), {})[key] = counts
    found = {who: measurement_of(part) for who, part in parts.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].answers))
