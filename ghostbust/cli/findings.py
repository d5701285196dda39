"""What ``ghostbust check`` found: each place that names a package, with the verdict on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ghostbust.cli.gathering import OwnCode
from ghostbust.cli.sources import by_named_indexes, to_be_judged
from ghostbust.records import Flag, Judged, Lookup, PackageRef, Verdict
from ghostbust.results import key_of
from ghostbust.text import Lines, Place

if TYPE_CHECKING:
    from ghostbust.cli.gathering import Vouching
    from ghostbust.cli.sources import Source
    from ghostbust.registries.judge import Judge

NOT_ASKED = ("unreachable", "not-in-snapshot", Flag.PRIVATE_INDEX)
"""reasons of an UNKNOWN that another try, ``--registry`` or trusted setting may settle"""


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
    def unasked(self) -> bool:
        """True for a package of an ecosystem that nobody looks up, such as conda's."""
        return self.lookup.reason == "not-asked"

    @property
    def is_problem(self) -> bool:
        """True for an invention, and for what another try may settle or nobody looks up."""
        return self.lookup.invented or self.unanswered or self.unasked

    @property
    def unanswered(self) -> bool:
        """True for an UNKNOWN that another try may settle."""
        return self.lookup.reason in NOT_ASKED


def find(
    judge: Judge, vouching: Vouching, sources: Sequence[Source], own: OwnCode | None = None
) -> list[Finding]:
    """The verdict on each ref of each source, in their order. Raises ConfigError."""
    from ghostbust.registries.nearest import nearest_names

    own = own or OwnCode()
    pairs = [(source, ref) for source in sources for ref in source.refs]
    settled = [vouching.lookup(ref) or own.before(source, ref) for source, ref in pairs]
    asked = [ref for (_, ref), known in zip(pairs, settled, strict=True) if known is None]
    answers = iter(judge.refs([to_be_judged(ref) for ref in asked]))

    def judged_one(source: Source, ref: PackageRef, known: Lookup | None) -> Judged:
        if known is None:
            known = by_named_indexes(judge, ref, next(answers).lookup)
            known = own.after(source, ref, known)
        return Judged(ref, known)

    judged = [judged_one(*pair, known) for pair, known in zip(pairs, settled, strict=True)]
    nearest = nearest_names(judge.snapshots, [one.lookup for one in judged])
    places = _places(sources)
    return [
        Finding(one.ref, one.lookup, place, nearest.get(key_of(one.lookup), ()))
        for one, place in zip(judged, places, strict=True)
    ]


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Each name once, in order, by the place that weighs most.

    An invention comes before another verdict on the same name, then an UNKNOWN that another try
    may settle, then any other.
    """
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        key = key_of(one.lookup)
        if key not in found or _weight(one) < _weight(found[key]):
            found[key] = one
    return list(found.values())


def _weight(one: Finding) -> int:
    if one.lookup.verdict is not Verdict.UNKNOWN:
        return 0 if one.lookup.invented else 1
    return 2 if one.unanswered else 3


def _places(sources: Iterable[Source]) -> Iterator[Place | None]:
    for source in sources:
        lines = Lines(source.path, source.text) if source.path is not None else None
        for ref in source.refs:
            yield lines.place(ref.start, ref.end) if lines else None
