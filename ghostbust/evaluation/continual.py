"""Ways to go on from round to round beside each other: records, tables, and the rate by round."""

from __future__ import annotations

from dataclasses import dataclass

from ghostbust.evaluation.contest import KnownCode, behaved, times
from ghostbust.evaluation.figures import AGAIN, BASE, Figures
from ghostbust.evaluation.plots import RoundPoint, rate_by_round
from ghostbust.evaluation.report import Table
from ghostbust.evaluation.ways import Way

Row = dict[str, object]

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
    rounds = [_key(run) | _run(run) for run in found.runs]
    rounds += [
        {"way": name, "round": "", "rate": one.rate} | (behaved(one) if one.change else {})
        for name, one in ((BASE, found.base), (AGAIN, found.yardstick))
        if one is not None
    ]
    said = [
        _key(run) | {"objections": "; ".join(run.objections)}
        for run in found.runs
        if run.objections
    ]
    learnt = [
        _key(run) | _lesson(run.adapter, run.lesson) for run in found.runs if run.lesson is not None
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


def _key(run: RoundRun) -> Row:
    return {"way": run.way, "round": run.number}


def _run(run: RoundRun) -> Row:
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
