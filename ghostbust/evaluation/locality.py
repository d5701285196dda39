"""LOCALITY: where the adapter changed what the model predicts.

Adaptive Unlearning (arXiv 2605.01047) claims that the shift sits on package-related text. Measured
here as KL(base ‖ adapted), in nats per token, on four groups of tokens: those of package names in
the base's own answers, the other tokens of those answers, general code, general text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import torch

from ghostbust.evaluation.report import Estimate
from ghostbust.evaluation.side_by_side import (
    Passage,
    answer_passage,
    side_by_side,
    text_passage,
)
from ghostbust.models.apart import Side
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.statistics import ratio_bootstrap

LEVEL = 0.95


class Group(StrEnum):
    """The tokens that are told apart: ``plots.PARTS``."""

    PACKAGES = "package names"
    AROUND = "rest of those answers"
    CODE = "general code"
    TEXT = "general text"


GENERAL = (Group.CODE, Group.TEXT)


@dataclass(frozen=True, slots=True)
class GeneralText:
    """A text that has to do with no package."""

    id: str
    group: Group
    """CODE or TEXT"""
    text: str


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the predictions of a group's tokens moved."""

    group: Group
    kl: float
    """mean KL(base ‖ adapted) in nats per token"""
    ci95: tuple[float, float]
    """bootstrap interval over families of texts"""
    tokens: int
    texts: int
    """texts that hold such tokens"""


def general_texts() -> list[GeneralText]:
    """The shipped ones, written for this: code without third-party imports, and prose."""
    text = (resources.files("ghostbust.data") / "general_texts.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return [GeneralText(row["id"], Group[row["kind"].upper()], row["text"]) for row in rows]


def locality(
    loaded: LoadedModel,
    base: Side,
    adapted: Side,
    answers: Iterable[Answer],
    general: Iterable[GeneralText],
    *,
    seed: int = 0,
) -> list[Shift]:
    """The shift of each group that has tokens, in the order of `Group`.

    ``loaded`` has the tokenizer of both sides. ``answers`` are the base's, judged; those that
    name no package are left out. The sides are those of `load_apart`, best with ``exact``, or of
    two models: what is near 0.002 nats in bf16 may be rounding alone.
    """
    naming = [answer for answer in answers if answer.real or answer.invented]
    passages = [answer_passage(loaded, answer) for answer in naming]
    groups = [(Group.AROUND, Group.PACKAGES)] * len(passages)
    for text in general:
        passages.append(text_passage(loaded, text.text, text.id))
        groups.append((text.group, text.group))
    told = side_by_side(base, adapted, passages, token_kl)
    return summarize(groups, passages, told, seed=seed)


def token_kl(base: torch.Tensor, adapted: torch.Tensor) -> torch.Tensor:
    """KL(base ‖ adapted) in nats at each place: (n, 1), from logits (n, V) each."""
    p = torch.log_softmax(base, dim=-1)  # (n, V)
    q = torch.log_softmax(adapted, dim=-1)  # (n, V)
    return (p.exp() * (p - q)).sum(-1, keepdim=True)


def summarize(
    groups: Sequence[tuple[Group, Group]],
    passages: Sequence[Passage],
    told: Sequence[torch.Tensor],
    *,
    seed: int,
) -> list[Shift]:
    """Means and intervals from the KL of each compared token, (N, 1) for each passage.

    ``groups`` says for each passage which group its tokens belong to: those outside names, and
    those of names.
    """
    sums: dict[Group, list[tuple[float, int, str]]] = {group: [] for group in Group}
    for (outside, inside), passage, values in zip(groups, passages, told, strict=True):
        named = torch.tensor(passage.named, dtype=torch.bool)  # (N,)
        for group, chosen in ((outside, ~named), (inside, named)):
            tokens = int(chosen.sum())
            if tokens:
                total = float(values[chosen].double().sum())
                sums[group].append((total, tokens, passage.family))
    return [_shift(group, found, seed) for group, found in sums.items() if found]


def drawn(shifts: Sequence[Shift]) -> dict[str, Estimate]:
    """What a plot needs: the name of each group to its KL."""
    return {str(shift.group): Estimate(shift.kl, *shift.ci95) for shift in shifts}


def _shift(group: Group, found: Sequence[tuple[float, int, str]], seed: int) -> Shift:
    totals, tokens, families = zip(*found, strict=True)
    interval = ratio_bootstrap(
        totals, [float(count) for count in tokens], families, level=LEVEL, seed=seed
    )
    return Shift(group, sum(totals) / sum(tokens), interval, sum(tokens), len(found))
