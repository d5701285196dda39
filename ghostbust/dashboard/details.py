"""Reads that take a while, kept for the next second: nearest names, answers, figures of rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from ghostbust.dashboard.widgets import cell, visible_lines
from ghostbust.errors import SnapshotError
from ghostbust.home import Home, cache_dir
from ghostbust.loop.redact import redacted_text
from ghostbust.records import Answer, Ecosystem, Judged, Verdict
from ghostbust.store.prompts import PoolPrompt
from ghostbust.store.rounds import Round
from ghostbust.store.store import Store
from ghostbust.store.tallies import SampleTally
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.registries.nearest import NearestNames
    from ghostbust.reports.figures import Rates


# --- answers
# A stored answer as a person reads it: each ref in its verdict's style, or each token in its mask.
#
# Colour never tells alone: styles differ in underline, reverse and weight too, and a list of the
# refs
# with their verdicts stands below.

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


# --- round_figures
# The figures of one round beyond its gates: losses, rates beside the base's, what flipped.

LISTED: Final = 10
"""prompts of each kind that are listed"""


@dataclass(frozen=True, slots=True)
class Flips:
    """What the base and the candidate did on the very same prompts, answer by answer."""

    cured: tuple[str, ...]
    """ids of prompts at which the base invented and the candidate doesn't"""
    broken: tuple[str, ...]
    """at which the candidate invents and the base doesn't"""
    both: int
    """at which both invent"""
    neither: int


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """What is shown of one round."""

    round_id: int
    losses: tuple[float, ...]
    """of each step; none where its adapter's folder doesn't tell"""
    missing: str
    """why there are none"""
    rates: tuple[tuple[str, Sequence[Rates]], ...]
    """the base's and the candidate's, by context; fewer where they weren't measured"""
    flips: Flips | None
    """None where the two weren't asked the same"""


def read_figures(store: Store, one: Round) -> RoundFigures:
    """Reads the runs by which the round was judged, and its adapter's manifest."""
    # Here, because scipy comes with it, and most who look don't look at rounds.
    from ghostbust.reports.period import loss_part
    from ghostbust.reports.round import figures_of, gate_runs, manifest_of

    manifest, missing = manifest_of(store, one)
    part = loss_part(manifest, missing)
    losses = tuple(point.y.value for chart in part.charts for point in chart.lines[0].points)
    runs = gate_runs(store, one)
    tallies = [store.tallies.of_run(run.id) for run in runs.values()]
    return RoundFigures(
        round_id=one.id,
        losses=losses,
        missing="" if losses else " ".join(part.text),
        rates=tuple((name, figures_of(store, run)) for name, run in runs.items()),
        flips=flips(*tallies) if len(tallies) == 2 else None,
    )


def flips(base: Sequence[SampleTally], candidate: Sequence[SampleTally]) -> Flips:
    """What changed, of the answers that both have: the same prompt, the same number."""
    after = {(tally.prompt_id, tally.number): tally for tally in candidate}
    pairs = [(one, after[key]) for one in base if (key := (one.prompt_id, one.number)) in after]
    did = [
        (old.prompt_id, bool(old.counts.invented), bool(new.counts.invented)) for old, new in pairs
    ]
    return Flips(
        cured=tuple(prompt for prompt, old, new in did if old and not new),
        broken=tuple(prompt for prompt, old, new in did if new and not old),
        both=sum(old and new for _, old, new in did),
        neither=sum(not old and not new for _, old, new in did),
    )


class Details:
    """What a tab shows of the one thing under its cursor."""

    def __init__(self, home: Home | None) -> None:
        self._home = home
        self._names: dict[Ecosystem, NearestNames | None] = {}
        self._near: dict[tuple[Ecosystem, str], tuple[str, ...]] = {}
        self._answer: tuple[object, AnswerView | None] = (None, None)
        self._round: tuple[object, RoundFigures | None] = (None, None)

    def nearest(self, name: tuple[Ecosystem, str]) -> tuple[str, ...]:
        """Registered names that look like it; none where there is no snapshot of its registry."""
        if name not in self._near:
            known = self._nearest_of(name[0])
            self._near = {name: () if known is None else tuple(known.of(name[1]))}
        return self._near[name]

    def answer(self, store: Store, sample_id: str | None, *, reveal: bool) -> AnswerView | None:
        """The answer, ready to be shown; None where it isn't kept."""
        if sample_id is None:
            return None
        key = (sample_id, reveal)
        if self._answer[0] != key:
            answer = store.answers.latest(sample_id)
            view = None if answer is None else _view(store, answer, reveal=reveal)
            self._answer = (key, view)
        return self._answer[1]

    def figures(self, store: Store, round_id: int | None) -> RoundFigures | None:
        """The round's figures; of the newest one for None. None where there is no round."""
        newest = store.rounds.recent(1)
        if not newest:
            return None
        one = newest[0] if round_id is None else store.rounds.get(round_id)
        key = (one.id, one.state, one.updated, one.adapter)
        if self._round[0] != key:
            self._round = (key, read_figures(store, one))
        return self._round[1]

    def texts(
        self, store: Store, lines: Iterable[PoolPrompt], *, reveal: bool
    ) -> tuple[tuple[PoolPrompt, str], ...]:
        """Each prompt with its text as it may be shown; a private one's only where revealed."""
        return tuple((line, _text(store, line, reveal=reveal)) for line in lines)

    def _nearest_of(self, ecosystem: Ecosystem) -> NearestNames | None:
        if self._home is None:
            return None
        if ecosystem not in self._names:
            from ghostbust.registries.judge import Mode, default_judge
            from ghostbust.registries.nearest import NearestNames

            try:
                with default_judge(Mode.SNAPSHOT, data_dir=self._home.registry) as judge:
                    snapshot = judge.snapshots.get(ecosystem)
            except SnapshotError:
                snapshot = None
            self._names[ecosystem] = None if snapshot is None else NearestNames(snapshot)
        return self._names[ecosystem]


def _text(store: Store, line: PoolPrompt, *, reveal: bool) -> str:
    if line.text is None:
        return "(not kept)"
    if reveal:
        return line.text
    if line.private:
        return "(private; v shows it)"
    return redacted_text(store, line.text[:2000], line.ecosystem)


def _view(store: Store, answer: Answer, *, reveal: bool) -> AnswerView:
    from ghostbust.unlearners.masks import token_marks

    prompt = answer.sample.prompt
    raws = {one.ref.raw for one in answer.judged if one.lookup.invented}
    hide: Callable[[str], str] = partial(
        redacted_text, store, ecosystem=prompt.ecosystem, also=raws
    )
    if reveal:
        hide = str
    marks = token_marks(answer, cache_dir())
    asked = prompt.text if reveal or not prompt.private else "(private; v shows it)"
    return AnswerView(
        answer=answer,
        prompt=hide(asked),
        pieces=by_verdict(answer, hide, reveal=reveal),
        masked=None if marks is None else by_token(answer, marks, hide, reveal=reveal),
        revealed=reveal,
    )
