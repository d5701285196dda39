"""The ledger counts samples and prompts once, lists fast, remembers claims; what people decided."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ghostbust.errors import StoreError
from ghostbust.records import Ecosystem, Hallucination, Lookup, SuspectReason, Verdict
from ghostbust.registries.interface import LookupCache
from ghostbust.store import names as names_module
from ghostbust.store.names import _NAMES, _ORDER_BY, Decision, NameOrder
from ghostbust.store.store import Store
from tests.store.conftest import Clock, log, make_answer

PYPI = Ecosystem.PYPI


def test_a_name_counts_samples_and_distinct_prompts(store: Store, clock: Clock) -> None:
    first_seen = clock()
    log(store, make_answer("a", absent=("ghostlib",), real=("requests",), number=0))
    last_seen = clock.step(hours=2)
    log(
        store,
        make_answer("a", absent=("ghostlib",), number=1),
        make_answer("b", absent=("ghostlib",)),
    )
    found = Hallucination(
        PYPI, "ghostlib", Verdict.ABSENT, "not-registered", 3, 2, first_seen, last_seen
    )
    assert store.ledger.hallucinations() == [found]
    assert store.ledger.get(PYPI, "ghostlib") == found
    assert store.ledger.get(PYPI, "ghost") is store.ledger.get(Ecosystem.NPM, "ghostlib") is None
    assert store.ledger.known(PYPI, ["ghostlib", "requests"]) == {"ghostlib"}
    assert store.ledger.known(Ecosystem.NPM, ["ghostlib"]) == set()


def test_unknown_and_builtin_names_are_never_logged(store: Store) -> None:
    answer = make_answer(absent=("a", "b"))
    for judged, verdict in zip(answer.judged, (Verdict.UNKNOWN, Verdict.BUILTIN), strict=True):
        changed = replace(judged, lookup=replace(judged.lookup, verdict=verdict))
        log(store, replace(answer, judged=(changed,)))
    assert store.ledger.hallucinations() == []


def test_names_are_searched_ordered_and_paged(store: Store, clock: Clock) -> None:
    for number, names in enumerate([("zeta-fast",), ("zeta-fast", "alpha_50%"), ("midlib",)]):
        clock.step(hours=1)
        log(store, make_answer(str(number), absent=names))

    def listed(**query: object) -> list[str]:
        return [found.name for found in store.ledger.hallucinations(**query)]  # type: ignore[arg-type]

    assert listed() == ["zeta-fast", "alpha_50%", "midlib"]
    assert listed(order=NameOrder.PROMPTS) == ["zeta-fast", "alpha_50%", "midlib"]
    assert listed(order=NameOrder.NAME) == ["alpha_50%", "midlib", "zeta-fast"]
    assert listed(order=NameOrder.FIRST_SEEN) == ["midlib", "alpha_50%", "zeta-fast"]
    assert listed(order=NameOrder.LAST_SEEN) == ["midlib", "zeta-fast", "alpha_50%"]
    assert listed(order=NameOrder.NAME, limit=1, offset=1) == ["midlib"]
    assert listed(search="FAST") == ["zeta-fast"]
    for wildcard in ("0%", "%", "_"):
        assert listed(search=wildcard) == ["alpha_50%"], "no wildcards"
    assert listed(search="!") == []


def test_new_inventions_are_those_first_seen_after_a_time_or_by_a_run(
    store: Store, clock: Clock
) -> None:
    first = log(store, make_answer("a", absent=("old",)))
    round_ended = clock.step(hours=1)
    clock.step(seconds=1)
    second = log(store, make_answer("b", absent=("old", "new", "newer")))
    assert store.ledger.count_new_inventions(round_ended) == 2
    assert store.ledger.count_new_inventions() == 3
    assert [store.ledger.count_new_of(run) for run in (first, second, 99)] == [1, 2, 0]


def test_what_is_unseen_is_estimated_of_one_model_with_one_adapter(store: Store) -> None:
    log(
        store,
        make_answer("a", absent=("one", "both"), number=0),
        make_answer("a", absent=("one",), number=1),
        make_answer("b", absent=("both",)),
        make_answer("c", real=("requests",)),
        make_answer("a", absent=("cured",), adapter="round-1"),
    )
    base = store.ledger.unseen("made-up-model", None)
    assert (base.families, base.answers, base.names, base.once, base.twice) == (3, 4, 2, 1, 1)
    assert base.chance == 2 / 4
    assert store.ledger.unseen("made-up-model", "round-1").answers == 1
    assert store.ledger.unseen("another", None).names == 0


def test_recheck_lists_absent_names_not_asked_about_lately(store: Store, clock: Clock) -> None:
    answer = make_answer(absent=("long-ago", "lately", "never", "decoy"))
    fake = answer.judged[3]
    fake = replace(fake, lookup=replace(fake.lookup, verdict=Verdict.SUSPECT, reason="decoy"))
    log(store, replace(answer, judged=(*answer.judged[:3], fake)))
    for name, age_h in (("long-ago", 30), ("lately", 1)):
        asked = clock() - timedelta(hours=age_h)
        store.lookups.put_lookup(Lookup(PYPI, name, Verdict.ABSENT, "", "", "live", asked))
    due = store.ledger.recheck_names(clock() - timedelta(days=1), 10)
    assert due == [(PYPI, "never"), (PYPI, "long-ago")]
    assert store.ledger.recheck_names(clock() - timedelta(days=1), 1) == due[:1]


def test_a_claimed_name_stays_claimed_and_raises_one_alarm(store: Store, clock: Clock) -> None:
    log(store, make_answer("a", absent=("ghost-a", "ghost-b")))
    at, first = clock(), clock() - timedelta(days=3)
    for name in ("ghost-a", "ghost-b"):
        store.ledger.mark_claimed(
            PYPI, name, at, first_released=first, uploader="me", evidence=name
        )
    store.ledger.mark_claimed(PYPI, "ghost-a", clock.step(days=1), uploader="another")
    store.ledger.mark_claimed(PYPI, "never-invented", clock())
    log(store, make_answer("b", absent=("ghost-a",)))
    found = store.ledger.get(PYPI, "ghost-a")
    assert found is not None
    assert (found.verdict, found.reason) == (Verdict.SUSPECT, SuspectReason.CLAIMED)
    assert (found.claimed_at, found.times_seen) == (at, 2)
    assert store.ledger.claimed() == 2
    store.reviews.add(PYPI, "ghost-a", Decision.IGNORE, "told the registry")
    assert (store.ledger.claimed(), store.ledger.claimed(undecided=True)) == (2, 1)
    assert store.ledger.recheck_names(clock() + timedelta(days=9), 10) == []

    newest, oldest = store.alarms.recent()
    assert (newest.name, oldest.name) == ("ghost-b", "ghost-a")
    assert (oldest.uploader, oldest.evidence, oldest.first_released) == ("me", "ghost-a", first)
    assert (oldest.at, oldest.times_seen, oldest.told) == (at, 2, ())
    assert store.alarms.recent(1) == [newest]
    store.alarms.mark_told(oldest.id, ["webhook", "command"])
    assert store.alarms.untold() == [newest]
    assert store.alarms.recent()[1].told == ("webhook", "command")


def test_fifty_thousand_names_are_listed_and_searched_in_few_steps(
    store: Store, path: Path, clock: Clock
) -> None:
    times = [(clock() + timedelta(seconds=n)).isoformat() for n in range(50_000)]
    with closing(sqlite3.connect(path)) as other, other:
        other.executemany(
            "INSERT INTO names (ecosystem, name, verdict, reason, times_seen, prompts, first_seen,"
            " last_seen) VALUES ('pypi', ?, 'ABSENT', 'not-registered', ?, 1, ?, ?)",
            ((f"ghost-{n}", n % 977, at, at) for n, at in enumerate(times)),
        )
    thousands: list[int] = []
    store.ledger._connection._db.conn.set_progress_handler(lambda: thousands.append(1), 1000)
    for order in NameOrder:
        thousands.clear()
        assert len(store.ledger.hallucinations(order=order)) == 100
        assert len(store.ledger.hallucinations(search="t-4999", order=order)) == 11
        # At most 1.7 million steps of SQLite's machine; a scan a row would take 2,500 million.
        assert len(thousands) < 10_000


def test_the_newest_verdict_is_cached(store: Store, clock: Clock) -> None:
    cache: LookupCache = store.lookups
    absent = Lookup(
        Ecosystem.NPM, "@scope/Lib", Verdict.ABSENT, "not-registered", "404", "live", clock()
    )
    assert cache.get_lookup(Ecosystem.NPM, "@scope/Lib") is None
    cache.put_lookup(absent)
    assert cache.get_lookup(Ecosystem.NPM, "@scope/Lib") == absent
    assert cache.get_lookup(PYPI, "@scope/Lib") is None
    assert cache.get_lookup(Ecosystem.NPM, "@scope/lib") is None
    at = clock.step(seconds=1)
    real = replace(
        absent, verdict=Verdict.REAL, looked_up_at=at, first_released=at, validator="0.1 etag"
    )
    cache.put_lookup(real)
    cache.put_lookup(absent)
    assert cache.get_lookup(Ecosystem.NPM, "@scope/Lib") == real


@pytest.fixture
def names(store: Store) -> list[str]:
    """25 names, seen more often the higher their number."""
    made = [f"ghost-{n:02d}" for n in range(25)]
    for number in range(5):
        log(store, make_answer(f"task {number}", absent=tuple(made[5 * number :])))
    store.tallies.refresh_repeats()
    return made


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("search", ["", "T-1", "100%", "gh_st", "no such"])
def test_pages_together_are_the_whole(store: Store, search: str) -> None:
    for order in NameOrder:
        whole = store.ledger.hallucinations(search=search, order=order, limit=-1)
        pages = [
            store.ledger.page(search=search, order=order, limit=10, offset=offset)
            for offset in (0, 10, 20)
        ]
        assert [line.name for page in pages for line in page.lines] == whole
        assert {page.found for page in pages} == {len(whole)}


def test_a_search_that_finds_many_is_paged_like_one_that_finds_few(
    store: Store, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.reviews.add(PYPI, names[20], Decision.IGNORE, "noise")
    few = [store.ledger.page(search="t-", order=o, limit=7, offset=7) for o in NameOrder]
    monkeypatch.setattr(names_module, "FEW", 3)
    many = [store.ledger.page(search="t-", order=o, limit=7, offset=7) for o in NameOrder]
    assert many == few
    assert {page.found for page in few} == {24}
    assert store.ledger.page(search="t-", ignored=True, offset=100).found == 25


def test_what_is_ignored_is_listed_only_if_asked_for(store: Store, names: list[str]) -> None:
    store.reviews.add(PYPI, names[3], Decision.IGNORE, "noise")
    store.reviews.add(PYPI, names[4], Decision.ACCEPT, "yes")
    assert store.ledger.page().found == store.ledger.page(search="ghost").found == 24
    everything = store.ledger.page(ignored=True)
    assert everything.found == 25
    reviews = {line.name.name: line.review for line in everything.lines if line.review}
    assert reviews == {names[3]: Decision.IGNORE, names[4]: Decision.ACCEPT}


@pytest.mark.usefixtures("names")
def test_orders_need_no_sorting(store: Store) -> None:
    """Each count's and time's order is that of an index, so a page reads no other names."""
    for order in set(NameOrder) - {NameOrder.REPEATS}:
        plan = store.ledger._connection.rows(
            f"EXPLAIN QUERY PLAN {_NAMES} ORDER BY {_ORDER_BY[order]} LIMIT 10", {"adapter": ""}
        )
        assert not [row for row in plan if "TEMP B-TREE FOR ORDER BY" in row["detail"]], order


def test_all_that_is_known_of_a_name(store: Store, names: list[str], clock: Clock) -> None:
    name = names[-1]
    store.reviews.add(PYPI, name, Decision.ACCEPT, "yes")
    store.ledger.mark_claimed(PYPI, name, clock())
    asked = Lookup(PYPI, name, Verdict.REAL, "registered", "200", "live", clock())
    store.lookups.put_lookup(asked)
    known = store.ledger.details(PYPI, name)
    assert known is not None
    assert known.name == store.ledger.get(PYPI, name)
    assert known.contexts == ("code",)
    assert len(known.samples) == known.name.times_seen == 5
    assert known.alarm == store.alarms.recent()[0]
    assert list(known.reviews) == store.reviews.recent()
    assert known.lookup == asked
    other = store.ledger.details(PYPI, names[0])
    assert other is not None
    assert (other.alarm, other.lookup, other.reviews) == (None, None, ())
    assert store.ledger.details(PYPI, "no such") is None


def test_the_last_decision_counts_and_all_stay(
    store: Store, names: list[str], clock: Clock
) -> None:
    store.reviews.add(PYPI, names[0], Decision.IGNORE, "noise")
    clock.step(minutes=1)
    store.reviews.add(PYPI, names[0], Decision.ALLOW, "ours")
    decisions = [(review.decision, review.reason) for review in store.reviews.recent()]
    assert decisions == [(Decision.ALLOW, "ours"), (Decision.IGNORE, "noise")]
    assert store.reviews.recent(1)[0].at == clock()
    assert store.reviews.allowed() == {(PYPI, names[0])}
    store.reviews.add(PYPI, names[0], Decision.REOPEN, "not ours")
    assert store.reviews.allowed() == frozenset()
    assert {line.review for line in store.ledger.page().lines} == {None}
    with pytest.raises(StoreError, match="no name 'no such'"):
        store.reviews.add(PYPI, "no such", Decision.ACCEPT, "why")
    assert len(store.reviews.recent()) == 3


def test_what_is_allowed_is_unknown_to_training_and_as_it_was_to_its_run(store: Store) -> None:
    run_id = log(store, make_answer(absent=("ghost",)))
    store.reviews.add(PYPI, "ghost", Decision.ALLOW, "ours")
    (trains,) = store.answers.read()
    assert trains.invented == []
    assert [one.lookup.reason for one in trains.judged if one.lookup.name == "ghost"] == ["allowed"]
    (ran,) = store.answers.read(run_id=run_id)
    assert ran.names(Verdict.ABSENT) == ["ghost"]
