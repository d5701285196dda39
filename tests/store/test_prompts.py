"""The pool knows every prompt and what it paid; pages, lineages, what was taken out, rewritings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.records import Context, Ecosystem, Flag, Prompt
from ghostbust.store.prompts import (
    Draw,
    DrawnName,
    OperatorCount,
    PoolPrompt,
    PromptOrder,
    Rewriting,
)
from ghostbust.store.store import Store
from tests.store.conftest import Clock, log, make_answer

SEED = Prompt("plot a map", Context.HELPS, Ecosystem.NPM, "maps-01", "maps")
CHILD = replace(SEED, text="plot a globe", parent=SEED.id, operator="broader")
GRANDCHILD = replace(SEED, text="plot a planet", parent=CHILD.id, operator="broader")


def ids(store: Store) -> set[str]:
    return {row.prompt_id for row in store.prompts.pool()}


def test_a_prompt_comes_back_by_its_id(store: Store) -> None:
    turned = replace(SEED, turns=("plot a map", "import maps\n1. größe"))
    crossed = replace(CHILD, text="plot both", other_parent="ab" * 8)
    store.prompts.add([SEED, CHILD, turned, crossed, SEED])
    made = sorted((SEED, CHILD, turned, crossed), key=lambda prompt: prompt.id)
    assert [store.prompts.get(prompt.id) for prompt in made] == made
    assert store.prompts.read() == made
    assert store.prompts.get("0" * 16) is None
    assert store.prompts.families([SEED.id, "other"]) == {SEED.id: "maps-01"}


@pytest.mark.parametrize("prompt", [SEED, replace(SEED, turns=("plot a map", "import maps"))])
def test_a_private_text_is_known_once_it_comes_from_elsewhere(store: Store, prompt: Prompt) -> None:
    private = replace(prompt, private=True)
    store.prompts.add([private])
    (row,) = store.prompts.pool()
    assert (row.text, row.private, row.prompt_id) == (None, True, prompt.id)
    assert store.prompts.get(prompt.id) is None
    store.prompts.add([prompt])
    store.prompts.add([private])
    assert store.prompts.get(prompt.id) == prompt


def test_the_pool_has_lineage_and_what_each_prompt_paid(store: Store, clock: Clock) -> None:
    added = clock()
    store.prompts.add([CHILD])
    paying = make_answer(number=0, absent=("ghostlib", "otherlib"), real=("requests",))
    log(store, paying, make_answer(number=1, absent=("ghostlib",)), make_answer(number=2))
    last = clock.step(hours=1)
    log(
        store,
        make_answer(number=3, real=("requests",)),
        *(make_answer("none", number=n) for n in (0, 1)),
    )
    rows = {row.family: row for row in store.prompts.pool()}
    assert rows["maps-01"] == PoolPrompt(
        CHILD.id, "plot a globe", Context.HELPS, Ecosystem.NPM, "maps-01", "maps", SEED.id,
        "broader", False, added, 0, 0, 0, None, None,
    )  # fmt: skip
    paid, never = rows["family-task"], rows["family-none"]
    assert paid.prompt_id == paying.sample.prompt.id
    assert (paid.samples, paid.invented_names, paid.quiet, paid.last_sampled) == (4, 2, 2, last)
    assert (never.samples, never.invented_names, never.quiet) == (2, 0, 2)


@pytest.fixture
def pool(store: Store, clock: Clock) -> list[Prompt]:
    """A seed, a child, and the child's child, which is also another seed's; the child paid."""
    seed, other = make_answer("seed"), make_answer("other")
    child = make_answer("child", absent=("ghost", "spook"))
    parent = seed.sample.prompt
    made = replace(child.sample.prompt, parent=parent.id, operator="sibling")
    crossed = replace(
        made, text="crossed", parent=made.id, other_parent=other.sample.prompt.id, operator="cross"
    )
    log(store, seed, other)
    clock.step(minutes=1)
    log(store, replace(child, sample=replace(child.sample, prompt=made)))
    store.prompts.add([crossed])
    return [parent, other.sample.prompt, made, crossed]


@pytest.mark.parametrize("order", PromptOrder)
def test_pages_have_the_figures_of_the_whole_pool(
    store: Store, pool: list[Prompt], order: PromptOrder
) -> None:
    pages = [store.prompts.page(order=order, limit=3, offset=offset) for offset in (0, 3)]
    lines = [line for page in pages for line in page]
    assert sorted(lines, key=lambda line: line.prompt_id) == store.prompts.pool()
    assert store.prompts.count() == len(lines) == 4
    first = {
        PromptOrder.PAID: pool[2:3],
        PromptOrder.SAMPLES: pool[:3],
        PromptOrder.ADDED: pool[2:],
    }
    assert lines[0].prompt_id in {prompt.id for prompt in first[order]}


def test_the_lineage_goes_up_and_down_and_ends_in_a_circle(
    store: Store, pool: list[Prompt]
) -> None:
    def lineage(prompt_id: str) -> dict[str, int]:
        return {one.line.prompt_id: one.depth for one in store.prompts.lineage(prompt_id)}

    seed, other, child, crossed = (prompt.id for prompt in pool)
    assert lineage(child) == {seed: -1, crossed: 1}
    assert lineage(crossed) == {seed: -2, child: -1, other: -1}
    assert lineage("no such") == {}
    loop = replace(pool[3], text="loop")
    store.prompts.add([replace(loop, parent=loop.id, other_parent=None)])
    assert lineage(loop.id) == {}


def test_a_sampled_prompt_is_marked_and_may_come_back(store: Store, clock: Clock) -> None:
    answer = make_answer(absent=("ghostlib",), real=("requests",))
    run_id = log(store, answer)
    prompt = answer.sample.prompt
    at = clock.step(hours=1)
    assert store.prompts.prune([prompt.id]) == (0, 1)
    (row,) = store.prompts.pool()
    assert row.pruned == at
    assert store.prompts.pruned() == {prompt.id}
    assert (store.prompts.count(), store.prompts.page()) == (0, [])
    assert store.prompts.get(prompt.id) == prompt
    assert list(store.answers.read(run_id=run_id)) == [answer]
    assert store.prompts.prune([prompt.id]) == (0, 0), "once is enough"
    assert store.prompts.bring_back([prompt.id, SEED.id]) == 1
    assert store.prompts.pruned() == frozenset()
    assert store.prompts.bring_back([prompt.id]) == 0


def test_a_lineage_goes_as_a_whole_or_stays_as_a_whole(store: Store) -> None:
    store.prompts.add([SEED, CHILD, GRANDCHILD])
    assert store.prompts.prune([SEED.id, CHILD.id]) == (0, 2)
    assert ids(store) == {SEED.id, CHILD.id, GRANDCHILD.id}
    assert store.prompts.prune([SEED.id, CHILD.id, GRANDCHILD.id, "0" * 16]) == (3, 0)
    assert ids(store) == set()


def test_both_parents_of_a_crossover_stay_with_it(store: Store) -> None:
    other = replace(SEED, text="Another task.", family="other")
    crossed = replace(CHILD, text="Both tasks.", other_parent=other.id)
    store.prompts.add([SEED, other, crossed])
    assert store.prompts.prune([other.id]) == (0, 1)
    (row,) = (row for row in store.prompts.pool() if row.prompt_id == crossed.id)
    assert row.parents == (SEED.id, other.id)
    assert store.prompts.prune([SEED.id, other.id, crossed.id]) == (3, 0)


def test_any_table_that_refers_to_a_prompt_keeps_it(store: Store, path: Path) -> None:
    """Also one that isn't there yet."""
    store.prompts.add([SEED])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE later (of_prompt TEXT REFERENCES prompts (id))")
        other.execute("INSERT INTO later VALUES (?)", (SEED.id,))
    assert store.prompts.prune([SEED.id]) == (0, 1)


def drawn(*names: tuple[str, bool]) -> tuple[DrawnName, ...]:
    return tuple(DrawnName(Ecosystem.PYPI, name, new) for name, new in names)


def test_rewritings_come_back_in_order(store: Store) -> None:
    store.prompts.add([SEED])
    rows = [
        Rewriting("broader", SEED.id, None, 30, "m", "round-0001-aa", 4),
        Rewriting("agent", SEED.id, "ab" * 8, 0, "m", None, 4),
    ]
    store.rewritings.add(rows)
    store.rewritings.add([])
    assert store.rewritings.read() == rows


def test_operators_are_counted_as_asked_written_and_paid(store: Store) -> None:
    paid, quiet = make_answer("paid", absent=("ghostlib",)), make_answer("quiet")
    log(store, paid, quiet)
    store.prompts.add([SEED])
    children = (paid.sample.prompt.id, quiet.sample.prompt.id, None)
    store.rewritings.add(
        [Rewriting("broader", SEED.id, child, 10, "m", None, 1) for child in children]
    )
    store.rewritings.add([Rewriting("agent", SEED.id, children[0], 0, "m", None, 1)])
    assert store.rewritings.counts() == [
        OperatorCount("agent", 1, 1, 1, 0),
        OperatorCount("broader", 3, 2, 1, 30),
    ]


def test_a_name_is_new_in_the_first_sample_that_had_it(store: Store) -> None:
    answers = [
        make_answer("b", absent=("ghostlib", "otherlib")),
        make_answer("a", absent=("ghostlib",), real=("requests",)),
        make_answer("c", adapter="round-0001-aa"),
    ]
    log(store, *answers)
    log(store, *answers)
    first, second, third = (answer.sample.prompt.id for answer in answers)
    assert store.rewritings.draws() == [
        Draw(first, None, 7, 12, drawn(("ghostlib", True), ("otherlib", True))),
        Draw(second, None, 7, 12, drawn(("ghostlib", False))),
        Draw(third, "round-0001-aa", 7, 12, ()),
    ]
    assert [draw.prompt_id for draw in store.rewritings.draws(2)] == [second, third]
    assert store.rewritings.draws(2)[0].names == drawn(("ghostlib", False)), "it is old still"


def test_a_draw_leaves_out_what_the_prompt_had_named(store: Store) -> None:
    answer = make_answer(absent=("ghostlib", "otherlib"))
    induced = replace(answer.judged[0].ref, flags=frozenset({Flag.PROMPT_INDUCED}))
    log(store, replace(answer, judged=(replace(answer.judged[0], ref=induced), *answer.judged[1:])))
    (draw,) = store.rewritings.draws()
    assert draw.names == drawn(("otherlib", True))


def test_an_answer_whose_tokens_were_not_counted_costs_by_its_length(store: Store) -> None:
    long = make_answer("long", absent=("ghostlib-of-many-letters",))
    hidden = make_answer("hidden", private=True)
    run_id = log(store, *(replace(a, sample=replace(a.sample, tokens=0)) for a in (long, hidden)))
    costs = {draw.prompt_id: draw.cost for draw in store.rewritings.draws()}
    assert costs[long.sample.prompt.id] == len(long.sample.text) // 4
    assert costs[hidden.sample.prompt.id] == 100
    assert store.answers.spent(run_id) == (2, sum(costs.values()))
