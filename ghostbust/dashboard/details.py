"""Reads that take a while, kept for the next second: nearest names, answers, figures of rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from ghostbust.dashboard.answers import AnswerView, by_token, by_verdict
from ghostbust.dashboard.round_figures import RoundFigures, read_figures
from ghostbust.errors import SnapshotError
from ghostbust.home import Home, cache_dir
from ghostbust.loop.redacting import redacted_text
from ghostbust.records import Answer, Ecosystem
from ghostbust.store import PromptLine, Store

if TYPE_CHECKING:
    from ghostbust.registries.nearest import NearestNames


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
        self, store: Store, lines: Iterable[PromptLine], *, reveal: bool
    ) -> tuple[tuple[PromptLine, str], ...]:
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


def _text(store: Store, line: PromptLine, *, reveal: bool) -> str:
    if line.text is None:
        return "(not kept)"
    if reveal:
        return line.text
    if line.private:
        return "(private; v shows it)"
    return redacted_text(store, line.text[:2000], line.ecosystem)


def _view(store: Store, answer: Answer, *, reveal: bool) -> AnswerView:
    from ghostbust.unlearners.token_view import token_marks

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
