"""LOCALITY: where the adapter changed what the model predicts.

Adaptive Unlearning (arXiv 2605.01047) claims that the shift sits on package-related text. Measured
here as KL(base ‖ adapted), in nats per token, on four groups of tokens: those of package names in
the base's own answers, the other tokens of those answers, general code, general text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import torch

from ghostbust.evaluation.figures import LEVEL, Group
from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import ModelSide, hidden_at, logits_of
from ghostbust.records import Answer, Verdict
from ghostbust.samplers.decode import chunks, tokens_at_once
from ghostbust.statistics import Interval, ratio_bootstrap
from ghostbust.unlearners.masks import tri_mask

ROWS_AT_ONCE = 64
"""places whose logits are in memory at once: 2 · 64 · V numbers, 78 MB at V = 151,936"""
LONGEST_TOKENS = 1024
"""of a longer text the rest is left out"""

Compare = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""from the two sides' fp32 logits, (n, V) each, to figures of each place: (n, K)"""


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
    ci95: Interval
    """bootstrap interval over families of texts"""
    tokens: int
    texts: int
    """texts that hold such tokens"""


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
    return summarize(groups, passages, side_by_side(base, adapted, passages, token_kl), seed=seed)


def token_kl(base: torch.Tensor, adapted: torch.Tensor) -> torch.Tensor:
    """KL(base ‖ adapted) in nats at each place: (n, 1), from logits (n, V) each."""
    p = torch.log_softmax(base, dim=-1)  # (n, V)
    q = torch.log_softmax(adapted, dim=-1)  # (n, V)
    return (p.exp() * (p - q)).sum(-1, keepdim=True)


def summarize(
    groups: Sequence[tuple[Group, Group]],
    passages: Sequence[Passage],
    distances: Sequence[torch.Tensor],
    *,
    seed: int,
) -> list[Shift]:
    """Means and intervals from the KL of each compared token, (N, 1) for each passage.

    ``groups`` says for each passage which group its tokens belong to: those outside names, and
    those of names.
    """
    sums: dict[Group, list[tuple[float, int, str]]] = {group: [] for group in Group}
    for (outside, inside), passage, values in zip(groups, passages, distances, strict=True):
        named = torch.tensor(passage.named, dtype=torch.bool)  # (N,)
        for group, chosen in ((outside, ~named), (inside, named)):
            if tokens := int(chosen.sum()):
                total = float(values[chosen].double().sum())
                sums[group].append((total, tokens, passage.family))
    shifts = []
    for group, found in sums.items():
        if found:
            totals, counts, families = zip(*found, strict=True)
            interval = ratio_bootstrap(
                totals, [float(count) for count in counts], families, level=LEVEL, seed=seed
            )
            shift = Shift(group, sum(totals) / sum(counts), interval, sum(counts), len(found))
            shifts.append(shift)
    return shifts


# What two models predict at the same places of the same texts


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
    return _cut((*head, *tail), len(head), named, prompt.family)


def text_passage(loaded: LoadedModel, text: str, family: str) -> Passage:
    """A bare text. Its first token, which nothing predicts, isn't compared."""
    ids = loaded.encode(text)
    return _cut(ids, 1, [False] * (len(ids) - 1), family)


def _cut(ids: Sequence[int], start: int, named: Sequence[bool], family: str) -> Passage:
    kept = tuple(ids[:LONGEST_TOKENS])
    return Passage(kept, start, tuple(named[: max(0, len(kept) - start)]), family)


def side_by_side(
    base: ModelSide, other: ModelSide, passages: Sequence[Passage], compare: Compare
) -> list[torch.Tensor]:
    """What ``compare`` returns for each compared token, (N, K) for each passage, on the CPU.

    Texts of similar length are read together. Nothing larger than (64, V) is kept of the logits.
    """
    length = [len(passage.ids) for passage in passages]
    found = [torch.zeros(0)] * len(passages)
    order = sorted(
        (number for number, passage in enumerate(passages) if passage.named),
        key=lambda number: -length[number],
    )
    for chosen in chunks(order, length.__getitem__, tokens_at_once(base.model)):
        rows = _batch(base, other, [passages[number] for number in chosen], compare)
        sizes = [len(passages[number].named) for number in chosen]
        for number, part in zip(chosen, torch.split(rows, sizes), strict=True):
            found[number] = part
    return found


@torch.inference_mode()
def _batch(
    base: ModelSide, other: ModelSide, batch: Sequence[Passage], compare: Compare
) -> torch.Tensor:
    """The figures of the N compared tokens of a batch: (N, K)."""
    device = base.model.device
    rows: list[int] = []
    columns: list[int] = []
    for number, passage in enumerate(batch):
        rows += [number] * len(passage.named)
        columns += range(passage.start, len(passage.ids))
    inputs = padded([passage.ids for passage in batch], device)
    # a token is predicted one place before
    places = (torch.tensor(rows, device=device), torch.tensor(columns, device=device) - 1)  # (N,)
    hidden = []
    for side in (base, other):
        with side.active():
            hidden.append(hidden_at(side.model, inputs, places))  # (N, H)
    found = []
    for first, second in zip(*(torch.split(part, ROWS_AT_ONCE) for part in hidden), strict=True):
        with base.active():
            of_base = logits_of(base.model, first)  # (n, V)
        with other.active():
            of_other = logits_of(other.model, second)  # (n, V)
        found.append(compare(of_base, of_other).cpu())
    return torch.cat(found)


def padded(texts: Sequence[Sequence[int]], device: torch.device) -> dict[str, torch.Tensor]:
    """Token ids and attention mask of several texts, padded on the right: (B, T) each."""
    ids = torch.zeros(len(texts), max(len(text) for text in texts), dtype=torch.long)
    attention = torch.zeros_like(ids)
    for number, text in enumerate(texts):
        ids[number, : len(text)] = torch.tensor(text)
        attention[number, : len(text)] = 1
    return {"input_ids": ids.to(device), "attention_mask": attention.to(device)}
