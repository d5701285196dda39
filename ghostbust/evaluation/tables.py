"""The figures of every section of an evaluation as tables.

Notes say, below a table, what a reader must know to read its figures right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ghostbust.evaluation.behaviour import AGREEMENT
from ghostbust.evaluation.figures import (
    AGAIN,
    BASE,
    LEAST_DISTINCT,
    LEAST_SUPPORTED,
    MOST_MORE,
    MOST_NAMES,
    Behaviour,
    Estimate,
    Group,
    Table,
)

if TYPE_CHECKING:
    from ghostbust.evaluation.attack import Recovered
    from ghostbust.evaluation.behaviour import Row
    from ghostbust.evaluation.locality import Shift
    from ghostbust.evaluation.relevance import Relevance
    from ghostbust.evaluation.utility import UtilityResult
    from ghostbust.records import Measurement

Cells = dict[str, object]
"""one row: column to what stands in it"""

YARDSTICK = f"'{AGAIN}' is the base with another seed: what chance alone does."
BEHAVIOUR_NOTES: dict[str, tuple[str, ...]] = {
    "summary": (
        YARDSTICK,
        f"Objected to, where the whole interval lies beyond it: supported names under "
        f"{LEAST_SUPPORTED:g} of the base's, all names over {MOST_NAMES:g}, different names under "
        f"{LEAST_DISTINCT:g}; {MOST_MORE:g} more unsupported or unknown names or faults; under "
        "half the drop on new names.",
    ),
    "rates": (
        YARDSTICK,
        "A drop is 1 - rate / the base's; of all contexts together with the base's weights.",
        "Unknown: share of all names, in no rate. Of these, local: imports of a module that the "
        "answer shows; unmapped: no distribution is known for them. Installers, such as pip, count "
        "nowhere.",
    ),
    "names an answer": (
        "Supported: real names that another answer of the base to the prompt has, too. All: real, "
        "invented and unknown. Ratios are to the base's.",
    ),
    "which names": (
        "Unsupported: share of the real names. More: minus the base's; of unknown names, too.",
    ),
    "packages beside code": (
        "Missing: imports that the answer's install line lacks; unused: names in it that nothing "
        "imports; agreeing: answers with neither. Recall and precision: of packages named for code "
        "that was asked about.",
    ),
    "new names": ("Without the names that the adapter was trained to forget, on either side.",),
    "names of the prompt": (
        "Inventions that the prompt named first, and all others; drops are per answer.",
    ),
    "faults": ("Share of the answers.",),
    "more faults": ("Share of the answers minus the base's.",),
}
"""the tables of behaviour in their order, and their notes"""


def behaviour_tables(found: Behaviour) -> tuple[Table, ...]:
    """The summary, then a table for each question; those without a row are left out."""
    rows: dict[str, list[Cells]] = {title: [] for title in BEHAVIOUR_NOTES}
    for temperature in found.temperatures:
        for one in found.of(temperature).values():
            objections = () if one.model == BASE else found.objections(one.model, temperature)
            rows["summary"].append(
                {
                    "model": one.model,
                    "temperature": temperature,
                    "rate": one.rate,
                    "drop": one.change and one.change.drop,
                    "supported": one.change and one.change.supported,
                    "all": one.change and one.change.all,
                    "objections": "; ".join(objections),
                }
            )
    for one in found.figures:
        key: Cells = {"model": one.model, "temperature": one.temperature, "context": one.context}
        change, new = one.change, one.new_names
        cells: dict[str, Cells] = {
            "rates": {
                "rate": one.rate,
                "drop": change and change.drop,
                "rate per answer": one.answer_rate,
                "drop per answer": change and change.answer_drop,
                "names": one.names,
                "unknown": one.unknown,
                "local": one.local,
                "unmapped": one.unmapped,
                "installers": one.installers,
                "answers": one.answers,
            },
            "names an answer": {
                "supported": one.supported,
                "ratio": change and change.supported,
                "all": one.all,
                "all ratio": change and change.all,
                "real": one.volume,
                "answers that name": one.naming,
            },
            "which names": {
                "unsupported": one.unsupported,
                "more unsupported": change and change.unsupported,
                "more unknown": change and change.unknown,
                "different": one.distinct,
                "different ratio": change and change.distinct,
            },
            "packages beside code": {name: getattr(one.agreement, name) for name in AGREEMENT},
            "names of the prompt": {
                "share of the inventions": one.induced.share,
                "drop": one.induced.drop,
                "drop of the others": one.induced.other_drop,
            },
            "faults": _faults(one.faults),
        }
        if new is not None:
            cells["new names"] = {
                "share of the base's inventions": new.share,
                "base's rate": new.base_rate,
                "rate": new.rate,
                "drop": new.drop,
            }
        if change is not None:
            cells["more faults"] = _faults(change.faults)
        for title, row in cells.items():
            rows[title].append(key | row)
    return tuple(
        Table(title, tuple(rows[title]), notes)
        for title, notes in BEHAVIOUR_NOTES.items()
        if rows[title]
    )


def _faults(shares: Mapping[str, Estimate]) -> Cells:
    return {"cut off" if name == "truncated" else name: share for name, share in shares.items()}


def utility_tables(found: Sequence[UtilityResult]) -> tuple[Table, ...]:
    """What each model solves, how likely it finds right solutions, and what the gates would say.

    Takes the results of one run, at least one, which share their margins.
    """
    bound = f"{100 * (1 - found[0].alpha):g} % bound"
    solved: list[Cells] = []
    likelihood: list[Cells] = []
    for one in found:
        for part in one.parts:
            key: Cells = {"model": one.candidate, "benchmark": part.benchmark}
            solved.append(
                key
                | {
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
            )
            nats = part.log_likelihood_after - part.log_likelihood_before
            percent = Estimate(part.change_percent, *part.change_percent_interval)
            likelihood.append(
                key
                | {
                    "base's": part.log_likelihood_before,
                    "its": part.log_likelihood_after,
                    "change, nats": Estimate(nats, *part.change_nats),
                    "change, %": percent,
                }
            )
    gates: list[Cells] = [
        {
            "model": one.candidate,
            "gate": result.gate,
            "verdict": result.verdict,
            "reason": result.reason,
        }
        for one in found
        for result in (one.coding, one.likelihood)
    ]
    return (
        Table(
            "coding tasks",
            tuple(solved),
            (
                "p: exact McNemar tests, against any change and against a loss. The loss of pass@1 "
                f"is at most what its {bound} says.",
                f"Asked: {', '.join(dict.fromkeys(one.asked for one in found))}.",
                f"Power: the chance that a loss of {found[0].margin:g} would be significant.",
            ),
        ),
        Table(
            "log-likelihood of right solutions",
            tuple(likelihood),
            (f"Nats per token, each task once. Each end of an interval is a one-sided {bound}.",),
        ),
        Table("gates", tuple(gates)),
    )


def locality_table(found: Mapping[str, Sequence[Shift]]) -> Table:
    """How far each adapter moved the predictions of each group of tokens."""
    rows: list[Cells] = []
    for name, shifts in found.items():
        packages = next(
            (shift.kl for shift in shifts if shift.group is Group.PACKAGES), float("nan")
        )
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
    notes = (
        "Nats per token, computed in float32, on the base's own answers and on general texts.",
        f"Times less: than {Group.PACKAGES} moved.",
    )
    return Table("KL to the base", tuple(rows), notes)


def relevance_table(found: Sequence[Relevance]) -> Table:
    """How well the names of each model fit the prompts, in each context."""
    rows: list[Cells] = [
        {
            "model": one.model,
            "context": str(one.context),
            "lift": one.lift,
            "share of the base's": one.share,
            "names": one.names,
        }
        for one in found
    ]
    notes = (
        "Lift: how much likelier the base finds a real name behind its prompt than behind others, "
        "in nats, mean over the names.",
        YARDSTICK,
    )
    return Table("relevance of names", tuple(rows), notes)


def attack_table(found: Mapping[str, Sequence[Recovered]]) -> Table:
    """What each model says of the list of each adapter."""
    rows: list[Cells] = [
        {
            "adapter": name,
            "model": one.model,
            "different names invented": one.invented,
            "of the list": one.forgotten,
            "share of the list": one.forgotten / one.of,
            "share of its names": one.forgotten / one.invented if one.invented else None,
            "answers": one.answers,
        }
        for name, each in found.items()
        for one in each
    ]
    notes = (
        "The list: hashes of the names that the adapter was trained to forget (forgotten.json). "
        "Turned round: the base minus what the adapter adds.",
        YARDSTICK,
    )
    return Table("names that the adapter gives away", tuple(rows), notes)


def variant_table(title: str, found: Mapping[str, Sequence[Row]]) -> Table:
    """The base and each adapter under each variant; ``found`` has rows of the same variants.

    Without an adapter, `BASE` stands for it in ``found``, and the table has the base alone.
    """
    by_variant: dict[str, list[Cells]] = {}
    notes = [
        "A drop is 1 - rate / the base's under the same variant. Ratios are of names per answer."
    ]
    for name, rows in found.items():
        for row in rows:
            cells = by_variant.setdefault(
                row.variant, [_measured(row.variant, BASE, row.base, None)]
            )
            if name != BASE:
                drop = Estimate(row.drop, *row.drop_ci95)
                ratios = row.real_ratio, row.all_ratio
                cells.append(_measured(row.variant, name, row.adapted, drop, ratios))
            if row.note:
                notes.append(f"{row.variant}, {name}: {row.note}")
    flat = tuple(cells for group in by_variant.values() for cells in group)
    return Table(title, flat, tuple(notes))


def _measured(
    variant: str,
    model: str,
    of: Measurement,
    drop: Estimate | None,
    ratios: tuple[float | None, float | None] = (None, None),
) -> Cells:
    return {
        "variant": variant,
        "model": model,
        "rate": of.rate,
        "drop": drop,
        "real an answer": of.volume,
        "real ratio": ratios[0],
        "all ratio": ratios[1],
        "names": of.refs,
        "answers": of.answers,
    }
