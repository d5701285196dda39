"""The ledger page by page: the same order, search and count as reading it whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ghostbust.records import Ecosystem
from ghostbust.store import views
from ghostbust.store.rows import Decision, NameOrder, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import MakeAnswer

PYPI = Ecosystem.PYPI


@pytest.fixture
def names(store: Store, spec: RunSpec, make_answer: MakeAnswer) -> list[str]:
    """25 names, seen more often the higher their number."""
    run_id = store.runs.start(spec)
    made = [f"ghost-{n:02d}" for n in range(25)]
    for number in range(5):
        task = f"task {number}"
        absent = tuple(made[5 * number :])
        store.answers.add(run_id, [make_answer(task=task, absent=absent)])
    store.repeats.refresh()
    return made


@pytest.mark.parametrize("order", NameOrder)
@pytest.mark.parametrize("search", ["", "T-1", "100%", "gh_st", "no such"])
def test_pages_together_are_the_whole(
    store: Store, names: list[str], order: NameOrder, search: str
) -> None:
    whole = store.ledger.hallucinations(search=search, order=order, limit=-1)
    pages = [
        store.name_pages.page(search=search, order=order, limit=10, offset=offset)
        for offset in (0, 10, 20)
    ]

    assert [line.name for page in pages for line in page.lines] == whole
    assert {page.found for page in pages} == {len(whole)}


def test_a_search_that_finds_many_is_paged_like_one_that_finds_few(
    store: Store, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.reviews.add(PYPI, names[20], Decision.IGNORE, "noise")
    few = [store.name_pages.page(search="t-", order=o, limit=7, offset=7) for o in NameOrder]
    monkeypatch.setattr(views, "FEW", 3)
    many = [store.name_pages.page(search="t-", order=o, limit=7, offset=7) for o in NameOrder]

    assert many == few
    assert {page.found for page in few} == {24}
    assert store.name_pages.page(search="t-", ignored=True, offset=100).found == 25


def test_what_is_ignored_is_listed_only_if_asked_for(store: Store, names: list[str]) -> None:
    store.reviews.add(PYPI, names[3], Decision.IGNORE, "noise")
    store.reviews.add(PYPI, names[4], Decision.ACCEPT, "yes")

    assert store.name_pages.page().found == 24
    assert store.name_pages.page(search="ghost").found == 24
    everything = store.name_pages.page(ignored=True)
    assert everything.found == 25
    reviews = {line.name.name: line.review for line in everything.lines if line.review}
    assert reviews == {names[3]: Decision.IGNORE, names[4]: Decision.ACCEPT}


def test_orders_need_no_sorting(store: Store, names: list[str]) -> None:
    """Each count's and time's order is that of an index, so a page reads no other names."""
    from ghostbust.store.names import NAMES, ORDER_BY

    for order in NameOrder:
        if order is NameOrder.REPEATS:
            continue
        plan = store.name_pages._connection.rows(
            f"EXPLAIN QUERY PLAN {NAMES} ORDER BY {ORDER_BY[order]} LIMIT 10", {"adapter": ""}
        )
        assert not [row for row in plan if "TEMP B-TREE FOR ORDER BY" in row["detail"]], order


def test_all_that_is_known_of_a_name(store: Store, names: list[str]) -> None:
    name = names[-1]
    store.reviews.add(PYPI, name, Decision.ACCEPT, "yes")
    store.ledger.mark_claimed(PYPI, name, store.ledger.hallucinations()[0].last_seen)
    known = store.name_pages.known(PYPI, name)

    assert known is not None
    assert known.contexts == ("code",)
    assert len(known.samples) == known.name.times_seen == 5
    assert known.alarm is not None
    assert known.alarm.name == name
    assert [review.reason for review in known.reviews] == ["yes"]
    assert known.lookup is None
    assert store.name_pages.claimed() == 1
    assert store.name_pages.known(PYPI, "no such") is None
