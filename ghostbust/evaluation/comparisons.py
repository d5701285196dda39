"""What the benches compare: unlearning methods, ways to go on from round to round, ways to search.

Of each comparison: the records of its runs, their tables, and a plot. A run that failed has a row
that says why, and is in no mean. What the base again shows stands beside, and so does what a run
cost, since equal answers aren't equal work for all.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ghostbust.answer_faults import FAULTS
from ghostbust.evaluation.comparators import AFTER, BEFORE, INSTRUCTION
from ghostbust.evaluation.figures import AGAIN, BASE, Estimate, Figures, Spread, Table, estimate
from ghostbust.evaluation.plots import Panel, Series, draw, frontier, rate_by_round
from ghostbust.evaluation.ways import Search, Way
from ghostbust.records import Score
from ghostbust.statistics import cluster_sums, resampled_sums

Cells = dict[str, object]
"""one row: column to what stands in it"""

AGAIN_NOTE = f"'{AGAIN}' is the base with another seed: what chance alone does."
UNTRAINED_NOTE = (
    f"'{BASE}@T' is the base at temperature T, '{BEFORE}' and '{AFTER}' the base told "
    f'"{INSTRUCTION}" before the message or after it.'
)
LIKELIHOOD_NOTE = (
    "Likelihood: change of the canonical solutions' log-likelihood in percent of the base's; "
    "below 0 is a loss."
)


@dataclass(frozen=True, slots=True)
class KnownCode:
    """How much likelier an adapter finds the canonical solutions than the base does."""

    nats: Estimate
    """change of the log-likelihood per token, each task counting once; below 0 is a loss"""
    share: Estimate
    """that / the base's log-likelihood without its sign: -0.01 is a loss of 1 %"""

    @property
    def percent(self) -> Estimate:
        """``share`` in percent."""
        return Estimate(self.share.value * 100, self.share.low * 100, self.share.high * 100)


def known_code(
    base: Mapping[str, Score], adapted: Mapping[str, Score], *, seed: int
) -> KnownCode | None:
    """The change with its 95 % bootstrap interval over tasks; None without a task.

    Both hold scores of the same tasks.
    """

    import numpy as np

    if not base:
        return None
    tasks = sorted(base)
    before = [base[task].nll / base[task].tokens for task in tasks]
    after = [adapted[task].nll / adapted[task].tokens for task in tasks]
    rows = cluster_sums(tasks, before, after)  # (tasks, 2)
    drawn = np.vstack([rows.sum(axis=0), resampled_sums(rows, seed=seed)])  # (1 + R, 2)
    gained = drawn[:, 0] - drawn[:, 1]  # (1 + R,)
    return KnownCode(estimate(gained / len(tasks)), estimate(gained / drawn[:, 0]))


def _behaved(one: Figures) -> Cells:
    """What an evaluation of behaviour says of a model, beside the base."""
    change = one.change
    return {
        "drop": change and change.drop,
        "supported": change and change.supported,
        "all": change and change.all,
        "different": change and change.distinct,
        "likelihood %": None,
        **{f"more {name}": change and change.faults[name].value for name in FAULTS},
    }


def _objections(key: Cells, objections: Sequence[str]) -> list[Cells]:
    return [key | {"objections": "; ".join(objections)}] if objections else []


def _spread(values: Iterable[object]) -> Spread | None:
    """Over those figures that are numbers; None where none is."""
    bare = [one.value if isinstance(one, Estimate) else one for one in values]
    numbers = [one for one in bare if isinstance(one, int | float) and not math.isnan(one)]
    if not numbers:
        return None
    return Spread(math.fsum(numbers) / len(numbers), min(numbers), max(numbers))


def _tables(*tables: Table) -> tuple[Table, ...]:
    """Those that have rows."""
    return tuple(table for table in tables if table.rows)


# Unlearning methods: a method is judged by all of its seeds, since one run may be lucky

SPREAD = (
    "drop",
    "supported",
    "all",
    "different",
    "likelihood %",
    *(f"more {name}" for name in FAULTS),
    "objections",
    "seconds",
)
"""columns of the summary, all of which have a spread over seeds"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run learnt from, and what that took."""

    answers: int
    """learnt from, those with inventions included"""
    forget: int
    """of these, with inventions"""
    answers_per_step: int | None
    """repaired ones included; None where a program of the user's trained"""
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
class MethodRun:
    """One method with one seed."""

    method: str
    """as a row is named: ``npo@0.0024`` where the learning rate isn't the settings'"""
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
class Untrained:
    """A comparator: the base asked in another way, on the same held-out prompts."""

    figures: Figures
    """in all contexts together, set against the base; ``model`` is the comparator's name"""
    objections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contest:
    """Every run, in the order given, and the base with another seed beside them."""

    runs: tuple[MethodRun, ...]
    yardstick: Figures | None
    """the base again; None at temperature 0"""
    untrained: tuple[Untrained, ...] = ()

    def by_method(self) -> dict[str, list[MethodRun]]:
        """The runs of each method."""
        grouped: dict[str, list[MethodRun]] = defaultdict(list)
        for run in self.runs:
            grouped[run.method].append(run)
        return grouped


def contest_tables(found: Contest) -> tuple[Table, ...]:
    """The summary, with a row for each run and one for its method; then what it has no room for,
    the objections, and what each run cost.
    """
    summary: list[Cells] = []
    more: list[Cells] = []
    said: list[Cells] = []
    costs: list[Cells] = []
    for method, runs in found.by_method().items():
        done = []
        for run in runs:
            key: Cells = {"method": method, "seed": run.seed}
            said += _objections(key, run.objections)
            if run.cost is not None:
                costs.append(key | _cost(run.adapter, run.cost))
            if run.figures is None:
                summary.append(key | {"failed": run.failure})
                continue
            done.append(
                _behaved(run.figures)
                | {
                    "likelihood %": run.known_code and run.known_code.percent,
                    "objections": len(run.objections),
                    "seconds": run.cost and run.cost.train_s,
                }
            )
            summary.append(key | done[-1])
            more.append(key | _more(run.figures, run.known_code))
        seeds = f"all {len(runs)}" if len(done) == len(runs) else f"{len(done)} of {len(runs)}"
        spread = {column: _spread(row[column] for row in done) for column in SPREAD}
        summary.append({"method": method, "seed": seeds, **spread})
    for one in found.untrained:
        key = {"method": one.figures.model, "seed": ""}
        said += _objections(key, one.objections)
        summary.append(key | _behaved(one.figures) | {"objections": len(one.objections)})
        more.append(key | _more(one.figures, None))
    if found.yardstick is not None:
        summary.append({"method": AGAIN, "seed": ""} | _behaved(found.yardstick))
    more_note = "More faults: share of the answers minus the base's."
    untrained_note = [UNTRAINED_NOTE] if found.untrained else []
    summary_note = (
        "A row of one seed has 95 % intervals, a row of all seeds the mean (lowest to highest). "
        f"{LIKELIHOOD_NOTE} {more_note}"
    )
    cost_note = (
        "Equal for all methods of a seed: the answers and what they are drawn with, LoRA rank and "
        "alpha, epochs, clipping, and the learning rate, unless a name ends with another. Not "
        "equal: repaired answers are trained on beside the others, and looks take time. Tokens are "
        "those of answers, each as often as it trained."
    )
    return _tables(
        Table("summary", tuple(summary), (summary_note, *untrained_note, AGAIN_NOTE)),
        Table("more of each run", tuple(more), (more_note,)),
        Table("objections", tuple(said)),
        Table("training", tuple(costs), (cost_note,)),
    )


def _more(one: Figures, code: KnownCode | None) -> Cells:
    change, new = one.change, one.new_names
    return {
        "rate": one.rate,
        "drop on new names": new and new.drop,
        "more unsupported": change and change.unsupported,
        "more unknown": change and change.unknown,
        "likelihood, nats a token": code and code.nats,
        **{f"more {name}": change and change.faults[name] for name in FAULTS},
    }


def _cost(adapter: str | None, cost: Cost) -> Cells:
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


def draw_contest(found: Contest) -> dict[str, str]:
    """File name to SVG: suppression against supported names, each run in its method's colour."""
    models = [(AGAIN, found.yardstick)]
    models += [(one.figures.model, one.figures) for one in found.untrained]
    models += [(name, run.figures) for name, runs in found.by_method().items() for run in runs]
    return {"frontier.svg": frontier((name, one) for name, one in models if one is not None)}


# Ways to go on from round to round, all of one seed


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
    """What each round came to, then the objections, then what each round learnt from."""
    rounds: list[Cells] = []
    said: list[Cells] = []
    learnt: list[Cells] = []
    for run in found.runs:
        key: Cells = {"way": run.way, "round": run.number}
        said += _objections(key, run.objections)
        if run.lesson is not None:
            learnt.append(key | _lesson(run.adapter, run.lesson))
        if run.figures is None:
            rounds.append(key | {"failed": run.failure})
            continue
        rounds.append(
            key
            | {"rate": run.figures.rate}
            | _behaved(run.figures)
            | {
                "likelihood %": run.known_code and run.known_code.percent,
                "rank": run.lesson and run.lesson.rank,
                "objections": len(run.objections),
            }
        )
    for name, one in ((BASE, found.base), (AGAIN, found.yardstick)):
        if one is not None:
            compared = _behaved(one) if one.change else {}
            rounds.append({"way": name, "round": "", "rate": one.rate} | compared)
    rounds_note = (
        "Each row is the model that a way has after the round, on the same held-out tasks; drop "
        f"and ratios compare it with the base, with 95 % intervals. {LIKELIHOOD_NOTE}"
    )
    training_note = (
        "Equal for all ways: the fresh tasks of a round, the most answers that it learns from, and "
        "how it trains. Not equal: what its own model answered. 'static' has no rounds: each row "
        "was trained at once on so many of the base's answers. A round that failed leaves the "
        "model as it was. Kept norm: of the sum of the adapters, after merging."
    )
    return _tables(
        Table("rounds", tuple(rounds), (rounds_note, f"{AGAIN_NOTE} All rounds are of one seed.")),
        Table("objections", tuple(said)),
        Table("training", tuple(learnt), (training_note,)),
    )


def _lesson(adapter: str | None, lesson: Lesson) -> Cells:
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


def draw_continual(found: Continual) -> dict[str, str]:
    """File name to SVG: rate and supported names by round, a line from the base for each way.

    A line ends before the first round that has no figures.
    """
    lines: dict[str, list[tuple[str, Figures]]] = {}
    ended: set[str] = set()
    for run in found.runs:
        line = lines.setdefault(run.way, [] if found.base is None else [(BASE, found.base)])
        if run.figures is None:
            ended.add(run.way)
        elif run.way not in ended:
            line.append((str(run.number), run.figures))
    return {"rounds.svg": rate_by_round(lines)}


# Ways to search for inventions: compared at the same generated tokens

COUNTED = ("answers", "tokens", "names", "prompts", "names ratio", "prompts ratio")
"""columns that have a spread over seeds"""
USES = ("asked", "written", "paid", "tokens")


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """How far a search is after an answer."""

    tokens: int
    """generated so far, those of rewriting included"""
    answers: int
    names: int
    """distinct invented names so far"""
    prompts: int
    """distinct prompts that elicited one so far"""


@dataclass(frozen=True, slots=True)
class OperatorUses:
    """How often an operator of discovery was used, and what came of it."""

    operator: str
    asked: int
    written: int
    """gave a prompt"""
    paid: int
    """gave one that elicited an invention"""
    tokens: int
    """generated to write the prompts"""


@dataclass(frozen=True, slots=True)
class SearchRun:
    """One way to search with one seed."""

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
        """The tokens at which a seed's ways are compared: of the way that generated least."""
        return min(run.tokens for run in self.runs if run.seed == seed)


def search_tables(found: SearchComparison) -> tuple[Table, ...]:
    """What each way found by seed, then over seeds, then what came of the operators."""
    rows: list[Cells] = []
    uses: dict[tuple[Search, str], dict[str, int]] = {}
    uniform = {run.seed: run for run in found.runs if run.way is Search.UNIFORM}
    for run in found.runs:
        limit = found.limit(run.seed)
        own, base = run.at(limit), uniform[run.seed].at(limit) if run.seed in uniform else None
        rows.append(
            {
                "way": run.way,
                "seed": run.seed,
                "answers": own.answers,
                "tokens": own.tokens,
                "names": own.names,
                "prompts": own.prompts,
                "names ratio": own.names / base.names if base and base.names else None,
                "prompts ratio": own.prompts / base.prompts if base and base.prompts else None,
            }
        )
        for one in run.uses:
            total = uses.setdefault((run.way, one.operator), dict.fromkeys(USES, 0))
            for name in USES:
                total[name] += getattr(one, name)
    over: list[Cells] = []
    for way in dict.fromkeys(run.way for run in found.runs):
        columns = {name: [row[name] for row in rows if row["way"] == way] for name in COUNTED}
        # A ratio that one seed lacks has no mean over all of them.
        spread = {n: None if None in values else _spread(values) for n, values in columns.items()}
        over.append({"way": way, "seed": "all", **spread})
    found_notes = (
        "Names: distinct invented names; prompts: distinct prompts that elicited one that they "
        "hadn't named themselves. Each seed's ways are compared at the same generated tokens, "
        "those of rewriting included: as many as the way that spent least.",
        "Ratios are to the uniform way with the same seed; over seeds: mean (least..most).",
    )
    operators_note = (
        "Over all seeds. Asked: uses; written: gave a prompt; paid: gave one that elicited an "
        "invention; tokens: generated to write them."
    )
    operators: list[Cells] = [
        {"way": way, "operator": operator, **total} for (way, operator), total in uses.items()
    ]
    return _tables(
        Table("found", (*rows, *over), found_notes),
        Table("operators", tuple(operators), (operators_note,)),
    )


def draw_search(found: SearchComparison) -> dict[str, str]:
    """File name to SVG: names and paying prompts over tokens, a line for each way and seed."""
    names, prompts = list[Series](), list[Series]()
    for run in found.runs:
        xs = [point.tokens for point in run.points]
        names.append(Series(run.way, xs, [point.names for point in run.points]))
        prompts.append(Series(run.way, xs, [point.prompts for point in run.points]))
    panels = [
        Panel("distinct invented names", names, "line"),
        Panel("distinct paying prompts", prompts, "line"),
    ]
    return {"finding.svg": draw(panels, "tokens generated")}
