"""What ``ghostbust check`` found: each place that names a package, with the verdict on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ghostbust.places import Lines, Place
from ghostbust.records import Judged, Lookup, PackageRef, Verdict
from ghostbust.results import key_of

if TYPE_CHECKING:
    from ghostbust.cli.sources import Source
    from ghostbust.cli.vouching import Vouching
    from ghostbust.registries.judge import Judge

NOT_ASKED = ("unreachable", "not-in-snapshot")
"""reasons of an UNKNOWN that another try, or another ``--registry``, may settle"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that names a package."""

    ref: PackageRef
    lookup: Lookup
    place: Place | None
    """None for what came as an argument"""
    nearest: Sequence[str] = field(default=(), compare=False)
    """for an absent name: popular names that look like it, likest first"""

    @property
    def unanswered(self) -> bool:
        """True for an UNKNOWN that another try may settle."""
        return self.lookup.reason in NOT_ASKED


def find(judge: Judge, vouching: Vouching, sources: Sequence[Source]) -> list[Finding]:
    """The verdict on each ref of each source, in their order."""
    from ghostbust.registries.nearest import nearest_names

    pairs = [(source, ref) for source in sources for ref in source.refs]
    settled = [vouching.lookup(ref) for _, ref in pairs]
    asked = [ref for (_, ref), known in zip(pairs, settled, strict=True) if known is None]
    answers = iter(judge.refs(asked))
    judged = [
        next(answers) if known is None else Judged(ref, known)
        for (_, ref), known in zip(pairs, settled, strict=True)
    ]
    nearest = nearest_names(judge.snapshots, [one.lookup for one in judged])
    places = _places(sources)
    return [
        Finding(one.ref, one.lookup, place, nearest.get(key_of(one.lookup), ()))
        for one, place in zip(judged, places, strict=True)
    ]


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Each name once, in order; a verdict comes before an UNKNOWN on the same name."""
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        key = key_of(one.lookup)
        if key not in found or found[key].lookup.verdict is Verdict.UNKNOWN:
            found[key] = one
    return list(found.values())


def _places(sources: Iterable[Source]) -> Iterator[Place | None]:
    for source in sources:
        lines = Lines(source.path, source.text) if source.path is not None else None
        for ref in source.refs:
            yield lines.place(ref.start, ref.end) if lines else None
