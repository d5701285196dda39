"""Counts of each answer, summed over prompt families and resampled, all models together.

Every figure of the evaluation is a ratio of such sums. Families are drawn whole, and the same
ones for every model, so what is hard for all of them cancels out of a comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ghostbust.adapters import name_key
from ghostbust.answer_faults import FAULTS, faults_of
from ghostbust.counts import Counts
from ghostbust.records import Answer, Context, Flag
from ghostbust.statistics import Floats, cluster_sums, resampled_sums

BINS = {"0": 0, "1": 1, "2": 2, "3-5": 5, "6-12": 12, ">12": None}
"""real names in an answer: label to the largest number that belongs to it"""

Sums = Mapping[str, Floats]
"""column to its sums over all families: (1 + R,), as counted, then of each resample"""


@dataclass(frozen=True)
class Counted:
    """Counts of several answers, or of several prompts."""

    families: Sequence[str]
    """the prompt family of each: (N,)"""
    columns: Mapping[str, Sequence[float]]
    """name to the counts: (N,) each"""


def count_faults(answers: Sequence[Answer]) -> list[dict[str, float]]:
    """What is wrong with each answer, 0 or 1 for each fault. Slow: every code block is parsed."""
    return [dict.fromkeys(FAULTS, 0.0) | dict.fromkeys(faults_of(a), 1.0) for a in answers]


def count_answers(
    answers: Sequence[Answer],
    faults: Sequence[Mapping[str, float]],
    forgotten: Collection[str] = (),
    context: Context | None = None,
) -> Counted:
    """The counts of each answer, of one context or of all.

    ``faults`` are those of ``count_faults``; ``forgotten`` the keys of names that count as known
    to the adapter (``adapters.name_key``), so that ``new_invented`` leaves them out.
    """
    chosen = [
        (answer, wrong)
        for answer, wrong in zip(answers, faults, strict=True)
        if context in (None, answer.sample.prompt.context)
    ]
    families = [answer.sample.prompt.family for answer, _ in chosen]
    rows = [_row(answer, forgotten) | dict(wrong) for answer, wrong in chosen]
    names = rows[0] if rows else {}
    return Counted(families, {name: [row[name] for row in rows] for name in names})


def clusters_of(counted: Counted, column: str) -> int:
    """How many families have any of what the column counts."""
    pairs = zip(counted.families, counted.columns.get(column, ()), strict=False)
    return len({family for family, count in pairs if count})


def draw_together(counted: Sequence[Counted], *, seed: int, resamples: int) -> list[Sums]:
    """The sums of each, families resampled for all of them together.

    Raises ValueError where they aren't of the same families.
    """
    if any(set(one.families) != set(counted[0].families) for one in counted):
        raise ValueError("models that answered different prompts can't be compared")
    tables = [cluster_sums(one.families, *one.columns.values()) for one in counted]  # (F, K) each
    rows = np.hstack(tables)  # (F, ΣK)
    drawn = np.vstack(
        [rows.sum(axis=0), resampled_sums(rows, seed=seed, resamples=resamples)]
    )  # (1 + R, ΣK)
    made: list[Sums] = []
    for one in counted:
        part, drawn = np.hsplit(drawn, [len(one.columns)])
        made.append({name: part[:, place] for place, name in enumerate(one.columns)})
    return made


def share(part: Floats, whole: Floats) -> Floats:
    """part / whole, elementwise; where whole is 0, infinity, or NaN if part is 0 too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(part, whole), dtype=np.float64)


def _row(answer: Answer, forgotten: Collection[str]) -> dict[str, float]:
    counts = Counts.of_answer(answer)
    new = Counts.of(
        (
            one
            for one in answer.judged
            if not one.lookup.invented
            or name_key(one.lookup.ecosystem, one.lookup.name) not in forgotten
        ),
        answer.sample.prompt,
    )
    induced = {
        judged.lookup.name
        for judged in answer.judged
        if judged.lookup.invented and Flag.PROMPT_INDUCED in judged.ref.flags
    }
    row = {
        "answers": 1.0,
        "real": float(counts.real),
        "invented": float(counts.invented),
        "named": float(counts.named),
        "with_invention": float(bool(counts.invented)),
        "induced": float(len(induced)),
        "not_induced": float(len(set(answer.invented) - induced)),
        "new_invented": float(new.invented),
        "new_named": float(new.named),
        "unknown": float(counts.unknown),
        "local": float(counts.local),
        "unmapped": float(counts.unmapped),
        "truncated": float(answer.sample.truncated),
    }
    own = next(label for label, most in BINS.items() if most is None or counts.real <= most)
    return row | {f"length {label}": float(label == own) for label in BINS}
