"""The tri-mask: which tokens of an answer to reinforce, which to suppress, from character spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Verdict
from ghostbust.unlearners.repair import repair

IGNORE, RETAIN, FORGET = 0, 1, 2
"""mask values: neither, reinforce, suppress"""


MARKS = {
    Verdict.REAL: RETAIN,
    Verdict.BUILTIN: RETAIN,
    Verdict.ABSENT: FORGET,
    Verdict.SUSPECT: FORGET,
    Verdict.UNKNOWN: IGNORE,
}


class Form(StrEnum):
    """In which form an answer is learnt."""

    ANSWER = "answer"
    """as it was given"""
    REPAIRED = "repaired"
    """without the inventions that it had"""
    BARE = "bare"
    """its code alone, without a prompt: nothing to learn but to stay as the base is"""


@dataclass(frozen=True, slots=True)
class Example:
    """One answer as the trainer sees it."""

    ids: tuple[int, ...]
    """token ids of prompt and answer: (T,)"""
    start: int
    """index of the answer's first token in ``ids``"""
    mask: tuple[int, ...]
    """tri-mask of ``ids[start:]``: (T - start,)"""
    weight: float = 1.0
    """how much the answer counts among the others"""
    form: Form = Form.ANSWER

    @property
    def forgets(self) -> bool:
        """True where any token is to be suppressed."""
        return FORGET in self.mask


def encode_answer(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """The answer tokenised behind its prompt, with its tri-mask.

    A token counts for a span if it overlaps it. Where spans of both kinds touch a token, FORGET
    wins. UNKNOWN names stay IGNORE; BUILTIN ones are RETAIN, lest real packages take the place of
    the standard library. In an answer without inventions the tokens that decide how much is named
    (``_decisions``) are RETAIN too; of one with inventions, they are in its repaired form.
    """
    text = answer.sample.text
    spans = [
        (judged.ref.start, judged.ref.end, MARKS[judged.lookup.verdict]) for judged in answer.judged
    ]
    end = IGNORE
    if not answer.invented:
        spans += _decisions(text, [(judged.ref.start, judged.ref.end) for judged in answer.judged])
        end = RETAIN
    tail, mask = _tail(loaded, text, spans, None if answer.sample.truncated else end)
    return _behind_prompt(loaded, answer, tail, mask, weight, Form.ANSWER)


def encode_repaired(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """The answer without its inventions: what follows each of them, and what decides how much is
    named, is RETAIN, the rest IGNORE.

    Where nothing follows the last one, the end token does, also in an answer that was cut off.
    """
    repaired = repair(answer)
    spans = [(edit, edit + 1, RETAIN) for edit in repaired.edits]
    spans += _decisions(repaired.text, repaired.kept)
    cut_at_the_end = repaired.edits[-1:] == (len(repaired.text),)
    end = RETAIN if cut_at_the_end or not answer.sample.truncated else None
    tail, mask = _tail(loaded, repaired.text, spans, end)
    return _behind_prompt(loaded, answer, tail, mask, weight, Form.REPAIRED)


def encode_bare(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """The answer's lines without the marks of their fences, as text by itself: all IGNORE.

    What is unlearnt in answers spreads to code that nobody asked for in a chat; there the base
    is to be kept.
    """
    lines = answer.sample.text.splitlines(keepends=True)
    text = "".join(line for line in lines if not line.lstrip().startswith(("```", "~~~")))
    ids = loaded.encode(text)
    # the first token has nothing to be predicted from
    return Example(tuple(ids), 1, (IGNORE,) * (len(ids) - 1), weight, Form.BARE)


def _decisions(text: str, names: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Where an answer is decided to begin with names or with none, and to go on behind a name.

    These tokens compete with the end of an answer. Repaired answers reinforce ends; if nothing
    reinforced, at the same weight, the places where answers went on, all would fall silent.
    """
    places = [0, *(end for _, end in names)]
    return [(place, place + 1, RETAIN) for place in places if place < len(text)]


def tri_mask(
    offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int, int]]
) -> list[int]:
    """Mask value of each token (T,) from the tokens' character offsets and (start, end, mark)."""
    mask = [IGNORE] * len(offsets)
    for start, end, mark in spans:
        for i, (first, last) in enumerate(offsets):
            if first < end and last > start:
                mask[i] = max(mask[i], mark)
    return mask


def _tail(
    loaded: LoadedModel, text: str, spans: Sequence[tuple[int, int, int]], end: int | None
) -> tuple[list[int], list[int]]:
    """An answer's token ids and their mask; ``end`` is that of the end token, None: it has none."""
    encoded = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = [int(i) for i in encoded["input_ids"]]
    mask = tri_mask([(int(a), int(b)) for a, b in encoded["offset_mapping"]], spans)
    if end is not None:
        ids.append(loaded.end_token)
        mask.append(end)
    return ids, mask


def _behind_prompt(
    loaded: LoadedModel,
    answer: Answer,
    tail: Sequence[int],
    mask: Sequence[int],
    weight: float,
    form: Form,
) -> Example:
    head = loaded.encode_prompt(answer.sample.prompt.text)
    return Example((*head, *tail), len(head), tuple(mask), weight, form)
