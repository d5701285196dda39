"""Ways to look for inventions beside each other: records, tables, and the curve over tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ghostbust.evaluation.figures import AGAIN, BASE, Estimate, Figures, Spread, Table, estimate
from ghostbust.evaluation.plots import (
    Curve,
    FrontierPoint,
    RoundPoint,
    curves,
    frontier,
    rate_by_round,
)
from ghostbust.evaluation.ways import Search, Way
from ghostbust.measure import FAULTS
from ghostbust.records import Score
from ghostbust.statistics import cluster_sums, resampled_sums

# --- contest
# Runs of several unlearning methods beside each other: records, tables, and the frontier.
#
# ::
#
#     MethodRun, MethodRun …  ─contest_tables─▶  Table: a row for each run, and one for its method
#
# A method is judged by all of its seeds: one run may be lucky. What a run cost stands beside what
#  it
# did, because equal answers aren't equal work for all methods.

Row = dict[str, object]

SPREAD = (
    "drop",
    "volume ratio",
    "overlap ratio",
    "likelihood %",
    *(f"more {name}" for name in FAULTS),
    "objections",
    "seconds",
)
"""columns of the summary, all of which have a spread over seeds"""
SUMMARY_NOTES = (
    "A row of one seed has 95 % intervals, a row of all seeds the mean (lowest to highest). "
    "Likelihood: change of the canonical solutions' log-likelihood in percent of the base's; "
    "below 0 is a loss. More faults: share of the answers minus the base's.",
    f"'{AGAIN}' is the base with another seed: what chance alone does.",
)
MORE_NOTE = "More faults: share of the answers minus the base's."
COST_NOTE = (
    "Equal for all methods of a seed: the answers and what they are drawn with, LoRA rank and "
    "alpha, learning rate, epochs, clipping. Not equal: repaired answers are trained on beside "
    "the others, and looks take time. Tokens are those of answers, each as often as it trained."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run learnt from, and what that took."""

    answers: int
    """learnt from, those with inventions included"""
    forget: int
    """of these, with inventions"""
    answers_per_step: int
    """repaired ones included"""
    steps: int
    """of the optimizer"""
    tokens: int | None
    """answer tokens trained on, each as often as it was, repaired answers included; None where the
    adapter's manifest doesn't say"""
    looks: int
    """how often the model answered the train-side prompts that its volume is measured on"""
    train_s: float
    """wall time with the looks, without loading the model"""


@dataclass(frozen=True, slots=True)
class KnownCode:
    """How much likelier an adapter finds the canonical solutions than the base does."""

    nats: Estimate
    """change of the log-likelihood per token, each task counting once; below 0 is a loss"""
    share: Estimate
    """that / the base's log-likelihood without its sign: -0.01 is a loss of 1 %"""


@dataclass(frozen=True, slots=True)
class MethodRun:
    """One method with one seed."""

    method: str
    seed: int
    adapter: str | None
    """None where it has none because it failed"""
    failure: str
    """why there are no figures; empty where there are"""
    cost: Cost | None
    figures: Figures | None
    """in all contexts together, set against the base; None for a run that failed"""
    objections: tuple[str, ...]
    known_code: KnownCode | None
    """None where there are no tasks to score"""


@dataclass(frozen=True, slots=True)
class Contest:
    """Every run, in the order given, and the base with another seed beside them."""

    runs: tuple[MethodRun, ...]
    yardstick: Figures | None
    """the base again; None at temperature 0"""

    def by_method(self) -> dict[str, list[MethodRun]]:
        """The runs of each method."""
        grouped: dict[str, list[MethodRun]] = {}
        for run in self.runs:
            grouped.setdefault(run.method, []).append(run)
        return grouped


def known_code(
    base: Mapping[str, Score], adapted: Mapping[str, Score], *, seed: int
) -> KnownCode | None:
    """The change with its 95 % bootstrap interval over tasks; None without a task.

    Both hold scores of the same tasks.
    """
    if not base:
        return None
    tasks = sorted(base)
    before = [base[task].nll / base[task].tokens for task in tasks]
    after = [adapted[task].nll / adapted[task].tokens for task in tasks]
    rows = cluster_sums(tasks, before, after)  # (tasks, 2)
    drawn = np.vstack([rows.sum(axis=0), resampled_sums(rows, seed=seed)])  # (1 + R, 2)
    gained = drawn[:, 0] - drawn[:, 1]  # (1 + R,)
    return KnownCode(estimate(gained / len(tasks)), estimate(gained / drawn[:, 0]))


def contest_tables(found: Contest) -> tuple[Table, ...]:
    """The summary first, then what it has no room for, then what each run cost."""
    by_method = found.by_method().values()
    summary = [row for runs in by_method for row in _summary(runs)]
    if found.yardstick is not None:
        summary.append({"method": AGAIN, "seed": ""} | behaved(found.yardstick))
    runs = [(_key(run), run) for runs in by_method for run in runs]
    more = [key | _more(run, run.figures) for key, run in runs if run.figures is not None]
    costs = [key | _cost(run.adapter, run.cost) for key, run in runs if run.cost is not None]
    said = [key | {"objections": "; ".join(run.objections)} for key, run in runs if run.objections]
    made = [
        Table("summary", tuple(summary), SUMMARY_NOTES),
        Table("more of each run", tuple(more), (MORE_NOTE,)),
        Table("objections", tuple(said)),
        Table("training", tuple(costs), (COST_NOTE,)),
    ]
    return tuple(table for table in made if table.rows)


def draw_contest(found: Contest) -> dict[str, str]:
    """File name to SVG: suppression against volume, each run a point in its method's colour."""
    points = [
        FrontierPoint(name, one.change.drop, one.change.volume_ratio, name == AGAIN)
        for name, one in _drawn(found)
        if one is not None and one.change is not None
    ]
    return {"frontier.svg": frontier(points)}


def _drawn(found: Contest) -> Iterator[tuple[str, Figures | None]]:
    yield AGAIN, found.yardstick
    for name, runs in found.by_method().items():
        yield from ((name, run.figures) for run in runs)


def _key(run: MethodRun) -> Row:
    return {"method": run.method, "seed": run.seed}


def _summary(runs: Sequence[MethodRun]) -> Iterator[Row]:
    """A row for each run of one method, then one for all of them."""
    rows = [_key(run) | _run(run) for run in runs]
    yield from rows
    done = [row for run, row in zip(runs, rows, strict=True) if not run.failure]
    yield {
        "method": runs[0].method,
        "seed": f"all {len(runs)}" if len(done) == len(runs) else f"{len(done)} of {len(runs)}",
        **{column: _spread(done, column) for column in SPREAD},
    }


def _run(run: MethodRun) -> Row:
    if run.figures is None:
        return {"failed": run.failure}
    return behaved(run.figures) | {
        "likelihood %": run.known_code and times(run.known_code.share, 100),
        "objections": len(run.objections),
        "seconds": run.cost and run.cost.train_s,
    }


def behaved(one: Figures) -> Row:
    """The columns of the summary that an evaluation of behaviour fills."""
    change = one.change
    return {
        "drop": change and change.drop,
        "volume ratio": change and change.volume_ratio,
        "overlap ratio": one.overlap and one.overlap.ratio,
        "likelihood %": None,
        **{f"more {name}": change and change.faults[name].value for name in FAULTS},
    }


def _more(run: MethodRun, one: Figures) -> Row:
    change = one.change
    return {
        "rate": one.rate,
        "drop on new names": one.new_names and one.new_names.drop,
        "common ratio": one.overlap and one.overlap.common_ratio,
        "likelihood, nats a token": run.known_code and run.known_code.nats,
        **{f"more {name}": change and change.faults[name] for name in FAULTS},
    }


def _cost(adapter: str | None, cost: Cost) -> Row:
    return {
        "adapter": adapter,
        "answers": cost.answers,
        "with inventions": cost.forget,
        "answers a step": cost.answers_per_step,
        "steps": cost.steps,
        "tokens": cost.tokens,
        "looks": cost.looks,
        "seconds": cost.train_s,
    }


def _spread(rows: Sequence[Row], column: str) -> Spread | None:
    """Over the rows in which the figure is defined; None where it is in none."""
    values = [row[column] for row in rows]
    known = [one.value if isinstance(one, Estimate) else one for one in values]
    numbers = [one for one in known if isinstance(one, int | float) and not math.isnan(one)]
    if not numbers:
        return None
    return Spread(math.fsum(numbers) / len(numbers), min(numbers), max(numbers))


def times(one: Estimate, factor: float) -> Estimate:
    return Estimate(one.value * factor, one.low * factor, one.high * factor)


# --- continual
# Ways to go on from round to round beside each other: records, tables, and the rate by round.

ROUNDS_NOTES = (
    "Each row is the model that a way has after the round, on the same held-out tasks; drop and "
    "ratios compare it with the base, with 95 % intervals. Likelihood: change of the canonical "
    "solutions' log-likelihood in percent of the base's; below 0 is a loss.",
    f"'{AGAIN}' is the base with another seed: what chance alone does. All rounds are of one seed.",
)
TRAINING_NOTE = (
    "Equal for all ways: the fresh tasks of a round, the most answers that it learns from, and how "
    "it trains. Not equal: what its own model answered. 'static' has no rounds: each row was "
    "trained at once on so many of the base's answers. A round that failed leaves the model as it "
    "was. Kept norm: of the sum of the adapters, after merging."
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a round learnt from, and what that took."""

    answers: int
    forget: int
    """of these, with inventions"""
    own: int
    """of the answers, those of the model that the way had, rather than of one before it"""
    steps: int
    train_s: float
    rank: int
    """of the adapter that serves after the round"""
    kept_norm: float | None
    """share of the sum's norm that merging kept; None where nothing was merged"""


@dataclass(frozen=True, slots=True)
class RoundRun:
    """One round of one way."""

    way: Way
    number: int
    """from 1"""
    adapter: str | None
    """what serves after it; None: the base"""
    failure: str
    """why there are no figures; empty where there are"""
    lesson: Lesson | None
    """None where it failed"""
    figures: Figures | None
    """in all contexts together, set against the base"""
    objections: tuple[str, ...]
    known_code: KnownCode | None
    """None where there are no tasks to score"""


@dataclass(frozen=True, slots=True)
class Continual:
    """Every round of every way, and the base beside them."""

    runs: tuple[RoundRun, ...]
    """by way, in the order given, then by round"""
    base: Figures | None
    """None where nothing was trained that could be sampled"""
    yardstick: Figures | None
    """the base again; None at temperature 0"""


def continual_tables(found: Continual) -> tuple[Table, ...]:
    """What each round came to, then what is objected to, then what each learnt from."""
    rounds = [_round_key(run) | _round_row(run) for run in found.runs]
    rounds += [
        {"way": name, "round": "", "rate": one.rate} | (behaved(one) if one.change else {})
        for name, one in ((BASE, found.base), (AGAIN, found.yardstick))
        if one is not None
    ]
    said = [
        _round_key(run) | {"objections": "; ".join(run.objections)}
        for run in found.runs
        if run.objections
    ]
    learnt = [
        _round_key(run) | _lesson(run.adapter, run.lesson)
        for run in found.runs
        if run.lesson is not None
    ]
    made = [
        Table("rounds", tuple(rounds), ROUNDS_NOTES),
        Table("objections", tuple(said)),
        Table("training", tuple(learnt), (TRAINING_NOTE,)),
    ]
    return tuple(table for table in made if table.rows)


def draw_continual(found: Continual) -> dict[str, str]:
    """File name to SVG: rate and volume by round, a line for each way, which begins at the base.

    A line ends before the first round that has no figures.
    """
    lines: dict[str, list[RoundPoint]] = {}
    for way in dict.fromkeys(run.way for run in found.runs):
        runs = [run for run in found.runs if run.way is way]
        lines[way] = _points(BASE, found.base)
        for run in runs:
            if run.figures is None:
                break
            lines[way] += _points(str(run.number), run.figures)
    return {"rounds.svg": rate_by_round(lines)}


def _points(name: str, one: Figures | None) -> list[RoundPoint]:
    return [] if one is None else [RoundPoint(name, one.rate, one.volume)]


def _round_key(run: RoundRun) -> Row:
    return {"way": run.way, "round": run.number}


def _round_row(run: RoundRun) -> Row:
    if run.figures is None:
        return {"failed": run.failure}
    return (
        {"rate": run.figures.rate}
        | behaved(run.figures)
        | {
            "likelihood %": run.known_code and times(run.known_code.share, 100),
            "rank": run.lesson and run.lesson.rank,
            "objections": len(run.objections),
        }
    )


def _lesson(adapter: str | None, lesson: Lesson) -> Row:
    return {
        "adapter": adapter,
        "answers": lesson.answers,
        "with inventions": lesson.forget,
        "its own": lesson.own,
        "steps": lesson.steps,
        "seconds": lesson.train_s,
        "rank": lesson.rank,
        "kept norm": lesson.kept_norm,
    }


# --- finding
# Ways to look for inventions beside each other: records, tables, and the curve over tokens.

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
class SearchPoint:
    """How far a way is after an answer."""

    tokens: int
    """generated so far, those of rewriting included"""
    answers: int
    names: int
    """distinct invented names so far"""
    prompts: int
    """distinct prompts that elicited one so far"""


@dataclass(frozen=True, slots=True)
class OperatorUses:
    """What became of an operator's uses."""

    operator: str
    asked: int
    written: int
    paid: int
    tokens: int


@dataclass(frozen=True, slots=True)
class SearchRun:
    """One way with one seed."""

    way: Search
    seed: int
    points: tuple[SearchPoint, ...]
    """one for each answer"""
    uses: tuple[OperatorUses, ...] = ()
    """by operator; none for uniform"""

    def at(self, tokens: int) -> SearchPoint:
        """The last point within so many tokens."""
        return max(
            (point for point in self.points if point.tokens <= tokens),
            key=lambda point: point.answers,
            default=SearchPoint(0, 0, 0, 0),
        )

    @property
    def tokens(self) -> int:
        """All that it generated."""
        return self.points[-1].tokens if self.points else 0


@dataclass(frozen=True, slots=True)
class SearchComparison:
    """Every way with every seed."""

    runs: tuple[SearchRun, ...]

    def limit(self, seed: int) -> int:
        """The tokens at which a seed's ways are compared."""
        return min(run.tokens for run in self.runs if run.seed == seed)


def search_tables(found: SearchComparison) -> tuple[Table, ...]:
    """What each way found by seed, then over seeds, then what became of the operators."""
    rows = [_row(found, run) for run in found.runs]
    over: list[Row] = []
    for way in dict.fromkeys(run.way for run in found.runs):
        own = [row for row in rows if row["way"] == way]
        over.append(
            {"way": way, "seed": "all"}
            | {column: _spread_of([row[column] for row in own]) for column in _COUNTED}
        )
    tables = [Table("found", (*rows, *over), FOUND_NOTES)]
    uses = tuple(_uses(found))
    return (*tables, Table("operators", uses, (OPERATORS_NOTE,))) if uses else tuple(tables)


def draw_search(found: SearchComparison) -> dict[str, str]:
    """File name to SVG: names and paying prompts over tokens, a line for each way and seed."""
    lines: dict[str, list[Curve]] = {"distinct invented names": [], "distinct paying prompts": []}
    pick: tuple[Callable[[SearchPoint], int], ...] = (lambda p: p.names, lambda p: p.prompts)
    for (label, made), value in zip(lines.items(), pick, strict=True):
        for run in found.runs:
            xs = tuple(point.tokens for point in run.points)
            made.append(Curve(str(run.way), xs, tuple(value(point) for point in run.points)))
        lines[label] = made
    return {"finding.svg": curves("tokens generated", lines)}


_COUNTED = ("answers", "tokens", "names", "prompts", "names ratio", "prompts ratio")


def _row(found: SearchComparison, run: SearchRun) -> Row:
    limit = found.limit(run.seed)
    own = run.at(limit)
    uniform = next((r for r in found.runs if (r.way, r.seed) == (Search.UNIFORM, run.seed)), None)
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


def _spread_of(values: Sequence[object]) -> Spread | None:
    """Mean, least and most; None where one isn't there."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values) or not numbers:
        return None
    return Spread(sum(numbers) / len(numbers), min(numbers), max(numbers))


def _uses(found: SearchComparison) -> list[Row]:
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
