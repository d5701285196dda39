"""The tri-mask: which tokens of an answer to reinforce, which to suppress, from character spans."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.measure import blocks, breaks_off, faults_of
from ghostbust.models.fetch import FOLDER
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Verdict
from ghostbust.unlearners.repair import Repaired, ended, repair

if TYPE_CHECKING:
    from tokenizers import Tokenizer


IGNORE, RETAIN, FORGET = 0, 1, 2
"""mask values: neither, reinforce, suppress"""

END = 3
"""in place of RETAIN at the end token of an answer, for methods that count ends apart"""

FORK = 4
"""in place of RETAIN where an answer to reinforce turns off from one to suppress: the token stands
in the place of an invention, or of what led to it"""


BARE = 5
"""in place of IGNORE in code by itself, for methods that anchor it apart"""

CLASSES = (IGNORE, RETAIN, FORGET, END, FORK, BARE)
"""all mask values"""


_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[^\n`]*\n?", re.MULTILINE)


class Masking(StrEnum):
    """Which tokens of an answer a method counts as RETAIN and FORGET."""

    NAMES = "names"
    """the paper's tri-mask: real and invented names, the end token RETAIN"""
    WHOLE = "whole"
    """no mask: all of an answer with inventions FORGET, all of another RETAIN"""
    DECISIONS = "decisions"
    """names, and where an answer worth repeating decides how much to name"""
    FENCES = "fences"
    """decisions, and among them what follows a fence"""


MARKS = {
    Verdict.REAL: RETAIN,
    Verdict.BUILTIN: RETAIN,
    Verdict.ABSENT: FORGET,
    Verdict.SUSPECT: FORGET,
    Verdict.UNKNOWN: IGNORE,
}


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
    fork: float | None = None
    """how much its FORK tokens count, where not as much as the answer"""
    repaired: bool = False
    """True for an answer without the inventions that it had"""
    ended: bool = False
    """True where the last token is the end of the answer"""

    @property
    def forgets(self) -> bool:
        """True where any token is to be suppressed."""
        return FORGET in self.mask

    @property
    def bare(self) -> bool:
        """True for code by itself."""
        return BARE in self.mask

    def weight_of(self, mark: int) -> float:
        """How much a token of this mask value counts."""
        return self.weight if mark != FORK or self.fork is None else self.fork


def encode_answer(
    loaded: LoadedModel,
    answer: Answer,
    *,
    weight: float = 1.0,
    masking: Masking = Masking.DECISIONS,
) -> Example:
    """The answer tokenised behind its prompt, with its tri-mask.

    A token counts for a span if it overlaps it. Where spans of both kinds touch a token, FORGET
    wins. UNKNOWN names stay IGNORE; BUILTIN ones are RETAIN, lest real packages take the place of
    the standard library. With DECISIONS and FENCES, in an answer without inventions the tokens that
    decide how much is named (``_decisions``) are RETAIN too; of one with inventions, they are in
    its repaired form.
    """
    text = answer.sample.text
    if masking is Masking.WHOLE:
        end = FORGET if answer.invented else RETAIN
        spans = [(0, len(text), end)]
    else:
        spans = _names(answer)
        end = RETAIN
        decisions = masking in (Masking.DECISIONS, Masking.FENCES)
        if decisions and answer.invented:
            end = IGNORE
        elif decisions:
            named = [(judged.ref.start, judged.ref.end) for judged in answer.judged]
            spans += _decisions(text, named, masking)
    return _encode(loaded, answer, text, spans, None if answer.sample.truncated else end, weight)


def encode_repaired(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """The answer without its inventions: what follows each of them, and what decides how much is
    named, is RETAIN, the rest IGNORE.

    Where nothing follows the last one, the end token does, also in an answer that was cut off.
    """
    return _encode_repaired(loaded, answer, repair(answer), weight, Masking.DECISIONS)


def encode_whole(
    loaded: LoadedModel, answer: Answer, *, weight: float = 1.0, ends: bool = True
) -> Example | None:
    """The repaired answer with FENCES, if it is a sound one: None where it would have a fault
    (``answer_faults``) or end broken off.

    A list that was cut off ends behind its last whole line: if it went on, it would name more of
    what is real than it did. Without ``ends`` it does go on. Where it turns off from the answer is
    FORK.
    """
    repaired = repair(answer)
    if ends:
        repaired = ended(repaired, answer)
    example = _encode_repaired(loaded, answer, repaired, weight, Masking.FENCES)
    sound = replace(
        answer,
        sample=replace(answer.sample, text=repaired.text, truncated=not example.ended),
        judged=tuple(j for j in answer.judged if not j.lookup.invented) if repaired.kept else (),
    )
    if faults_of(sound) or (example.ended and breaks_off(repaired.text)):
        return None
    return example


def encode_steered(
    loaded: LoadedModel, answer: Answer, *, weight: float = 1.0, fork: float
) -> Example:
    """An answer without inventions that names as much as shall be named: where that is decided is
    FORK, the rest of its names RETAIN.

    It is decided where ``_decisions`` says, where a name that is known to be real begins and where
    the line behind one does.
    """
    text, names = answer.sample.text, _names(answer)
    places = [start for start, _, mark in names if mark == RETAIN]
    places += [text.find("\n", end) + 1 or len(text) for _, end, mark in names if mark == RETAIN]
    turns = [(place, place + 1, FORK) for place in places if place < len(text)]
    decided = _decisions(text, [(start, end) for start, end, _ in names], Masking.FENCES)
    turns += [(start, end, FORK) for start, end, _ in decided]
    end = None if answer.sample.truncated else FORK
    example = _encode(loaded, answer, text, [*names, *turns], end, weight)
    return replace(example, fork=fork)


def standing_in(example: Example, weight: float) -> Example:
    """The answer in the place of repaired ones that weigh so much and aren't learnt: it turns off
    from those that they come from with its first token, which is FORK.
    """
    return replace(example, mask=(FORK, *example.mask[1:]), fork=weight) if weight else example


def encode_broken_off(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """An answer that ended where none should: its end is FORGET, the rest IGNORE."""
    return _encode(loaded, answer, answer.sample.text, [], FORGET, weight)


def encode_bare(loaded: LoadedModel, answer: Answer) -> Example | None:
    """The code in an answer's first fence as text by itself, to be kept as the base has it: BARE.

    None where it has no two tokens: the first one has nothing to be predicted from.
    """
    text = answer.sample.text
    fence = next(blocks(text), None)
    if fence is None or not fence.code:
        return None
    ends = fence.closed or text.endswith("\n")
    ids = loaded.encode(fence.code + "\n" * ends)
    return Example(tuple(ids), 1, (BARE,) * (len(ids) - 1)) if len(ids) > 1 else None


def _encode_repaired(
    loaded: LoadedModel, answer: Answer, repaired: Repaired, weight: float, masking: Masking
) -> Example:
    text, forks = repaired.text, repaired.forks if masking is Masking.FENCES else ()
    spans = [(edit, edit + 1, RETAIN) for edit in repaired.edits]
    spans += _decisions(text, repaired.kept, masking)
    spans += [(fork, fork + 1, FORK) for fork in forks if fork < len(text)]
    cut_at_the_end = repaired.edits[-1:] == (len(text),)
    end = None
    if cut_at_the_end or not answer.sample.truncated:
        end = FORK if len(text) in forks else RETAIN
    example = _encode(loaded, answer, text, spans, end, weight)
    return replace(example, repaired=True)


def _names(answer: Answer) -> list[tuple[int, int, int]]:
    return [(j.ref.start, j.ref.end, MARKS[j.lookup.verdict]) for j in answer.judged]


def _decisions(
    text: str, names: Sequence[tuple[int, int]], masking: Masking
) -> list[tuple[int, int, int]]:
    """Where an answer is decided to begin with names or with none, and to go on behind a name.

    These tokens compete with the end of an answer. Repaired answers reinforce ends; if nothing
    reinforced, at the same weight, the places where answers went on, all would fall silent.
    """
    places = [0, *(end for _, end in names)]
    if masking is Masking.FENCES:
        places += [match.end() for match in _FENCE.finditer(text)]
    return [(place, place + 1, RETAIN) for place in places if place < len(text)]


def with_end_apart(example: Example) -> Example:
    """The example with END at its end token, if that is RETAIN: a class of its own."""
    if example.ended and example.mask[-1] == RETAIN:
        return replace(example, mask=(*example.mask[:-1], END))
    return example


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


def _encode(
    loaded: LoadedModel,
    answer: Answer,
    text: str,
    spans: Sequence[tuple[int, int, int]],
    end: int | None,
    weight: float,
) -> Example:
    """``end`` is the mask value of the end token, None where the answer has none."""
    prompt = answer.sample.prompt
    head = loaded.encode_prompt(prompt.text, prompt.turns)
    encoded = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tail = [int(i) for i in encoded["input_ids"]]
    mask = tri_mask([(int(a), int(b)) for a, b in encoded["offset_mapping"]], spans)
    if end is not None:
        tail.append(loaded.end_token)
        mask.append(end)
    return Example(tuple(head + tail), len(head), tuple(mask), weight, ended=end is not None)


# --- token_view
# The tri-mask of a stored answer for a person to look at, without loading a model.

FILE = "tokenizer.json"
EMBEDDED = "smollm2"


def token_marks(answer: Answer, cache_dir: Path) -> list[tuple[int, int, int]] | None:
    """First and behind-last character of each token of the answer, and its mask value.

    The paper's tri-mask (``Masking.NAMES``): names only. None where the model's tokenizer isn't on
    this machine; nothing is downloaded.
    """
    path = _tokenizer_file(answer.sample.model, cache_dir)
    if path is None:
        return None
    encoded = _load(str(path)).encode(answer.sample.text, add_special_tokens=False)
    offsets = [(int(start), int(end)) for start, end in encoded.offsets]
    spans = [(one.ref.start, one.ref.end, MARKS[one.lookup.verdict]) for one in answer.judged]
    mask = tri_mask(offsets, spans)
    return [(start, end, mark) for (start, end), mark in zip(offsets, mask, strict=True)]


def _tokenizer_file(model: str, cache_dir: Path) -> Path | None:
    """Where the model's tokenizer lies on this machine; None where it doesn't."""
    if model == EMBEDDED:
        path = cache_dir / "models" / FOLDER / FILE
        return path if path.is_file() else None
    folder = Path(model)
    if folder.is_dir():
        return folder / FILE if (folder / FILE).is_file() else None
    if model.count("/") != 1 or "://" in model:
        return None  # no id of the hub
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, FILE)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


@lru_cache(maxsize=2)
def _load(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(path)
    return tokenizer
