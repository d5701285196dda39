"""Stored answers page by page, and one answer as its last run judged it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ghostbust.records import Ecosystem
from ghostbust.store.rows import RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import MakeAnswer


def test_answers_come_newest_first_with_their_counts(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    answers = [
        make_answer(task="a", absent=("ghost", "spook"), real=("requests",)),
        make_answer(task="b", real=("requests",)),
        make_answer(task="c", absent=("ghost",)),
    ]
    store.answers.add(run_id, answers)
    a, b, c = (one.sample.id for one in answers)

    assert [line.sample_id for line in store.sample_pages.page()] == [c, b, a]
    assert [line.sample_id for line in store.sample_pages.page(invented=True)] == [c, a]
    assert [line.sample_id for line in store.sample_pages.page(limit=1, offset=1)] == [b]
    named = store.sample_pages.page(name=(Ecosystem.PYPI, "spook"))
    assert [(line.invented, line.real, line.unknown) for line in named] == [(2, 1, 0)]


def test_private_answers_without_text_are_not_listed(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    answer = make_answer(absent=("ghost",), private=True)
    store.answers.add(store.runs.start(spec), [answer])

    assert store.sample_pages.page() == []
    assert store.answers.latest(answer.sample.id) is None


def test_an_answer_is_judged_as_its_last_run_did(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    first, second = make_answer(absent=("ghost",)), make_answer(real=("ghost",))
    store.answers.add(store.runs.start(spec), [first])
    store.answers.add(store.runs.start(spec), [second])

    latest = store.answers.latest(first.sample.id)
    assert latest is not None
    assert latest.real == ["ghost"]
    assert store.sample_pages.page()[0].real == 1
    assert store.answers.latest("no such") is None
