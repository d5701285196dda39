"""What `import ghostbust` gives back: records that know their document, their line, their table.

``to_dict()`` is what ``--json`` prints of the same thing, ``str()`` one line for people, and
``_repr_html_()`` what a notebook shows; names and texts of others are escaped in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ghostbust.documents import document_of, plain
from ghostbust.records import (
    Answer,
    Ecosystem,
    Flag,
    Lookup,
    Measurement,
    PackageRef,
    RefKind,
    Verdict,
)
from ghostbust.registries.names import VERSION_ABSENT, purl_of
from ghostbust.text import Lines, Place, redact, visible

if TYPE_CHECKING:
    from ghostbust.loop.round import RoundOutcome
    from ghostbust.loop.watch import Watched

IGNORED = "ignored"
"""the reason of a name that a comment in its line keeps from being judged"""
MAY_BE_SETTLED = ("unreachable", "not-in-snapshot", Flag.PRIVATE_INDEX)
"""reasons of an UNKNOWN that another try, ``--registry`` or a trusted setting may settle"""
REF_COLUMNS = ("line", "column", "ecosystem", "kind", "as written", "name", "flags")
CHECKED_COLUMNS = ("name", "ecosystem", "verdict", "reason", "evidence", "nearest")
FIGURES = (
    "rate", "95 % interval", "inventing", "volume", "all", "real", "invented", "induced", "unknown",
    "why unknown", "installers", "answers",
)  # fmt: skip
"""the columns of a table of measurements; ``inventing``: answers that do; ``volume``, ``all``: real
and all names per answer; ``induced``: inventions that the prompt named first"""
RANKED = (
    "answers", "real", "invented", "unknown", "all", "inventing", "induced", "installers",
    "why unknown",
)  # fmt: skip
"""those that a narrow table may leave out, the most important first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRef(PackageRef):
    """A place where a text names a package."""

    line: int
    """of its first character, from 1"""
    column: int
    """the same in its line, from 1, in code points"""

    @classmethod
    def of(cls, ref: PackageRef, lines: Lines) -> Self:
        """The ref with its place in the text that it is of."""
        place = lines.place(ref.start, ref.end)
        return cls(**document_of(ref), line=place.line, column=place.column)

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust extract --json`` prints of it."""
        return _plain(
            {
                "ecosystem": self.ecosystem,
                "kind": self.kind,
                "name": self.name,
                "import_name": self.import_name,
                "purl": purl_of(self),
                "start": self.start,
                "end": self.end,
                "flags": self.flags,
            }
        )

    def row(self) -> tuple[object, ...]:
        """The cells of `REF_COLUMNS`."""
        flags = sorted([*self.flags, *(["builtin"] if self.builtin else [])])
        return (
            self.line, self.column, self.ecosystem, self.kind, self.raw, self.name or "?",
            " ".join(flags),
        )  # fmt: skip

    def __str__(self) -> str:
        """Where, how and what."""
        name = self.name or self.import_name or self.raw
        return visible(f"{self.line}:{self.column}: {self.kind} {name} ({self.ecosystem})")

    def _repr_html_(self) -> str:
        return FoundRefs([self])._repr_html_()


class FoundRefs(list[FoundRef]):
    """The places in the order of the text."""

    def _repr_html_(self) -> str:
        return _html_table(REF_COLUMNS, (one.row() for one in self))


def is_builtin_import(ref: PackageRef) -> bool:
    """True for what needs no package; a built-in name in a list is a mistake to be shown."""
    return ref.builtin and ref.kind is RefKind.IMPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Lookup):
    """The verdict on a package that was asked about."""

    ref: PackageRef
    """what was asked about"""
    nearest: tuple[str, ...] = ()
    """for an absent name: popular names that look like it, likest first"""
    place: Place | None = None
    """where in a file it stands; None for an argument, and for a ref that `extract` found"""

    @classmethod
    def of(
        cls,
        ref: PackageRef,
        lookup: Lookup,
        nearest: Mapping[tuple[str, str], Sequence[str]],
        place: Place | None = None,
    ) -> Self:
        """The ref with its verdict; ``nearest`` by ecosystem and name."""
        names = tuple(nearest.get((lookup.ecosystem, lookup.name), ()))
        return cls(**document_of(lookup), ref=ref, nearest=names, place=place)

    @property
    def line(self) -> int | None:
        """Where it stands in its file or text, from 1; None for a name."""
        at = self.place or self.ref
        return at.line if isinstance(at, Place | FoundRef) else None

    @property
    def column(self) -> int | None:
        """The same in its line."""
        at = self.place or self.ref
        return at.column if isinstance(at, Place | FoundRef) else None

    @property
    def unanswered(self) -> bool:
        """True for an UNKNOWN that another try may settle."""
        return self.reason in MAY_BE_SETTLED

    @property
    def unasked(self) -> bool:
        """True for a package of an ecosystem that nobody looks up, such as conda's."""
        return self.reason == "not-asked"

    @property
    def is_finding(self) -> bool:
        """True for what can't be meant: an invention, or a version that a real package lacks."""
        return self.invented or self.reason == VERSION_ABSENT

    @property
    def is_problem(self) -> bool:
        """True for a finding, and for what another try may settle or nobody looks up."""
        return self.is_finding or self.unanswered or self.unasked

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust check --json`` prints of it among its ``results``."""
        unprinted = ("first_released", "validator", "ref", "place")
        return _plain(
            document_of(
                self, without=unprinted, purl=purl_of(self.ref),
                file=self.place and self.place.path, line=self.line, column=self.column,
            )
        )  # fmt: skip

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

    def distinct(self) -> list[Checked]:
        """Each name once, in order, by the verdict that weighs most.

        A finding comes before another verdict on the same name, then an UNKNOWN that another
        try may settle, then any other.
        """
        found: dict[tuple[str, str], Checked] = {}
        for one in self:
            key = (one.ecosystem, one.name)
            if key not in found or _weight(one) < _weight(found[key]):
                found[key] = one
        return list(found.values())

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust check --json`` prints: each name once, and the counts."""
        names = self.distinct()
        counts = document_of(Summary.of(names), without=("names", "verdicts"))
        results = [one.to_dict() for one in names]
        return {"registry": self.registry, "results": results, **counts}

    def _repr_html_(self) -> str:
        rows = (
            (o.name, o.ecosystem, o.verdict, o.reason, o.evidence, ", ".join(o.nearest))
            for o in self
        )
        return _html_table(CHECKED_COLUMNS, rows)


def _weight(one: Checked) -> int:
    if one.verdict is not Verdict.UNKNOWN:
        return 0 if one.is_finding else 1
    return 2 if one.unanswered else 3


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over distinct names."""

    names: int
    verdicts: Mapping[Verdict, int]
    invented: int
    """ABSENT and SUSPECT names"""
    unknown: int
    unknown_share: float | None
    """UNKNOWN names among all, in [0, 1]; None where nothing was named"""
    imports: int
    """distinct names that Python imports stand for"""
    unmapped: int
    """of these, the ones that couldn't be tied to a distribution"""
    unmapped_share: float | None
    """unmapped imports among the imports, in [0, 1]; None without any"""
    own: int
    """distinct names that are the checkout's own code"""
    ignored: int
    """distinct names that a comment in their line keeps from being judged"""
    without_version: int
    """REAL names that lack the version asked for"""

    @classmethod
    def of(cls, names: Sequence[Checked]) -> Self:
        """Counts the names, which are distinct."""
        verdicts = Counter(one.verdict for one in names)
        reasons = Counter(one.reason for one in names)
        imports = [
            one.reason for one in names
            if one.ref.kind is RefKind.IMPORT and one.ref.ecosystem is Ecosystem.PYPI
        ]  # fmt: skip
        unknown, unmapped = verdicts[Verdict.UNKNOWN], imports.count("no-mapping")
        return cls(
            names=len(names),
            verdicts={verdict: verdicts[verdict] for verdict in Verdict},
            invented=verdicts[Verdict.ABSENT] + verdicts[Verdict.SUSPECT],
            unknown=unknown,
            unknown_share=unknown / len(names) if names else None,
            imports=len(imports),
            unmapped=unmapped,
            unmapped_share=unmapped / len(imports) if imports else None,
            own=reasons[Flag.LOCAL_MODULE],
            ignored=reasons[IGNORED],
            without_version=reasons[VERSION_ABSENT],
        )


InventedName = tuple[str, str, str, int]
"""a name, its verdict and reason, and how many answers name it"""


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

    def invented(self, *, reveal: bool = False) -> list[InventedName]:
        """Name, verdict, reason and number of answers of each invention, most frequent first."""
        return invented_names(self.answers, reveal=reveal)

    def to_dict(self, *, reveal: bool = False) -> dict[str, Any]:
        """What ``ghostbust sweep --json`` prints; ``reveal``: names in full, not shortened."""
        from ghostbust.unseen import unseen_of

        return _plain(
            {
                "model": self.model,
                "adapter": self.adapter,
                "seed": self.seed,
                "registry": self.registry,
                "run": self.run_id,
                **measurement_document(self.measurement, contexts=True),
                "invented": invented_document(self.invented(reveal=reveal)),
                "unseen": unseen_of(self.answers),
                "wall_s": round(self.wall_s, 1),
            }
        )

    def __str__(self) -> str:
        """The model and its rate, with interval and volume."""
        m = self.measurement
        return visible(
            f"{self.model}, {self.adapter or 'base'}: rate {m.rate:.3f}"
            f" [{m.ci95[0]:.3f}, {m.ci95[1]:.3f}], volume {m.volume:.2f} over {m.answers} answers"
        )

    def _repr_html_(self) -> str:
        rows = {"all": self.measurement, **self.measurement.by_context}
        return _html_table(("", *FIGURES), ((name, *figures(m)) for name, m in rows.items()))


@dataclass(frozen=True, slots=True)
class Unlearned:
    """What `unlearn` did."""

    outcome: RoundOutcome
    """the adapter, its gates, ``after`` on the same prompts, and whether it serves now"""
    model: str
    seed: int
    wall_s: float

    @property
    def before(self) -> Watched:
        """The base on the held-out prompts."""
        return self.outcome.before

    def to_dict(self) -> dict[str, Any]:
        """What ``ghostbust round --json`` prints."""
        done = round_document(self.outcome)
        return _plain(done | {"model": self.model, "seed": self.seed, "wall_s": round(self.wall_s)})

    def __str__(self) -> str:
        """The adapter, and what its gates said."""
        promoted = "serves" if self.outcome.promotion else "doesn't serve"
        return f"{self.outcome.candidate.name}: gates {self.outcome.report.verdict}, {promoted}"

    def _repr_html_(self) -> str:
        rows = ((one.gate, one.verdict, one.reason) for one in self.outcome.report.results)
        return _html_table(("gate", "verdict", "why"), rows)


def figures(m: Measurement) -> tuple[str, ...]:
    """The cells of `FIGURES`."""
    from ghostbust.measure import said_unknown

    return (
        f"{m.rate:.3f}",
        f"{m.ci95[0]:.3f} to {m.ci95[1]:.3f}",
        "–" if m.inventing is None else str(m.inventing),
        f"{m.volume:.2f}",
        f"{m.all_names:.2f}",
        str(m.real),
        str(m.absent + m.suspect),
        str(m.induced),
        str(m.unknown),
        said_unknown(m.unknown, m.local, m.unmapped).partition(": ")[2],
        "among real" if m.installers is None else str(m.installers),
        str(m.answers),
    )


def measurement_document(measured: Measurement, *, contexts: bool = False) -> dict[str, object]:
    """A rate as JSON, never without its interval and volume; with each context's if asked."""
    made = document_of(
        measured,
        without=("by_context",),
        all_names=measured.all_names,
        unknown_share=measured.unknown_share,
    )
    if contexts:
        made["by_context"] = {
            context: measurement_document(m) for context, m in measured.by_context.items()
        }
    return made


def invented_names(answers: Sequence[Answer], *, reveal: bool) -> list[InventedName]:
    """The invented names, most frequent first, shortened unless revealed."""
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


def invented_document(names: Iterable[InventedName]) -> list[dict[str, object]]:
    """Invented names as JSON."""
    return [dict(zip(("name", "verdict", "reason", "answers"), one, strict=True)) for one in names]


def round_document(outcome: RoundOutcome) -> dict[str, object]:
    """The round as JSON."""
    return {
        "round": outcome.round_id,
        "adapter": outcome.candidate.name,
        "path": outcome.candidate.path,
        "before": measurement_document(outcome.before.measurement),
        "after": measurement_document(outcome.after.measurement),
        "gate": {"verdict": outcome.report.verdict, "gates": list(outcome.report.results)},
        "promoted": outcome.promotion is not None,
    }


def _plain(made: Mapping[str, object]) -> dict[str, Any]:
    return {key: plain(value) for key, value in made.items()}


def _html_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; every cell is escaped."""
    from html import escape  # not for a command, which shows none

    def row(tag: str, cells: Sequence[object]) -> str:
        inner = "".join(f"<{tag}>{escape(visible(str(cell)))}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(row("td", cells) for cells in rows)
    return f"<table><thead>{row('th', head)}</thead><tbody>{body}</tbody></table>"
