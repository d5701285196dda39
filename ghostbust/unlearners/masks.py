"""The tri-mask: which tokens of an answer to reinforce and which to suppress.

It is made from character spans: of package names with their verdicts, and of the places where an
answer decides how much to name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.answer_faults import blocks, breaks_off, faults_of_form
from ghostbust.extras import has_local
from ghostbust.models.convert import FOLDER
from ghostbust.models.load import EMBEDDED, LoadedModel
from ghostbust.records import Answer, Verdict
from ghostbust.unlearners.repair import Repaired, ended, repair

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Span = tuple[int, int, int]
"""first character, the one after the last, mask value"""

# Where spans touch the same token, the higher value wins.
IGNORE, RETAIN, FORGET = 0, 1, 2
"""mask values: neither, reinforce, suppress"""
END = 3
"""RETAIN at the end token of an answer, for methods that count ends apart"""
FORK = 4
"""RETAIN where an answer to reinforce departs from one to suppress: the token takes the place of
an invention, or of what led to it"""
BARE = 5
"""IGNORE in code without a prompt, for methods that anchor it apart"""
CLASSES = (IGNORE, RETAIN, FORGET, END, FORK, BARE)
"""all mask values"""

MARKS = {
    Verdict.REAL: RETAIN,
    Verdict.BUILTIN: RETAIN,  # else real packages take the place of the standard library
    Verdict.ABSENT: FORGET,
    Verdict.SUSPECT: FORGET,
    Verdict.UNKNOWN: IGNORE,
}

_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[^\n`]*\n?", re.MULTILINE)
TOKENIZER = "tokenizer.json"


class Masking(StrEnum):
    """Which tokens of an answer a method counts as RETAIN and FORGET."""

    NAMES = "names"
    """the paper's tri-mask: real and invented names; the end token is RETAIN"""
    WHOLE = "whole"
    """no mask: every token of an answer with inventions is FORGET, of another RETAIN"""
    DECISIONS = "decisions"
    """names, and where an answer worth repeating decides how much to name"""
    FENCES = "fences"
    """decisions, with what comes after a fence among them"""


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
    """weight of the answer among the others"""
    fork: float | None = None
    """weight of its FORK tokens; None: that of the answer"""
    repaired: bool = False
    """True for an answer whose inventions were taken out"""
    ended: bool = False
    """True where the last token is the end of the answer"""

    @property
    def forgets(self) -> bool:
        """True where any token is to be suppressed."""
        return FORGET in self.mask

    @property
    def bare(self) -> bool:
        """True for code without a prompt."""
        return BARE in self.mask

    def weight_of(self, mark: int) -> float:
        """Weight of a token of this mask value."""
        return self.weight if mark != FORK or self.fork is None else self.fork


def tri_mask(offsets: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[int]:
    """Mask value of each token (T,), from the tokens' character offsets.

    A token belongs to a span if it overlaps it.
    """
    mask = [IGNORE] * len(offsets)
    for start, end, mark in spans:
        for i, (first, last) in enumerate(offsets):
            if first < end and last > start:
                mask[i] = max(mask[i], mark)
    return mask


def encode_answer(
    loaded: LoadedModel,
    answer: Answer,
    *,
    weight: float = 1.0,
    masking: Masking = Masking.DECISIONS,
) -> Example:
    """The answer tokenised after its prompt, with its tri-mask.

    With DECISIONS and FENCES, the decisions (``_decisions``) and the end of an answer without
    inventions are RETAIN. An answer with inventions has these in its repaired form instead.
    """
    text = answer.sample.text
    if masking is Masking.WHOLE:
        end = FORGET if answer.invented else RETAIN
        return _encode(loaded, answer, text, [(0, len(text), end)], end, weight)
    spans, end = _names(answer), RETAIN
    if masking in (Masking.DECISIONS, Masking.FENCES):
        if answer.invented:
            end = IGNORE
        else:
            named = ((judged.ref.start, judged.ref.end) for judged in answer.judged)
            spans += _decisions(text, named, masking)
    return _encode(loaded, answer, text, spans, end, weight)


def encode_repaired(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """The answer without its inventions: what follows each of them, and the decisions, are RETAIN,
    the rest IGNORE.

    Where nothing follows the last one, the end token does, also in an answer that was cut off.
    """
    return _encode_repaired(loaded, answer, repair(answer), weight, Masking.DECISIONS)


def encode_whole(
    loaded: LoadedModel, answer: Answer, *, weight: float = 1.0, ends: bool = True
) -> Example | None:
    """The repaired answer with FENCES and forks; None where it would have a fault
    (``answer_faults.faults_of_form``) or end broken off.

    A list that was cut off ends after its last whole line, unless ``ends`` is False: if it went on,
    it would name more real packages than it did.
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
    if faults_of_form(sound) or (example.ended and breaks_off(repaired.text)):
        return None
    return example


def encode_steered(
    loaded: LoadedModel, answer: Answer, *, weight: float = 1.0, fork: float
) -> Example:
    """An answer without inventions that names as much as the model should: its names are RETAIN,
    and FORK of weight ``fork`` is where it decides how much to name.

    That is at the decisions, where a real name begins, and where the line after one does.
    """
    text, names = answer.sample.text, _names(answer)
    places = [start for start, _, mark in names if mark == RETAIN]
    places += [text.find("\n", end) + 1 or len(text) for _, end, mark in names if mark == RETAIN]
    turns = _at(places, text, FORK)
    decided = _decisions(text, ((start, end) for start, end, _ in names), Masking.FENCES)
    turns += [(start, end, FORK) for start, end, _ in decided]
    return replace(_encode(loaded, answer, text, [*names, *turns], FORK, weight), fork=fork)


def standing_in(example: Example, weight: float) -> Example:
    """The answer as a stand-in for repaired forms that weigh so much and aren't learnt.

    Its first token, where it departs from the answers that they come from, is FORK.
    """
    return replace(example, mask=(FORK, *example.mask[1:]), fork=weight) if weight else example


def encode_broken_off(loaded: LoadedModel, answer: Answer, *, weight: float = 1.0) -> Example:
    """An answer that ended where none should: its end is FORGET, the rest IGNORE."""
    return _encode(loaded, answer, answer.sample.text, [], FORGET, weight)


def encode_bare(loaded: LoadedModel, answer: Answer) -> Example | None:
    """The code in an answer's first fence, without a prompt: all BARE.

    None where it has no two tokens: nothing predicts the first one.
    """
    text = answer.sample.text
    fence = next(blocks(text), None)
    if fence is None or not fence.code:
        return None
    ends = fence.closed or text.endswith("\n")
    ids = loaded.encode(fence.code + "\n" * ends)
    return Example(tuple(ids), 1, (BARE,) * (len(ids) - 1)) if len(ids) > 1 else None


def with_end_apart(example: Example) -> Example:
    """The example with END in place of RETAIN at its end token."""
    if example.ended and example.mask[-1] == RETAIN:
        return replace(example, mask=(*example.mask[:-1], END))
    return example


def _encode_repaired(
    loaded: LoadedModel, answer: Answer, repaired: Repaired, weight: float, masking: Masking
) -> Example:
    text, forks = repaired.text, repaired.forks if masking is Masking.FENCES else ()
    spans = [(edit, edit + 1, RETAIN) for edit in repaired.edits]
    spans += _decisions(text, repaired.kept, masking) + _at(forks, text, FORK)
    if repaired.edits[-1:] == (len(text),):  # then it ends, even if the answer was cut off
        answer = replace(answer, sample=replace(answer.sample, truncated=False))
    end = FORK if len(text) in forks else RETAIN
    return replace(_encode(loaded, answer, text, spans, end, weight), repaired=True)


def _encode(
    loaded: LoadedModel,
    answer: Answer,
    text: str,
    spans: Sequence[Span],
    end: int,
    weight: float,
) -> Example:
    """``end`` is the mask value of the end token, which an answer that was cut off doesn't have."""
    prompt = answer.sample.prompt
    head = loaded.encode_prompt(prompt.text, prompt.turns)
    encoded = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tail = [int(i) for i in encoded["input_ids"]]
    mask = tri_mask([(int(a), int(b)) for a, b in encoded["offset_mapping"]], spans)
    has_end = not answer.sample.truncated
    if has_end:
        tail.append(loaded.end_token)
        mask.append(end)
    return Example(tuple(head + tail), len(head), tuple(mask), weight, ended=has_end)


def _names(answer: Answer) -> list[Span]:
    return [(j.ref.start, j.ref.end, MARKS[j.lookup.verdict]) for j in answer.judged]


def _at(places: Iterable[int], text: str, mark: int) -> list[Span]:
    """The characters at these places, as far as the text has them."""
    return [(place, place + 1, mark) for place in places if place < len(text)]


def _decisions(text: str, names: Iterable[tuple[int, int]], masking: Masking) -> list[Span]:
    """Where an answer decides to begin with names or with none, and to go on after a name.

    These tokens compete with the end of an answer. Repaired answers reinforce ends; if nothing
    reinforced going on, at the same weight, the model would fall silent.
    """
    places = [0, *(end for _, end in names)]
    if masking is Masking.FENCES:
        places += [match.end() for match in _FENCE.finditer(text)]
    return _at(places, text, RETAIN)


# The mask of a stored answer, for a person to look at: without loading a model, and without torch.


def token_marks(answer: Answer, cache_dir: Path) -> list[Span] | None:
    """The span of each token of the answer with its mask value, by ``Masking.NAMES``.

    None where the model's tokenizer isn't on this machine: nothing is downloaded.
    """
    path = _tokenizer_file(answer.sample.model, cache_dir)
    if path is None:
        return None
    encoded = _load_tokenizer(str(path)).encode(answer.sample.text, add_special_tokens=False)
    offsets = [(int(start), int(end)) for start, end in encoded.offsets]
    mask = tri_mask(offsets, _names(answer))
    return [(start, end, mark) for (start, end), mark in zip(offsets, mask, strict=True)]


def _tokenizer_file(model: str, cache_dir: Path) -> Path | None:
    """The model's tokenizer on this machine; None where there is none."""
    if model == EMBEDDED:
        path = cache_dir / "models" / FOLDER / TOKENIZER
        return path if path.is_file() else None
    folder = Path(model)
    if folder.is_dir():
        return folder / TOKENIZER if (folder / TOKENIZER).is_file() else None
    if model.count("/") != 1 or "://" in model or not has_local():
        return None  # no id of the hub, or nothing to find it with
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, TOKENIZER)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


@lru_cache(maxsize=2)
def _load_tokenizer(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(path)
    return tokenizer
