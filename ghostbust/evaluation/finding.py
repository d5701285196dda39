"""Ways to look for inventions beside each other: records, tables, and the curve over tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostbust.evaluation.plots import Curve, curves
from ghostbust.evaluation.report import Spread, Table
from ghostbust.evaluation.ways import Look

Row = dict[str, object]

FOUND_NOTES = (
    "Names: distinct invented names; prompts: distinct prompts that elicited one that they hadn't "
    "named themselves. Each seed's ways are compared at the same generated tokens, those of "
    "rewriting included: as many as the way that spent least.",
    "Ratios are to the uniform way with the same seed; over seeds: mean (least..most).",
)
OPERATORS_NOTE = (
    "Over all seeds. Asked: uses; written: gave a prompt; paid: gave one that elicited an "
    "invention; tokens: generated to write them."
)


@dataclass(frozen=True, slots=True)
class Point:
    """How far a way is after an answer."""

    tokens: int
    """generated so far, those of rewriting included"""
    answers: int
    names: int
    """distinct invented names so far"""
    prompts: int
    """distinct prompts that elicited one so far"""


@dataclass(frozen=True, slots=True)
class Uses:
    """What became of an operator's uses."""

    operator: str
    asked: int
    written: int
    paid: int
    tokens: int


@dataclass(frozen=True, slots=True)
class LookRun:
    """One way with one seed."""

    way: Look
    seed: int
    points: tuple[Point, ...]
    """one for each answer"""
    uses: tuple[Uses, ...] = ()
    """by operator; none for uniform"""

    def at(self, tokens: int) -> Point:
        """The last point within so many tokens."""
        return max(
            (point for point in self.points if point.tokens <= tokens),
            key=lambda point: point.answers,
            default=Point(0, 0, 0, 0),
        )

    @property
    def tokens(self) -> int:
        """All that it generated."""
        return self.points[-1].tokens if self.points else 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Every way with every seed."""

    runs: tuple[LookRun, ...]

    def limit(self, seed: int) -> int:
        """The tokens at which a seed's ways are compared."""
        return min(run.tokens for run in self.runs if run.seed == seed)


def finding_tables(found: Finding) -> tuple[Table, ...]:
    """What each way found by seed, then over seeds, then what became of the operators."""
    rows = [_row(found, run) for run in found.runs]
    over: list[Row] = []
    for way in dict.fromkeys(run.way for run in found.runs):
        own = [row for row in rows if row["way"] == way]
        over.append(
            {"way": way, "seed": "all"}
            | {column: _spread([row[column] for row in own]) for column in _COUNTED}
        )
    tables = [Table("found", (*rows, *over), FOUND_NOTES)]
    uses = tuple(_uses(found))
    return (*tables, Table("operators", uses, (OPERATORS_NOTE,))) if uses else tuple(tables)


def draw_finding(found: Finding) -> dict[str, str]:
    """File name to SVG: names and paying prompts over tokens, a line for each way and seed."""
    lines: dict[str, list[Curve]] = {"distinct invented names": [], "distinct paying prompts": []}
    pick: tuple[Callable[[Point], int], ...] = (lambda p: p.names, lambda p: p.prompts)
    for (label, made), value in zip(lines.items(), pick, strict=True):
        for run in found.runs:
            xs = tuple(point.tokens for point in run.points)
            made.append(Curve(str(run.way), xs, tuple(value(point) for point in run.points)))
        lines[label] = made
    return {"finding.svg": curves("tokens generated", lines)}


_COUNTED = ("answers", "tokens", "names", "prompts", "names ratio", "prompts ratio")


def _row(found: Finding, run: LookRun) -> Row:
    limit = found.limit(run.seed)
    own = run.at(limit)
    uniform = next((r for r in found.runs if (r.way, r.seed) == (Look.UNIFORM, run.seed)), None)
    base = None if uniform is None else uniform.at(limit)
    return {
        "way": run.way,
        "seed": run.seed,
        "answers": own.answers,
        "tokens": own.tokens,
        "names": own.names,
        "prompts": own.prompts,
        "names ratio": _ratio(own.names, base.names if base else 0),
        "prompts ratio": _ratio(own.prompts, base.prompts if base else 0),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _spread(values: Sequence[object]) -> Spread | None:
    """Mean, least and most; None where one isn't there."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values) or not numbers:
        return None
    return Spread(sum(numbers) / len(numbers), min(numbers), max(numbers))


def _uses(found: Finding) -> list[Row]:
    sums: dict[tuple[str, str], list[int]] = {}
    for run in found.runs:
        for one in run.uses:
            total = sums.setdefault((run.way, one.operator), [0, 0, 0, 0])
            for place, value in enumerate((one.asked, one.written, one.paid, one.tokens)):
                total[place] += value
    names = ("asked", "written", "paid", "tokens")
    return [
        {"way": way, "operator": operator} | dict(zip(names, total, strict=True))
        for (way, operator), total in sums.items()
    ]
