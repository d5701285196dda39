"""Runs of several unlearning methods beside each other: records, tables, and the frontier.

::

    MethodRun, MethodRun …  ─contest_tables─▶  Table: a row for each run, and one for its method

A method is judged by all of its seeds: one run may be lucky. What a run cost stands beside what it
did, because equal answers aren't equal work for all methods.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ghostbust.answer_faults import FAULTS
from ghostbust.evaluation.figures import AGAIN, Figures
from ghostbust.evaluation.plots import FrontierPoint, frontier
from ghostbust.evaluation.report import Estimate, Spread, Table, estimate
from ghostbust.records import Score
from ghostbust.statistics import cluster_sums, resampled_sums

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
