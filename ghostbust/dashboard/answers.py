"""A stored answer as a person reads it: each ref in its verdict's style, or each token in its mask.

Colour never tells alone: styles differ in underline, reverse and weight too, and a list of the refs
with their verdicts stands below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ghostbust.dashboard.text import cell, visible_lines
from ghostbust.records import Answer, Judged, Verdict
from ghostbust.shown import redact

STYLES: Final = {
    Verdict.REAL: "underline green",
    Verdict.ABSENT: "bold reverse red",
    Verdict.SUSPECT: "bold reverse magenta",
    Verdict.BUILTIN: "dim",
    Verdict.UNKNOWN: "italic yellow",
}
MASK_STYLES: Final = {0: "", 1: "underline green", 2: "bold reverse red"}
MASK_WORDS: Final = {1: "RETAIN", 2: "FORGET"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer that is shown in one style."""

    text: str
    style: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer, ready to be shown."""

    answer: Answer
    prompt: str
    """as it may be shown"""
    pieces: tuple[Piece, ...]
    """together the answer, by verdict"""
    masked: tuple[Piece, ...] | None
    """the same by token mask; None where the tokenizer isn't on this machine"""
    revealed: bool


Hide = Callable[[str], str]
"""makes of a text between refs what may be shown"""


def by_verdict(answer: Answer, hide: Hide, *, reveal: bool) -> tuple[Piece, ...]:
    """The answer cut at its refs. Invented names are redacted unless revealed."""
    text, at, pieces = answer.sample.text, 0, []
    for one in _apart(answer.judged):
        ref = one.ref
        pieces.append(Piece(hide(text[at : ref.start]), ""))
        raw = text[ref.start : ref.end]
        hidden = one.lookup.invented and not reveal
        pieces.append(Piece(redact(raw) if hidden else raw, STYLES[one.lookup.verdict]))
        at = ref.end
    pieces.append(Piece(hide(text[at:]), ""))
    return tuple(piece for piece in pieces if piece.text)


def by_token(
    answer: Answer, marks: Sequence[tuple[int, int, int]], hide: Hide, *, reveal: bool
) -> tuple[Piece, ...]:
    """The answer cut where its mask changes. Invented names are redacted unless revealed."""
    text = answer.sample.text
    spans = [(one.ref.start, one.ref.end) for one in _apart(answer.judged) if one.lookup.invented]
    mask = [0] * len(text)
    for start, end, mark in marks:
        mask[start:end] = [mark] * (end - start)
    cuts = {0, len(text)} | {n for n in range(1, len(text)) if mask[n] != mask[n - 1]}
    if not reveal:
        cuts = {c for c in cuts if not any(a < c < b for a, b in spans)}
        cuts |= {edge for span in spans for edge in span}
    pieces = []
    ordered = sorted(cuts)
    for start, end in pairwise(ordered):
        part = text[start:end]
        whole = (start, end) in spans and not reveal
        mark = max(mask[start:end], default=0)
        pieces.append(Piece(redact(part) if whole else hide(part), MASK_STYLES[mark]))
    return tuple(piece for piece in pieces if piece.text)


def answer_text(view: AnswerView, *, masked: bool) -> RenderableType:
    """The prompt, the answer and its refs."""
    pieces = view.masked if masked and view.masked is not None else view.pieces
    shown = Text()
    for piece in pieces:
        shown.append(visible_lines(piece.text), piece.style)
    sample = view.answer.sample
    cut = "cut off by the token limit" if sample.truncated else ""
    head = Text("prompt  ", "bold").append_text(Text(visible_lines(view.prompt), "dim"))
    if masked and view.masked is None:
        note = cell("no mask: the model's tokenizer isn't on this machine", "yellow")
    elif masked:
        note = cell("token mask: green RETAIN, red reversed FORGET, the rest IGNORE", "bold")
    else:
        note = cell("answer  underlined real, reversed invented, italic unknown", "bold")
    return Group(head, Text(), note, shown, cell(cut, "dim"), _refs(view))


def _refs(view: AnswerView) -> RenderableType:
    lines = []
    for one in view.answer.judged:
        name = one.lookup.name
        shown = redact(name) if one.lookup.invented and not view.revealed else name
        lines.append(
            Text.assemble(
                cell(one.lookup.verdict.ljust(8), STYLES[one.lookup.verdict]),
                " ",
                cell(f"{shown}  {one.ref.kind}, {one.lookup.reason}, {one.lookup.source}"),
            )
        )
    return Group(Text("1 ref" if len(lines) == 1 else f"{len(lines)} refs", "bold"), *lines)


def _apart(judged: Sequence[Judged]) -> list[Judged]:
    """The refs in the order of the text, without those that overlap an earlier one."""
    kept: list[Judged] = []
    for one in sorted(judged, key=lambda j: (j.ref.start, -j.ref.end)):
        if not kept or one.ref.start >= kept[-1].ref.end:
            kept.append(one)
    return kept
