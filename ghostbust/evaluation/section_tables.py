"""The tables of utility, locality, persistence and the suites; those of behaviour have a module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ghostbust.evaluation.figures import BASE
from ghostbust.evaluation.plots import PARTS
from ghostbust.evaluation.report import Estimate, Table

if TYPE_CHECKING:
    from ghostbust.evaluation.locality import Shift
    from ghostbust.evaluation.utility import BenchmarkUtility, UtilityResult
    from ghostbust.evaluation.variants import Row
    from ghostbust.records import Measurement

Cells = dict[str, object]

DROPS = "A drop is 1 - rate / the base's under the same variant. Volume: real names per answer."


def utility_tables(found: Sequence[UtilityResult]) -> tuple[Table, ...]:
    """What each model solves, how likely it finds right solutions, and what the gates would say.

    Takes the results of one run, at least one, which share their margins.
    """
    bound = f"{100 * (1 - found[0].alpha):g} % bound"
    return (
        Table(
            "coding tasks",
            _each_part(found, _solved),
            (
                "p: exact McNemar tests, against any change and against a loss. The loss of pass@1 "
                f"is at most what its {bound} says.",
                f"Power: the chance that a loss of {found[0].margin:g} would be significant.",
            ),
        ),
        Table(
            "log-likelihood of right solutions",
            _each_part(found, _likelihood),
            (f"Nats per token, each task once. Each end of an interval is a one-sided {bound}.",),
        ),
        Table(
            "gates",
            tuple(
                {
                    "model": one.candidate,
                    "gate": result.gate,
                    "verdict": result.verdict,
                    "reason": result.reason,
                }
                for one in found
                for result in (one.coding, one.likelihood)
            ),
        ),
    )


def locality_table(found: Mapping[str, Sequence[Shift]]) -> Table:
    """How far each adapter moved the predictions of each group of tokens."""
    rows: list[Cells] = []
    for name, shifts in found.items():
        packages = next((shift.kl for shift in shifts if shift.group == PARTS[0]), float("nan"))
        rows += [
            {
                "model": name,
                "tokens": str(shift.group),
                "KL": Estimate(shift.kl, *shift.ci95),
                "times less": packages / shift.kl if shift.kl else float("nan"),
                "count": shift.tokens,
                "texts": shift.texts,
            }
            for shift in shifts
        ]
    return Table(
        "KL to the base",
        tuple(rows),
        (
            "Nats per token, computed in float32, on the base's own answers and on general texts.",
            f"Times less: than {PARTS[0]} moved.",
        ),
    )


def variant_table(title: str, found: Mapping[str, Sequence[Row]]) -> Table:
    """The base and each adapter under each variant; ``found`` has rows of the same variants.

    Under ``BASE``, the base beside itself: what stands for it where there is no adapter.
    """
    by_variant: dict[str, list[Cells]] = {}
    notes: list[str] = []
    for name, rows in found.items():
        for row in rows:
            cells = by_variant.setdefault(
                row.variant, [_measured(row.variant, BASE, row.base, None, None)]
            )
            if name != BASE:
                drop = Estimate(row.drop, *row.drop_ci95)
                cells.append(_measured(row.variant, name, row.adapted, drop, row.volume_ratio))
            if row.note:
                notes.append(f"{row.variant}, {name}: {row.note}")
    flat = tuple(cells for group in by_variant.values() for cells in group)
    return Table(title, flat, (DROPS, *notes))


def _measured(
    variant: str, model: str, of: Measurement, drop: Estimate | None, ratio: float | None
) -> Cells:
    return {
        "variant": variant,
        "model": model,
        "rate": of.rate,
        "drop": drop,
        "volume": of.volume,
        "volume ratio": ratio,
        "names": of.refs,
        "answers": of.answers,
    }


def _each_part(
    found: Iterable[UtilityResult], cells: Callable[[BenchmarkUtility], Cells]
) -> tuple[Cells, ...]:
    return tuple(
        {"model": one.candidate, "benchmark": part.benchmark, **cells(part)}
        for one in found
        for part in one.parts
    )


def _solved(part: BenchmarkUtility) -> Cells:
    return {
        "tasks": part.tasks,
        "base solves": part.solved_before,
        "solves": part.solved_after,
        "lost": part.lost,
        "gained": part.gained,
        "p, change": part.p_two_sided,
        "p, loss": part.p_one_sided,
        "loss at most": part.loss_bound,
        "power": part.power,
    }


def _likelihood(part: BenchmarkUtility) -> Cells:
    nats = part.log_likelihood_after - part.log_likelihood_before
    return {
        "base's": part.log_likelihood_before,
        "its": part.log_likelihood_after,
        "change, nats": Estimate(nats, *part.change_nats),
        "change, %": Estimate(part.change_percent, *part.change_percent_interval),
    }
