"""Uses of operators are counted, and samples told in the order in which they were added."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ghostbust.records import Context, Ecosystem, Flag, Prompt
from ghostbust.store.rows import Draw, DrawnName, OperatorCount, Rewriting, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import MakeAnswer

PARENT = Prompt("plot a map", Context.HELPS, Ecosystem.NPM, "maps-01", "maps")


def drawn(*names: tuple[str, bool]) -> tuple[DrawnName, ...]:
    return tuple(DrawnName(Ecosystem.PYPI, name, new) for name, new in names)


def test_what_was_noted_comes_back_in_order(store: Store) -> None:
    store.prompts.add([PARENT])
    rows = [
        Rewriting("broader", PARENT.id, None, 30, "m", "round-0001-aa", 4),
        Rewriting("agent", PARENT.id, "ab" * 8, 0, "m", None, 4),
    ]
    store.rewritings.add(rows)
    store.rewritings.add([])
    assert store.rewritings.read() == rows


def test_operators_are_counted_as_asked_written_and_paid(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    paid, quiet = make_answer(task="paid", absent=("ghostlib",)), make_answer(task="quiet")
    store.answers.add(run_id, [paid, quiet])
    store.prompts.add([PARENT])
    children = (paid.sample.prompt.id, quiet.sample.prompt.id, None)
    store.rewritings.add(
        [Rewriting("broader", PARENT.id, child, 10, "m", None, 1) for child in children]
    )
    store.rewritings.add([Rewriting("agent", PARENT.id, children[0], 0, "m", None, 1)])
    assert store.rewritings.counts() == [
        OperatorCount("agent", 1, 1, 1, 0),
        OperatorCount("broader", 3, 2, 1, 30),
    ]


def test_a_name_is_new_in_the_first_sample_that_had_it(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    answers = [
        make_answer(task="b", absent=("ghostlib", "otherlib")),
        make_answer(task="a", absent=("ghostlib",), real=("requests",)),
        make_answer(task="c", adapter="round-0001-aa"),
    ]
    for answer in answers:
        store.answers.add(run_id, [answer])
    store.answers.add(store.runs.start(spec), answers)
    first, second, third = (answer.sample.prompt.id for answer in answers)
    assert store.rewritings.draws() == [
        Draw(first, None, 7, 12, drawn(("ghostlib", True), ("otherlib", True))),
        Draw(second, None, 7, 12, drawn(("ghostlib", False))),
        Draw(third, "round-0001-aa", 7, 12, ()),
    ]
    assert [draw.prompt_id for draw in store.rewritings.draws(2)] == [second, third]
    assert store.rewritings.draws(2)[0].names == drawn(("ghostlib", False)), "it is old still"


def test_what_the_prompt_had_named_is_left_out(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    answer = make_answer(absent=("ghostlib", "otherlib"))
    induced = replace(answer.judged[0].ref, flags=frozenset({Flag.PROMPT_INDUCED}))
    marked = replace(answer, judged=(replace(answer.judged[0], ref=induced), *answer.judged[1:]))
    store.answers.add(store.runs.start(spec), [marked])
    (draw,) = store.rewritings.draws()
    assert draw.names == drawn(("otherlib", True))


def test_an_answer_that_was_not_counted_costs_by_its_length(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    long = make_answer(absent=("ghostlib-of-many-letters",), task="long")
    hidden = make_answer(task="hidden", private=True)
    run_id = store.runs.start(spec)
    uncounted = [replace(a, sample=replace(a.sample, tokens=0)) for a in (long, hidden)]
    store.answers.add(run_id, uncounted)
    costs = {draw.prompt_id: draw.cost for draw in store.rewritings.draws()}
    assert costs[long.sample.prompt.id] == len(long.sample.text) // 4
    assert costs[hidden.sample.prompt.id] == 100
    assert store.answers.spent(run_id) == (2, sum(costs.values()))


def test_a_models_answers_to_a_prompt(store: Store, spec: RunSpec, make_answer: MakeAnswer) -> None:
    run_id = store.runs.start(spec)
    own = [make_answer(absent=("ghostlib",), number=n) for n in (1, 0)]
    other = make_answer(adapter="round-0001-aa", number=2)
    private = make_answer(task="own", private=True)
    store.answers.add(run_id, [*own, other, private])

    def of(prompt: Prompt, adapter: str | None = None) -> list[int]:
        model = own[0].sample.model
        found = store.answers.of_prompt(prompt.id, model=model, adapter=adapter)
        return [sample.number for sample in found]

    assert of(own[0].sample.prompt) == [1, 0]
    assert of(own[0].sample.prompt, "round-0001-aa") == [2]
    assert of(private.sample.prompt) == []
