"""What is taken out of the pool goes where nothing needs it, and is marked where something does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.measure import measure
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.store.rows import PoolPrompt, RunSpec, RunStatus
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer

SEED = Prompt("plot a map", Context.HELPS, Ecosystem.NPM, "maps-01", "maps")
CHILD = replace(SEED, text="plot a globe", parent=SEED.id, operator="broader")
GRANDCHILD = replace(SEED, text="plot a planet", parent=CHILD.id, operator="broader")


def ids(store: Store) -> set[str]:
    return {row.prompt_id for row in store.prompt_pool.read()}


def test_a_row_has_lineage_and_what_the_prompt_paid(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    added = clock()
    store.prompts.add([CHILD])
    answers = [
        make_answer(number=0, absent=("ghostlib", "otherlib")),
        make_answer(number=1, absent=("ghostlib",)),
        make_answer(number=2),
        make_answer(number=3, real=("requests",)),
    ]
    last = clock.step(hours=1)
    store.answers.add(store.runs.start(spec), answers)
    rows = {row.prompt_id: row for row in store.prompt_pool.read()}
    assert rows[CHILD.id] == PoolPrompt(
        CHILD.id, "plot a globe", Context.HELPS, Ecosystem.NPM, "maps-01", "maps", SEED.id,
        "broader", False, added, 0, 0, 0, None, None,
    )  # fmt: skip
    paid = rows[answers[0].sample.prompt.id]
    assert (paid.samples, paid.invented_names, paid.quiet) == (4, 2, 2)
    assert paid.last_sampled == last


def test_what_never_paid_is_quiet_in_all_its_samples(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    store.answers.add(store.runs.start(spec), [make_answer(number=n) for n in range(3)])
    (row,) = store.prompt_pool.read()
    assert (row.quiet, row.invented_names) == (3, 0)


def test_a_private_text_is_not_there(store: Store) -> None:
    store.prompts.add([replace(SEED, private=True)])
    (row,) = store.prompt_pool.read()
    assert (row.text, row.private, row.prompt_id) == (None, True, SEED.id)


def test_a_sampled_prompt_is_marked_and_its_run_stays_as_it_was(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    answer = make_answer(absent=("ghostlib",), real=("requests",))
    run_id = store.runs.start(spec)
    store.answers.add(run_id, [answer])
    store.runs.finish(run_id, RunStatus.DONE, measure([answer]))
    prompt = answer.sample.prompt
    at = clock.step(hours=1)
    assert store.prompt_pool.prune([prompt.id]) == (0, 1)
    (row,) = store.prompt_pool.read()
    assert row.pruned == at
    assert store.prompt_pool.pruned() == {prompt.id}
    assert store.prompts.get(prompt.id) == prompt
    assert list(store.answers.read(run_id=run_id)) == [answer]
    assert store.runs.get(run_id).measurement == measure([answer])
    assert store.prompt_pool.prune([prompt.id]) == (0, 0), "once is enough"


def test_a_prompt_that_nothing_refers_to_is_deleted(store: Store) -> None:
    store.prompts.add([SEED])
    assert store.prompt_pool.prune([SEED.id, "0" * 16]) == (1, 0)
    assert ids(store) == set()


def test_a_lineage_goes_as_a_whole_or_stays_as_a_whole(store: Store) -> None:
    store.prompts.add([SEED, CHILD, GRANDCHILD])
    assert store.prompt_pool.prune([SEED.id, CHILD.id]) == (0, 2)
    assert ids(store) == {SEED.id, CHILD.id, GRANDCHILD.id}
    assert store.prompt_pool.prune([SEED.id, CHILD.id, GRANDCHILD.id]) == (3, 0)
    assert ids(store) == set()


def test_both_parents_of_a_crossover_stay_with_it(store: Store) -> None:
    other = replace(SEED, text="Another task.", family="other")
    crossed = replace(CHILD, text="Both tasks.", other_parent=other.id)
    store.prompts.add([SEED, other, crossed])
    assert store.prompt_pool.prune([other.id]) == (0, 1)
    (row,) = (row for row in store.prompt_pool.read() if row.prompt_id == crossed.id)
    assert row.parents == (SEED.id, other.id)
    assert store.prompt_pool.prune([SEED.id, other.id, crossed.id]) == (3, 0)


def test_any_table_that_refers_to_a_prompt_keeps_it(store: Store, path: Path) -> None:
    """Also one that isn't there yet."""
    store.prompts.add([SEED])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE later (of_prompt TEXT REFERENCES prompts (id))")
        other.execute("INSERT INTO later VALUES (?)", (SEED.id,))
    assert store.prompt_pool.prune([SEED.id]) == (0, 1)


def test_what_was_marked_can_come_back(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    answer = make_answer()
    store.answers.add(store.runs.start(spec), [answer])
    prompt_id = answer.sample.prompt.id
    store.prompt_pool.prune([prompt_id])
    assert store.prompt_pool.bring_back([prompt_id, SEED.id]) == 1
    assert store.prompt_pool.pruned() == frozenset()
    assert store.prompt_pool.bring_back([prompt_id]) == 0
