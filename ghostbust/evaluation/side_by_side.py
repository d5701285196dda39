"""What two models predict at the same places of the same texts, a few rows of logits at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from ghostbust.models.apart import Side
from ghostbust.models.heads import hidden_at, logits_of
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Verdict
from ghostbust.samplers.decode import chunks, tokens_at_once
from ghostbust.unlearners.masks import tri_mask

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
    base: Side, other: Side, passages: Sequence[Passage], compare: Compare
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
def _batch(base: Side, other: Side, batch: Sequence[Passage], compare: Compare) -> torch.Tensor:
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
    base: Side, other: Side, hidden: Sequence[torch.Tensor]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Both sides' logits, (n, V) each, for a few places after the other."""
    for first, second in zip(*(torch.split(part, ROWS_AT_ONCE) for part in hidden), strict=True):
        with base.active():
            of_base = logits_of(base.model, first)
        with other.active():
            of_other = logits_of(other.model, second)
        yield of_base, of_other
