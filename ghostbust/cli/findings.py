"""What ``ghostbust check`` found: each place that names a package, with the verdict on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ghostbust.cli.named_indexes import by_named_indexes, to_be_judged
from ghostbust.cli.own_code import IGNORED, OwnCode
from ghostbust.cli.places import Lines, Place
from ghostbust.records import Ecosystem, Flag, Judged, Lookup, PackageRef, RefKind, Verdict

if TYPE_CHECKING:
    from ghostbust.cli.sources import Source
    from ghostbust.cli.vouching import Vouching
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


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over distinct names."""

    names: int
    verdicts: Mapping[Verdict, int]
    imports: int
    """distinct names that Python imports stand for"""
    unmapped: int
    """of these, the ones that couldn't be tied to a distribution"""
    own: int
    """distinct names that are the checkout's own code"""
    ignored: int
    """distinct names that a comment in their line keeps from being judged"""

    @property
    def invented(self) -> int:
        """ABSENT and SUSPECT names."""
        return self.verdicts[Verdict.ABSENT] + self.verdicts[Verdict.SUSPECT]

    @property
    def unknown_share(self) -> float | None:
        """UNKNOWN names among all, in [0, 1]; None where nothing was named."""
        return self.verdicts[Verdict.UNKNOWN] / self.names if self.names else None

    @property
    def unmapped_share(self) -> float | None:
        """Unmapped imports among the imports, in [0, 1]; None without any."""
        return self.unmapped / self.imports if self.imports else None


def find(
    judge: Judge, vouching: Vouching, sources: Sequence[Source], own: OwnCode | None = None
) -> list[Finding]:
    """The verdict on each ref of each source, in their order. Raises ConfigError."""
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
    nearest = _nearest(judge, judged)
    places = _places(sources)
    return [
        Finding(one.ref, one.lookup, place, nearest.get(_key(one.lookup), ()))
        for one, place in zip(judged, places, strict=True)
    ]


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Each name once, in order, by the place that weighs most.

    An invention comes before another verdict on the same name, then an UNKNOWN that another try
    may settle, then any other.
    """
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        key = _key(one.lookup)
        if key not in found or _weight(one) < _weight(found[key]):
            found[key] = one
    return list(found.values())


def _weight(one: Finding) -> int:
    if one.lookup.verdict is not Verdict.UNKNOWN:
        return 0 if one.lookup.invented else 1
    return 2 if one.unanswered else 3


def summary(names: Sequence[Finding]) -> Summary:
    """Counts over names that are `distinct`."""
    verdicts = dict.fromkeys(Verdict, 0)
    for one in names:
        verdicts[one.lookup.verdict] += 1
    imports = [
        one
        for one in names
        if one.ref.kind is RefKind.IMPORT and one.ref.ecosystem is Ecosystem.PYPI
    ]
    unmapped = sum(one.lookup.reason == "no-mapping" for one in imports)
    own = sum(one.lookup.reason == Flag.LOCAL_MODULE for one in names)
    ignored = sum(one.lookup.reason == IGNORED for one in names)
    return Summary(len(names), verdicts, len(imports), unmapped, own, ignored)


def _key(lookup: Lookup) -> tuple[str, str]:
    return lookup.ecosystem, lookup.name


def _places(sources: Iterable[Source]) -> Iterator[Place | None]:
    for source in sources:
        lines = Lines(source.path, source.text) if source.path is not None else None
        for ref in source.refs:
            yield lines.place(ref.start, ref.end) if lines else None


def _nearest(judge: Judge, judged: Sequence[Judged]) -> dict[tuple[str, str], list[str]]:
    """For each absent name the popular ones that look like it."""
    from ghostbust.registries.nearest import NearestNames

    absent = {
        _key(one.lookup): one.lookup for one in judged if one.lookup.verdict is Verdict.ABSENT
    }
    known = {
        ecosystem: NearestNames(judge.snapshots[ecosystem])
        for ecosystem in {lookup.ecosystem for lookup in absent.values()}
        if ecosystem in judge.snapshots
    }
    return {
        key: known[lookup.ecosystem].of(lookup.name)
        for key, lookup in absent.items()
        if lookup.ecosystem in known
    }
