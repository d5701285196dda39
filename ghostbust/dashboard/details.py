"""What the tabs of samples and rounds show of one answer, and of one round: read, and as text.

An answer's refs are styled by their verdicts, or its tokens by their mask. Colour is never all that
tells them apart: styles differ in underline, reverse and weight too, and a list of the refs with
their verdicts stands below the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from ghostbust.dashboard.widgets import cell, visible_lines
from ghostbust.home import cache_dir
from ghostbust.loop.redact import redacted_text
from ghostbust.records import Answer, Judged, Verdict
from ghostbust.store.prompts import PoolPrompt
from ghostbust.store.rounds import Round
from ghostbust.store.store import Store
from ghostbust.store.tallies import SampleTally
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.reports.figures import Rates

STYLES: Final = {
    Verdict.REAL: "underline green",
    Verdict.ABSENT: "bold reverse red",
    Verdict.SUSPECT: "bold reverse magenta",
    Verdict.BUILTIN: "dim",
    Verdict.UNKNOWN: "italic yellow",
}
MASK_STYLES: Final = {0: "", 1: "underline green", 2: "bold reverse red"}
PRIVATE: Final = "(private; v shows it)"


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer and its prompt as they may be shown."""

    answer: Answer
    prompt: str
    judged: Text
    """the whole answer, styled by verdict"""
    masked: Text | None
    """the same, styled by token mask; None where the tokenizer isn't on this machine"""
    revealed: bool


Hide = Callable[[str], str]
"""redacts the text between refs"""


def read_answer(
    store: Store, sample_id: str, *, reveal: bool, private: bool = False
) -> AnswerView | None:
    """The answer, ready to be shown; None where it isn't kept. ``private`` shows private texts."""
    answer = store.answers.latest(sample_id)
    if answer is None:
        return None
    # Here, because torch comes with it.
    from ghostbust.unlearners.masks import token_marks

    prompt = answer.sample.prompt
    raws = {one.ref.raw for one in answer.judged if one.lookup.invented}
    hide: Hide = partial(redacted_text, store, ecosystem=prompt.ecosystem, also=raws)
    if reveal:
        hide = str
    marks = token_marks(answer, cache_dir())
    return AnswerView(
        answer=answer,
        prompt=hide(prompt.text if private or not prompt.private else PRIVATE),
        judged=by_verdict(answer, hide, reveal=reveal),
        masked=None if marks is None else by_token(answer, marks, hide, reveal=reveal),
        revealed=reveal,
    )


def prompt_text(store: Store, line: PoolPrompt, *, reveal: bool, private: bool = False) -> str:
    """The text of a prompt as it may be shown; ``private`` shows those of users, too."""
    if line.text is None:
        return "(not kept)"
    if line.private and not private:
        return PRIVATE
    return line.text if reveal else redacted_text(store, line.text[:2000], line.ecosystem)


def by_verdict(answer: Answer, hide: Hide, *, reveal: bool) -> Text:
    """The answer with its refs styled. Invented names are redacted unless revealed."""
    text, at, shown = answer.sample.text, 0, Text()
    for one in _without_overlaps(answer.judged):
        ref = one.ref
        shown.append(visible_lines(hide(text[at : ref.start])))
        raw = text[ref.start : ref.end]
        hidden = one.lookup.invented and not reveal
        shown.append(visible_lines(redact(raw) if hidden else raw), STYLES[one.lookup.verdict])
        at = ref.end
    return shown.append(visible_lines(hide(text[at:])))


def by_token(
    answer: Answer, marks: Sequence[tuple[int, int, int]], hide: Hide, *, reveal: bool
) -> Text:
    """The answer styled by its mask. Invented names are redacted unless revealed."""
    text = answer.sample.text
    spans = [
        (one.ref.start, one.ref.end)
        for one in _without_overlaps(answer.judged)
        if one.lookup.invented
    ]
    mask = [0] * len(text)
    for start, end, mark in marks:
        mask[start:end] = [mark] * (end - start)
    cuts = {0, len(text)} | {n for n in range(1, len(text)) if mask[n] != mask[n - 1]}
    if not reveal:
        # A name stays one piece: cut at its tokens, its parts would pass unredacted.
        cuts = {c for c in cuts if not any(a < c < b for a, b in spans)}
        cuts |= {edge for span in spans for edge in span}
    shown = Text()
    for start, end in pairwise(sorted(cuts)):
        part, mark = text[start:end], max(mask[start:end], default=0)
        hidden = not reveal and (start, end) in spans
        shown.append(visible_lines(redact(part) if hidden else hide(part)), MASK_STYLES[mark])
    return shown


def answer_text(view: AnswerView, *, masked: bool) -> RenderableType:
    """The prompt, the answer and its refs."""
    shown = view.masked if masked and view.masked is not None else view.judged
    sample = view.answer.sample
    cut = "cut off by the token limit" if sample.truncated else ""
    head = Text("prompt  ", "bold").append_text(Text(visible_lines(view.prompt), "dim"))
    if masked and view.masked is None:
        note = cell("no mask: the model's tokenizer isn't on this machine", "yellow")
    elif masked:
        note = cell("token mask: green RETAIN, red reversed FORGET, the rest IGNORE", "bold")
    else:
        note = cell("answer  underlined real, reversed invented, italic unknown", "bold")
    refs = []
    for one in view.answer.judged:
        lookup = one.lookup
        name = redact(lookup.name) if lookup.invented and not view.revealed else lookup.name
        verdict = cell(lookup.verdict.ljust(8), STYLES[lookup.verdict])
        about = cell(f"{name}  {one.ref.kind}, {lookup.reason}, {lookup.source}")
        refs.append(Text.assemble(verdict, " ", about))
    count = Text("1 ref" if len(refs) == 1 else f"{len(refs)} refs", "bold")
    return Group(head, Text(), note, shown, cell(cut, "dim"), count, *refs)


def _without_overlaps(judged: Sequence[Judged]) -> list[Judged]:
    """The refs in the order of the text, without those that overlap an earlier one."""
    kept: list[Judged] = []
    for one in sorted(judged, key=lambda j: (j.ref.start, -j.ref.end)):
        if not kept or one.ref.start >= kept[-1].ref.end:
            kept.append(one)
    return kept


@dataclass(frozen=True, slots=True)
class Flips:
    """Base and candidate on the very same prompts, compared answer by answer."""

    cured: tuple[str, ...]
    """ids of prompts at which the base invented and the candidate doesn't"""
    broken: tuple[str, ...]
    """at which the candidate invents and the base doesn't"""
    both: int
    """at which both invent"""
    neither: int


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """The figures of one round beyond its gates."""

    round_id: int
    losses: tuple[float, ...]
    """of each step, from the adapter's manifest"""
    missing: str
    """why there are no losses; empty where there are"""
    rates: tuple[tuple[str, Sequence[Rates]], ...]
    """the base's and the candidate's, by context; fewer where they weren't measured"""
    flips: Flips | None
    """None without runs of both on the same prompts"""
    older: tuple[str, ...] = ()
    """of which runs an older version printed another rate, a sentence each"""


def read_figures(store: Store, one: Round) -> RoundFigures:
    """Reads the runs by which the round was judged, and its adapter's manifest."""
    # Here, because scipy comes with it, and most people never open the tab of rounds.
    from ghostbust.reports.figures import figures_together, said_older
    from ghostbust.reports.subjects import gate_runs
    from ghostbust.reports.tables import losses_of

    losses, missing = losses_of(store, one)
    runs = gate_runs(store, one)
    tallies = [store.tallies.of_run(run.id) for run in runs.values()]
    return RoundFigures(
        round_id=one.id,
        losses=tuple(losses),
        missing=missing,
        rates=tuple(figures_together(store, runs).items()),
        flips=flips(*tallies) if len(tallies) == 2 else None,
        older=tuple(said for run in runs.values() if (said := said_older(run))),
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
