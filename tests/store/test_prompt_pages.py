"""The pool page by page: the same figures as reading it whole, and lineages that end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.records import Prompt
from ghostbust.store.prompts import PromptOrder
from ghostbust.store.rows import RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer


@pytest.fixture
def pool(store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock) -> list[Prompt]:
    """A seed, a child, and the child's child, which is also another seed's; the child paid."""
    seed, other = make_answer(task="seed"), make_answer(task="other")
    child = make_answer(task="child", absent=("ghost", "spook"))
    parent = seed.sample.prompt
    made = replace(child.sample.prompt, parent=parent.id, operator="sibling")
    crossed = replace(
        made, text="crossed", parent=made.id, other_parent=other.sample.prompt.id, operator="cross"
    )
    run_id = store.runs.start(spec)
    store.answers.add(run_id, [seed, other])
    clock.step(minutes=1)
    store.answers.add(run_id, [replace(child, sample=replace(child.sample, prompt=made))])
    store.prompts.add([crossed])
    return [parent, other.sample.prompt, made, crossed]


@pytest.mark.parametrize("order", PromptOrder)
def test_figures_are_those_of_the_whole_pool(
    store: Store, pool: list[Prompt], order: PromptOrder
) -> None:
    whole = {row.prompt_id: row for row in store.prompt_pool.read()}
    pages = [store.prompt_pages.page(order=order, limit=3, offset=offset) for offset in (0, 3)]
    lines = [line for page in pages for line in page]

    assert {line.prompt_id for line in lines} == set(whole)
    assert store.prompt_pages.count() == len(lines) == 4
    for line in lines:
        row = whole[line.prompt_id]
        assert (line.samples, line.invented_names) == (row.samples, row.invented_names)
        assert line.last_sampled == row.last_sampled
    if order is PromptOrder.PAID:
        assert lines[0].prompt_id == pool[2].id


def test_the_lineage_goes_up_and_down(store: Store, pool: list[Prompt]) -> None:
    seed, other, child, crossed = (prompt.id for prompt in pool)

    assert _lineage(store, child) == {seed: -1, crossed: 1}
    assert _lineage(store, crossed) == {seed: -2, child: -1, other: -1}
    assert _lineage(store, "no such") == {}


def test_a_prompt_that_descends_from_itself_ends(store: Store, pool: list[Prompt]) -> None:
    loop = replace(pool[3], text="loop")
    store.prompts.add([replace(loop, parent=loop.id, other_parent=None)])

    assert _lineage(store, loop.id) == {}


def test_what_was_taken_out_is_not_listed(store: Store, pool: list[Prompt]) -> None:
    store.prompt_pool.prune([pool[0].id])

    assert store.prompt_pages.count() == 3
    assert pool[0].id not in [line.prompt_id for line in store.prompt_pages.page()]


def _lineage(store: Store, prompt_id: str) -> dict[str, int]:
    return {one.line.prompt_id: one.depth for one in store.prompt_pages.lineage(prompt_id)}
