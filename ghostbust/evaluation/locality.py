"""LOCALITY: where the adapter changed what the model predicts.

Adaptive Unlearning (arXiv 2605.01047) claims that the shift sits on package-related text. Measured
here as KL(base ‖ adapted), in nats per token, on four groups of tokens: those of package names in
the base's own answers, the other tokens of those answers, general code, general text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import torch

from ghostbust.evaluation.figures import Estimate
from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import ModelSide, hidden_at, logits_of
from ghostbust.records import Answer, Verdict
from ghostbust.samplers.decode import chunks, tokens_at_once
from ghostbust.statistics import ratio_bootstrap
from ghostbust.unlearners.masks import tri_mask

# --- side_by_side
# What two models predict at the same places of the same texts, a few rows of logits at a time.

ROWS_AT_ONCE = 64
"""places whose logits are in memory at once: 2 · 64 · V numbers, 78 MB at V = 151,936"""

LONGEST_TOKENS = 1024
"""of a longer text the rest is left out"""

Compare = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""from the two sides' fp32 logits, (n, V) each, to what is told of each place: (n, K)"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text as two models read it."""

    ids: tuple[int, ...]
    """token ids: (T,)"""
    start: int
    """index of the first token whose prediction is compared; at least 1"""
    named: tuple[bool, ...]
    """True where a token of ``ids[start:]`` belongs to a package's name: (T - start,)"""
    family: str
    """texts of one family aren't independent of each other"""


def answer_passage(loaded: LoadedModel, answer: Answer) -> Passage:
    """An answer behind its prompt. A token belongs to a name if it overlaps it.

    Names of the language's own modules count as other text. The end token is compared too,
    where the answer ended.
    """
    prompt, text = answer.sample.prompt, answer.sample.text
    encoded = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = [
        (judged.ref.start, judged.ref.end, 1)
        for judged in answer.judged
        if judged.lookup.verdict is not Verdict.BUILTIN
    ]
    offsets = [(int(first), int(last)) for first, last in encoded["offset_mapping"]]
    named = [mark == 1 for mark in tri_mask(offsets, spans)]
    tail = [int(token) for token in encoded["input_ids"]]
    if not answer.sample.truncated:
        tail.append(loaded.end_token)
        named.append(False)
    head = loaded.encode_prompt(prompt.text, prompt.turns)
    return _cut(Passage((*head, *tail), len(head), tuple(named), prompt.family))


def text_passage(loaded: LoadedModel, text: str, family: str) -> Passage:
    """A bare text. Its first token, which nothing predicts, isn't compared."""
    ids = loaded.encode(text)
    return _cut(Passage(tuple(ids), 1, (False,) * (len(ids) - 1), family))


def _cut(passage: Passage) -> Passage:
    ids = passage.ids[:LONGEST_TOKENS]
    kept = max(0, len(ids) - passage.start)
    return Passage(ids, passage.start, passage.named[:kept], passage.family)


def side_by_side(
    base: ModelSide, other: ModelSide, passages: Sequence[Passage], compare: Compare
) -> list[torch.Tensor]:
    """What ``compare`` tells of each compared token, (N, K) for each passage, on the CPU.

    Texts of similar length are read together. Nothing larger than (64, V) is kept of the logits.
    """
    length = [len(passage.ids) for passage in passages]
    told = [torch.zeros(0)] * len(passages)
    order = sorted(
        (number for number, passage in enumerate(passages) if passage.named),
        key=lambda number: -length[number],
    )
    for chosen in chunks(order, length.__getitem__, tokens_at_once(base.model)):
        rows = _batch(base, other, [passages[number] for number in chosen], compare)
        sizes = [len(passages[number].named) for number in chosen]
        for number, part in zip(chosen, torch.split(rows, sizes), strict=True):
            told[number] = part
    return told


@torch.inference_mode()
def _batch(
    base: ModelSide, other: ModelSide, batch: Sequence[Passage], compare: Compare
) -> torch.Tensor:
    """What is told of the N compared tokens of a batch: (N, K)."""
    device = base.model.device
    longest = max(len(passage.ids) for passage in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)  # (B, T), right-padded
    attention = torch.zeros_like(ids)
    rows: list[int] = []
    columns: list[int] = []
    for number, passage in enumerate(batch):
        ids[number, : len(passage.ids)] = torch.tensor(passage.ids)
        attention[number, : len(passage.ids)] = 1
        rows += [number] * len(passage.named)
        columns += range(passage.start, len(passage.ids))
    inputs = {"input_ids": ids.to(device), "attention_mask": attention.to(device)}
    # a token is predicted one place before
    places = (torch.tensor(rows, device=device), torch.tensor(columns, device=device) - 1)  # (N,)
    hidden = []
    for side in (base, other):
        with side.active():
            hidden.append(hidden_at(side.model, inputs, places))  # (N, H)
    return torch.cat([compare(*logits).cpu() for logits in _logits(base, other, hidden)])


def _logits(
    base: ModelSide, other: ModelSide, hidden: Sequence[torch.Tensor]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Both sides' logits, (n, V) each, for a few places after the other."""
    for first, second in zip(*(torch.split(part, ROWS_AT_ONCE) for part in hidden), strict=True):
        with base.active():
            of_base = logits_of(base.model, first)
        with other.active():
            of_other = logits_of(other.model, second)
        yield of_base, of_other


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
    base: ModelSide,
    adapted: ModelSide,
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
