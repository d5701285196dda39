"""The figures of behaviour as tables, one for each question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ghostbust.evaluation.behaviour import BINS
from ghostbust.evaluation.figures import (
    AGAIN,
    BASE,
    LEAST_OVERLAP,
    VOLUME_BAND,
    Behaviour,
    Estimate,
    Figures,
    Table,
)
from ghostbust.evaluation.plots import PARTS

if TYPE_CHECKING:
    from ghostbust.evaluation.behaviour import Row
    from ghostbust.evaluation.locality import Shift
    from ghostbust.evaluation.utility import BenchmarkUtility, UtilityResult
    from ghostbust.records import Measurement


Cells = dict[str, object]

YARDSTICK = f"'{AGAIN}' is the base with another seed: what chance alone does."
UNKNOWN = (
    "Unknown names are in no rate; local: an import of a module that the answer shows; unmapped: of"
    " one that no distribution is known for."
)
SHOWN = {"truncated": "cut off"}


def behaviour_tables(found: Behaviour) -> tuple[Table, ...]:
    """The summary first, then rates, of new names and those of the prompt apart, volume, overlap
    and faults.
    """
    made = [
        _summary(found),
        _table(found, "rates", _rates, YARDSTICK, "A drop is 1 - rate / the base's.", UNKNOWN),
        _table(
            found,
            "new names",
            _new_names,
            "Without the names that the adapter was trained to forget, on either side.",
        ),
        _table(
            found,
            "names of the prompt",
            _induced,
            "Inventions that the prompt named first, and all others; drops are per answer.",
        ),
        _table(found, "volume", _volume, "Real names, each once an answer."),
        _table(
            found,
            "list lengths",
            _lengths,
            "Share of the answers with so many real names; the distance is the total variation.",
        ),
        _table(
            found,
            "overlap",
            _overlap,
            "Dice: answers to the same prompt. Common: names in all answers together. Ratios are "
            "to the base's overlap with itself.",
        ),
        _table(found, "faults", _faults, "Share of the answers."),
        _table(found, "more faults", _more_faults, "Share of the answers minus the base's."),
    ]
    return tuple(table for table in made if table.rows)


def _summary(found: Behaviour) -> Table:
    rows: list[Cells] = []
    for temperature in found.temperatures:
        for one in found.of(temperature).values():
            change, shared = one.change, one.overlap
            objections = () if one.arm == BASE else found.objections(one.arm, temperature)
            rows.append(
                {
                    "model": one.arm,
                    "temperature": temperature,
                    "rate": one.rate,
                    "drop": change and change.drop,
                    "volume ratio": change and change.volume_ratio,
                    "overlap ratio": shared and shared.ratio,
                    "objections": "; ".join(objections),
                }
            )
    low, high = VOLUME_BAND
    note = (
        f"Objected to, where the whole interval lies beyond it: a volume outside of {low:g} to "
        f"{high:g}, an overlap under {LEAST_OVERLAP:g}, more faults, other list lengths than "
        "the base again, half the drop on new names."
    )
    return Table("summary", tuple(rows), (YARDSTICK, note))


def _table(
    found: Behaviour, title: str, row: Callable[[Figures], Cells | None], *notes: str
) -> Table:
    rows = [(one, row(one)) for one in found.figures]
    return Table(title, tuple(_key(one) | made for one, made in rows if made), notes)


def _key(one: Figures) -> Cells:
    return {"model": one.arm, "temperature": one.temperature, "context": one.context}


def _rates(one: Figures) -> Cells:
    return {
        "rate": one.rate,
        "drop": one.change and one.change.drop,
        "rate per answer": one.answer_rate,
        "drop per answer": one.change and one.change.answer_drop,
        "names": one.names,
        "unknown": one.unknown,
        "local": one.local,
        "unmapped": one.unmapped,
        "answers": one.answers,
    }


def _new_names(one: Figures) -> Cells | None:
    new = one.new_names
    if new is None:
        return None
    return {
        "share of the base's inventions": new.share,
        "base's rate": new.base_rate,
        "rate": new.rate,
        "drop": new.drop,
    }


def _induced(one: Figures) -> Cells:
    return {
        "share of the inventions": one.induced.share,
        "drop": one.induced.drop,
        "drop of the others": one.induced.other_drop,
    }


def _volume(one: Figures) -> Cells:
    return {"volume": one.volume, "ratio": one.change and one.change.volume_ratio}


def _lengths(one: Figures) -> Cells:
    return {
        **dict(zip(BINS, one.lengths, strict=True)),
        "distance": one.change and one.change.length_distance,
    }


def _overlap(one: Figures) -> Cells | None:
    shared = one.overlap
    if shared is None:
        return None
    return {
        "dice": shared.dice,
        "ratio": shared.ratio,
        "own ratio": shared.own_ratio,
        "common": shared.common,
        "common ratio": shared.common_ratio,
    }


def _faults(one: Figures) -> Cells:
    return {SHOWN.get(name, name): share for name, share in one.faults.items()}


def _more_faults(one: Figures) -> Cells | None:
    if one.change is None:
        return None
    return {SHOWN.get(name, name): more for name, more in one.change.faults.items()}


# --- section_tables
# The tables of utility, locality, persistence and the suites; those of behaviour have a module.

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
