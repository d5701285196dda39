"""What `import ghostbust` gives back: records that know their document, their line, their table.

``to_dict()`` is what ``--json`` prints of the same thing, ``str()`` one line for people, and
``_repr_html_()`` what a notebook shows; names and texts of others are escaped in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, Self

from ghostbust.documents import plain
from ghostbust.measure import said_unknown
from ghostbust.records import (
    Answer,
    Ecosystem,
    Flag,
    Judged,
    Lookup,
    Measurement,
    PackageRef,
    RefKind,
    Verdict,
)
from ghostbust.registries.names import purl_of
from ghostbust.statistics import unseen_of
from ghostbust.text import Lines, redact, visible

if TYPE_CHECKING:
    from ghostbust.loop.round import RoundOutcome
    from ghostbust.loop.watch import Watched

IGNORED = "ignored"
"""the reason of a name that a comment in its line keeps from being judged"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(PackageRef):
    """A place where a text names a package."""

    line: int
    """of its first character, from 1"""
    column: int
    """the same in its line, from 1, in code points"""

    @classmethod
    def of(cls, ref: PackageRef, lines: Lines) -> Self:
        """The ref with its place in the text that it is of."""
        place = lines.place(ref.start, ref.end)
        return cls(**_values(ref), line=place.line, column=place.column)

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust extract --json`` prints of it."""
        return _document(ref_document(self))

    def __str__(self) -> str:
        """Where, how and what."""
        name = self.name or self.import_name or self.raw
        return visible(f"{self.line}:{self.column}: {self.kind} {name} ({self.ecosystem})")

    def _repr_html_(self) -> str:
        return FoundList([self])._repr_html_()


class FoundList(list[Found]):
    """The places in the order of the text."""

    def _repr_html_(self) -> str:
        head = ("line", "column", "ecosystem", "kind", "as written", "name", "flags")
        return _table(
            head,
            (
                (o.line, o.column, o.ecosystem, o.kind, o.raw, o.name or "?", _joined(o))
                for o in self
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Lookup):
    """The verdict on a package that was asked about."""

    ref: PackageRef
    """what was asked about"""
    nearest: tuple[str, ...] = ()
    """for an absent name: popular names that look like it, likest first"""

    @classmethod
    def of(cls, ref: PackageRef, lookup: Lookup, nearest: Sequence[str]) -> Self:
        """The ref with its verdict."""
        return cls(**_values(lookup), ref=ref, nearest=tuple(nearest))

    @property
    def line(self) -> int | None:
        """Where a ref that `extract` found stands in its text, from 1; None for a name."""
        return self.ref.line if isinstance(self.ref, Found) else None

    @property
    def column(self) -> int | None:
        """The same in its line."""
        return self.ref.column if isinstance(self.ref, Found) else None

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust check --json`` prints of it among its ``results``."""
        own = checked_document(self.ref, self, self.nearest)
        return _document(own | {"file": None, "line": self.line, "column": self.column})

    def __str__(self) -> str:
        """The name, the verdict and why."""
        return visible(
            f"{self.name} ({self.ecosystem}): {self.verdict}, {self.reason}: {self.evidence}"
        )

    def _repr_html_(self) -> str:
        return CheckedList([self], "")._repr_html_()


class CheckedList(list[Checked]):
    """One verdict for each package, in the order given."""

    def __init__(self, checked: Iterable[Checked], registry: str) -> None:
        super().__init__(checked)
        self.registry = registry
        """who was asked: ``snapshot``, ``live`` or ``auto``"""

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust check --json`` prints: each name once, and the counts."""
        names: dict[tuple[str, str], Checked] = {}
        for one in self:  # a verdict comes before an UNKNOWN on the same name
            if names.setdefault(key_of(one), one).verdict is Verdict.UNKNOWN:
                names[key_of(one)] = one
        counts = summary([Judged(one.ref, one) for one in names.values()])
        results = [one.to_dict() for one in names.values()]
        return _document({"registry": self.registry, "results": results, **counts.to_dict()})

    def _repr_html_(self) -> str:
        head = ("name", "ecosystem", "verdict", "reason", "evidence", "nearest")
        return _table(
            head,
            (
                (o.name, o.ecosystem, o.verdict, o.reason, o.evidence, ", ".join(o.nearest))
                for o in self
            ),
        )


class HasVerdict(Protocol):
    """A package with the verdict on it, as counts need it."""

    @property
    def ref(self) -> PackageRef: ...

    @property
    def lookup(self) -> Lookup: ...


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

    def to_dict(self) -> dict[str, object]:
        """The counts of a document of ``ghostbust check``."""
        return {
            "invented": self.invented,
            "unknown": self.verdicts[Verdict.UNKNOWN],
            "unknown_share": self.unknown_share,
            "imports": self.imports,
            "unmapped": self.unmapped,
            "unmapped_share": self.unmapped_share,
            "own": self.own,
            "ignored": self.ignored,
        }


def summary(names: Sequence[HasVerdict]) -> Summary:
    """Counts over distinct names."""
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


def key_of(lookup: Lookup) -> tuple[str, str]:
    """What tells a name from others."""
    return lookup.ecosystem, lookup.name


def is_builtin_import(ref: PackageRef) -> bool:
    """True for what needs no package; a built-in name in a list is a mistake to be shown."""
    return ref.builtin and ref.kind is RefKind.IMPORT


def ref_document(ref: PackageRef) -> dict[str, object]:
    """A place that names a package, as JSON."""
    return {
        "ecosystem": ref.ecosystem,
        "kind": ref.kind,
        "name": ref.name,
        "import_name": ref.import_name,
        "purl": purl_of(ref),
        "start": ref.start,
        "end": ref.end,
        "flags": ref.flags,
    }


def checked_document(ref: PackageRef, lookup: Lookup, nearest: Sequence[str]) -> dict[str, object]:
    """The verdict on a package, as JSON, without its place."""
    return {
        "ecosystem": lookup.ecosystem,
        "name": lookup.name,
        "purl": purl_of(ref),
        "verdict": lookup.verdict,
        "reason": lookup.reason,
        "evidence": lookup.evidence,
        "source": lookup.source,
        "looked_up_at": lookup.looked_up_at,
        "nearest": list(nearest),
    }


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found."""

    model: str
    adapter: str | None
    """name of the adapter that was sampled; None for the base"""
    seed: int
    registry: str
    """who was asked: ``snapshot``, ``live`` or ``auto``"""
    run_id: int
    answers: tuple[Answer, ...]
    """sorted by prompt and number"""
    measurement: Measurement
    wall_s: float

    def invented(self, *, reveal: bool = False) -> list[tuple[str, str, str, int]]:
        """Name, verdict, reason and number of answers of each invention, most frequent first."""
        return invented_names(self.answers, reveal=reveal)

    def to_dict(self, *, reveal: bool = False) -> dict[str, Any]:
        """What ``ghostbust sweep --json`` prints; ``reveal``: names in full, not shortened."""
        measured = self.measurement
        return _document(
            {
                "model": self.model,
                "adapter": self.adapter,
                "seed": self.seed,
                "registry": self.registry,
                "run": self.run_id,
                **measurement_document(measured),
                "by_context": {k: measurement_document(m) for k, m in measured.by_context.items()},
                "invented": [
                    {"name": name, "verdict": verdict, "reason": reason, "answers": count}
                    for name, verdict, reason, count in self.invented(reveal=reveal)
                ],
                "unseen": unseen_of(self.answers),
                "wall_s": round(self.wall_s, 1),
            }
        )

    def __str__(self) -> str:
        """The model and its rate, with interval and volume."""
        return visible(
            f"{self.model}, {self.adapter or 'base'}: {measurement_line(self.measurement)}"
        )

    def _repr_html_(self) -> str:
        rows = {"all": self.measurement, **self.measurement.by_context}
        return _table(("", *FIGURES), ((name, *figures(m)) for name, m in rows.items()))


@dataclass(frozen=True, slots=True)
class Unlearned:
    """What `unlearn` did."""

    before: Watched
    """the base on the held-out prompts"""
    outcome: RoundOutcome
    """the adapter, its gates, ``after`` on the same prompts, and whether it serves now"""
    model: str
    seed: int
    wall_s: float

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust round --json`` prints."""
        return _document(
            round_document(self.before, self.outcome)
            | {"model": self.model, "seed": self.seed, "wall_s": round(self.wall_s)}
        )

    def __str__(self) -> str:
        """The adapter, and what its gates said."""
        promoted = "serves" if self.outcome.promotion else "doesn't serve"
        return f"{self.outcome.candidate.name}: gates {self.outcome.report.verdict}, {promoted}"

    def _repr_html_(self) -> str:
        results = self.outcome.report.results
        return _table(("gate", "verdict", "why"), ((r.gate, r.verdict, r.reason) for r in results))


FIGURES = (
    "rate", "95 % interval", "volume", "real", "invented", "induced", "unknown", "answers",
)  # fmt: skip
"""the columns of a table of measurements; ``induced``: inventions that the prompt named first"""


def figures(m: Measurement) -> tuple[str, ...]:
    """A row of it, for people."""
    return (
        f"{m.rate:.3f}",
        f"{m.ci95[0]:.3f} to {m.ci95[1]:.3f}",
        f"{m.volume:.2f}",
        str(m.real),
        str(m.absent + m.suspect),
        str(m.induced),
        said_unknown(m.unknown, m.local, m.unmapped),
        str(m.answers),
    )


def measurement_line(m: Measurement) -> str:
    """A rate for people, never without its interval and volume."""
    return (
        f"rate {m.rate:.3f} [{m.ci95[0]:.3f}, {m.ci95[1]:.3f}],"
        f" volume {m.volume:.2f} over {m.answers} answers"
    )


def measurement_document(measured: Measurement) -> dict[str, object]:
    """A rate as JSON, never without its interval and volume."""
    return {
        "rate": measured.rate,
        "ci95": list(measured.ci95),
        "refs": measured.refs,
        "real": measured.real,
        "absent": measured.absent,
        "suspect": measured.suspect,
        "unknown": measured.unknown,
        "local": measured.local,
        "unmapped": measured.unmapped,
        "induced": measured.induced,
        "induced_real": measured.induced_real,
        "answers": measured.answers,
        "volume": measured.volume,
    }


def invented_names(answers: Sequence[Answer], *, reveal: bool) -> list[tuple[str, str, str, int]]:
    """(name, verdict, reason, answers that name it), most frequent first, redacted unless asked."""
    counts: dict[str, tuple[str, str, set[str]]] = {}
    for answer in answers:
        for judged in answer.judged:
            lookup = judged.lookup
            if lookup.invented:
                _, _, seen = counts.setdefault(lookup.name, (lookup.verdict, lookup.reason, set()))
                seen.add(answer.sample.id)
    rows = [
        (name if reveal else redact(name), verdict, reason, len(seen))
        for name, (verdict, reason, seen) in sorted(counts.items())
    ]
    return sorted(rows, key=lambda row: -row[3])


def round_document(before: Watched, outcome: RoundOutcome) -> dict[str, object]:
    """The round as JSON."""
    return {
        "round": outcome.round_id,
        "adapter": outcome.candidate.name,
        "path": outcome.candidate.path,
        "before": measurement_document(before.measurement),
        "after": measurement_document(outcome.after.measurement),
        "gate": {"verdict": outcome.report.verdict, "gates": list(outcome.report.results)},
        "promoted": outcome.promotion is not None,
    }


def _document(made: Mapping[str, object]) -> dict[str, Any]:
    """The document as JSON knows it."""
    return {key: plain(value) for key, value in made.items()}


def _values(record: PackageRef | Lookup) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _joined(ref: PackageRef) -> str:
    return " ".join(sorted([*ref.flags, *(["builtin"] if ref.builtin else [])]))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; every cell is escaped."""

    def row(tag: str, cells: Sequence[object]) -> str:
        inner = "".join(f"<{tag}>{escape(visible(str(cell)))}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(row("td", cells) for cells in rows)
    return f"<table><thead>{row('th', head)}</thead><tbody>{body}</tbody></table>"
