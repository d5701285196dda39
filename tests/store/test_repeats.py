"""Repeats count what was drawn after a name was first elicited, adapter by adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ghostbust.records import Answer, Ecosystem
from ghostbust.store.names import Repeats
from ghostbust.store.rows import NameOrder, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer


def of(store: Store, name: str = "ghostlib") -> list[Repeats]:
    return store.repeats.of(Ecosystem.PYPI, name)


def drawn(
    make: MakeAnswer, names: str, *, task: str = "a", adapter: str | None = None
) -> list[Answer]:
    """An answer for each letter: ``g`` names ghostlib, ``o`` otherlib, ``-`` nothing."""
    said = {"g": ("ghostlib",), "o": ("otherlib",), "-": ()}
    return [
        make(task=task, number=n, absent=said[letter], adapter=adapter)
        for n, letter in enumerate(names)
    ]


def test_the_sample_that_first_named_it_is_no_try(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    store.answers.add(store.runs.start(spec), drawn(make_answer, "--gg-g-"))
    assert of(store) == [], "nothing is counted yet"
    assert store.repeats.refresh() == 1
    assert of(store) == [Repeats(None, asked_again=4, came_back=2, prompts=1)]
    (listed,) = store.ledger.hallucinations()
    assert (listed.came_back, listed.asked_again) == (2, 4)


def test_a_name_that_was_never_asked_for_again_has_no_figure(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    store.answers.add(store.runs.start(spec), drawn(make_answer, "--g"))
    store.repeats.refresh()
    assert of(store) == []
    (listed,) = store.ledger.hallucinations()
    assert (listed.came_back, listed.asked_again) == (0, 0)


def test_prompts_are_summed_each_from_its_own_first_time(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(run_id, drawn(make_answer, "gg-"))
    store.answers.add(run_id, drawn(make_answer, "-g-", task="b"))
    store.answers.add(run_id, drawn(make_answer, "---", task="c"))
    store.repeats.refresh()
    assert of(store) == [Repeats(None, asked_again=3, came_back=1, prompts=2)]


def test_what_the_base_elicited_is_a_try_for_an_adapter(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(run_id, drawn(make_answer, "ggg"))
    store.repeats.refresh()
    clock.step(hours=1)
    store.answers.add(run_id, drawn(make_answer, "---g", adapter="round-1"))
    store.repeats.refresh()
    assert of(store) == [
        Repeats(None, asked_again=2, came_back=2, prompts=1),
        Repeats("round-1", asked_again=4, came_back=1, prompts=1),
    ]
    (by_adapter,) = store.ledger.hallucinations(adapter="round-1")
    assert (by_adapter.came_back, by_adapter.asked_again) == (1, 4)


def test_an_answer_without_chance_repeats_itself_and_is_no_try(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    greedy, *others = drawn(make_answer, "gg-g")
    greedy = replace(greedy, sample=replace(greedy.sample, temperature=0.0))
    again = replace(greedy, sample=replace(greedy.sample, number=9))
    store.answers.add(store.runs.start(spec), [greedy, *others, again])
    store.repeats.refresh()
    assert of(store) == [Repeats(None, asked_again=3, came_back=2, prompts=1)]


def test_only_what_changed_is_counted_anew(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(run_id, drawn(make_answer, "gg") + drawn(make_answer, "oo", task="b"))
    clock.step(seconds=1)
    assert store.repeats.refresh() == 2
    assert store.repeats.refresh() == 0
    clock.step(seconds=1)
    later = make_answer(task="b", number=7)
    store.answers.add(run_id, [later])
    assert store.repeats.refresh() == 1
    assert of(store, "otherlib") == [Repeats(None, asked_again=2, came_back=1, prompts=1)]
    assert of(store) == [Repeats(None, asked_again=1, came_back=1, prompts=1)]


def test_the_order_of_repeats_trusts_many_tries_more(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(run_id, drawn(make_answer, "gg"))  # 1 of 1
    store.answers.add(run_id, drawn(make_answer, "ooooooo-o", task="b"))  # 7 of 8
    store.answers.add(run_id, [make_answer(task="c", absent=("never-again",))])
    store.repeats.refresh()
    listed = store.ledger.hallucinations(order=NameOrder.REPEATS)
    assert [name.name for name in listed] == ["otherlib", "ghostlib", "never-again"]


def test_the_prompts_of_a_name_that_elicited_it_most_come_first(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    once, twice = drawn(make_answer, "g"), drawn(make_answer, "gg", task="b")
    store.answers.add(run_id, once + twice)
    assert store.repeats.prompts_of(Ecosystem.PYPI, "ghostlib") == [
        twice[0].sample.prompt.id,
        once[0].sample.prompt.id,
    ]
    assert store.repeats.prompts_of(Ecosystem.NPM, "ghostlib") == []
