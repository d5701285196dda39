"""The tri-mask: which tokens of an answer to reinforce, which to suppress, from character spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Verdict

IGNORE, RETAIN, FORGET = 0, 1, 2
"""mask values: neither, reinforce, suppress"""


@dataclass(frozen=True, slots=True)
class Example:
    """One answer as the trainer sees it."""

    ids: tuple[int, ...]
    """token ids of prompt and answer: (T,)"""
    start: int
    """index of the answer's first token in ``ids``"""
    mask: tuple[int, ...]
    """tri-mask of ``ids[start:]``: (T - start,)"""
    ends: bool
    """True where the last token is the end token (the answer was not cut off)"""
    weight: float = 1.0
    """how much the answer counts among the others"""

    @property
    def forgets(self) -> bool:
        """True where any token is to be suppressed."""
        return FORGET in self.mask


def encode_answer(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """The answer tokenised behind its prompt, with its tri-mask.

    A token counts for a span if it overlaps it. Where spans of both kinds touch a token, FORGET
    wins. The end token of an answer that wasn't cut off is RETAIN, as in the released trainers of
    arXiv 2605.01047. UNKNOWN and BUILTIN names stay IGNORE.
    """
    sample = answer.sample
    head = loaded.encode_prompt(sample.prompt.text)
    encoded = loaded.tokenizer(sample.text, add_special_tokens=False, return_offsets_mapping=True)
    tail = [int(i) for i in encoded["input_ids"]]
    mask = tri_mask(answer, [(int(a), int(b)) for a, b in encoded["offset_mapping"]])
    if not sample.truncated:
        tail.append(loaded.end_token)
        mask.append(RETAIN)
    return Example(tuple(head + tail), len(head), tuple(mask), not sample.truncated, weight)


def tri_mask(answer: Answer, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """Mask value of each token, given the tokens' character offsets in the answer: (T,)."""
    mask = [IGNORE] * len(offsets)
    marks = {Verdict.REAL: RETAIN, Verdict.ABSENT: FORGET, Verdict.SUSPECT: FORGET}
    for judged in answer.judged:
        mark = marks.get(judged.lookup.verdict, IGNORE)
        for i, (start, end) in enumerate(offsets):
            if start < judged.ref.end and end > judged.ref.start:
                mask[i] = max(mask[i], mark)
    return mask
