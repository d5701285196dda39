"""The ledger counts samples and prompts once, lists fast, and remembers claims."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.records import Ecosystem, Hallucination, Lookup, SuspectReason, Verdict
from ghostbust.store.rows import NameOrder, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer


def test_a_name_counts_samples_and_distinct_prompts(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    first_seen = clock()
    store.answers.add(
        run_id, [make_answer(task="a", absent=("ghostlib",), real=("requests",), number=0)]
    )
    last_seen = clock.step(hours=2)
    store.answers.add(
        run_id,
        [
            make_answer(task="a", absent=("ghostlib",), number=1),
            make_answer(task="b", absent=("ghostlib",)),
        ],
    )
    assert store.ledger.hallucinations() == [
        Hallucination(
            ecosystem=Ecosystem.PYPI,
            name="ghostlib",
            verdict=Verdict.ABSENT,
            reason="not-registered",
            times_seen=3,
            prompts=2,
            first_seen=first_seen,
            last_seen=last_seen,
        )
    ]


def test_unknown_and_builtin_names_are_never_logged(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    answer = make_answer(absent=("a", "b"))
    for judged, verdict in zip(answer.judged, (Verdict.UNKNOWN, Verdict.BUILTIN), strict=True):
        changed = replace(judged, lookup=replace(judged.lookup, verdict=verdict))
        store.answers.add(store.runs.start(spec), [replace(answer, judged=(changed,))])
    assert store.ledger.hallucinations() == []


def test_names_are_searched_ordered_and_paged(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    for number, names in enumerate([("zeta-fast",), ("zeta-fast", "alpha_50%"), ("midlib",)]):
        clock.step(hours=1)
        store.answers.add(run_id, [make_answer(task=str(number), absent=names)])

    def listed(**query: object) -> list[str]:
        return [found.name for found in store.ledger.hallucinations(**query)]  # type: ignore[arg-type]

    assert listed() == ["zeta-fast", "alpha_50%", "midlib"]
    assert listed(order=NameOrder.PROMPTS) == ["zeta-fast", "alpha_50%", "midlib"]
    assert listed(order=NameOrder.NAME) == ["alpha_50%", "midlib", "zeta-fast"]
    assert listed(order=NameOrder.FIRST_SEEN) == ["midlib", "alpha_50%", "zeta-fast"]
    assert listed(order=NameOrder.LAST_SEEN) == ["midlib", "zeta-fast", "alpha_50%"]
    assert listed(order=NameOrder.NAME, limit=1, offset=1) == ["midlib"]
    assert listed(search="FAST") == ["zeta-fast"]
    assert listed(search="0%") == ["alpha_50%"], "no wildcards"
    assert listed(search="%") == ["alpha_50%"]


def test_new_inventions_are_those_first_seen_after_a_time(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(run_id, [make_answer(task="a", absent=("old",))])
    round_ended = clock.step(hours=1)
    clock.step(seconds=1)
    store.answers.add(run_id, [make_answer(task="b", absent=("old", "new"))])
    assert store.ledger.count_new_inventions(round_ended) == 1
    assert store.ledger.count_new_inventions() == 2


def test_a_run_is_told_which_names_it_was_the_first_to_see(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    first = store.runs.start(spec)
    store.answers.add(first, [make_answer(task="a", absent=("old",))])
    clock.step(hours=1)
    second = store.runs.start(replace(spec, seed=8))
    store.answers.add(second, [make_answer(task="b", absent=("old", "new", "newer"))])
    assert store.ledger.count_new_of(first) == 1
    assert store.ledger.count_new_of(second) == 2
    assert store.ledger.count_new_of(99) == 0


def test_known_are_the_names_that_are_logged(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    store.answers.add(store.runs.start(spec), [make_answer(absent=("ghostlib",))])
    asked = ["ghostlib", "requests"]
    assert store.ledger.known(Ecosystem.PYPI, asked) == {"ghostlib"}
    assert store.ledger.known(Ecosystem.NPM, asked) == set()


def test_one_name_is_found_by_all_of_it(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    store.answers.add(store.runs.start(spec), [make_answer(absent=("ghostlib", "ghost"))])
    found = store.ledger.get(Ecosystem.PYPI, "ghost")
    assert found is not None
    assert (found.name, found.times_seen) == ("ghost", 1)
    assert store.ledger.get(Ecosystem.NPM, "ghost") is None


def test_what_is_unseen_is_told_of_one_model_with_one_adapter(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(
        run_id,
        [
            make_answer(task="a", absent=("one", "both"), number=0),
            make_answer(task="a", absent=("one",), number=1),
            make_answer(task="b", absent=("both",)),
            make_answer(task="c", real=("requests",)),
            make_answer(task="a", absent=("cured",), adapter="round-1"),
        ],
    )
    base = store.ledger.unseen("made-up-model", None)
    assert (base.families, base.answers, base.names, base.once, base.twice) == (3, 4, 2, 1, 1)
    assert base.chance == 2 / 4
    assert store.ledger.unseen("made-up-model", "round-1").answers == 1
    assert store.ledger.unseen("another", None).names == 0


def test_recheck_lists_absent_names_not_asked_about_lately(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    answer = make_answer(absent=("long-ago", "lately", "never", "decoy"))
    fake = answer.judged[3]
    fake = replace(fake, lookup=replace(fake.lookup, verdict=Verdict.SUSPECT, reason="decoy"))
    store.answers.add(store.runs.start(spec), [replace(answer, judged=(*answer.judged[:3], fake))])
    for name, age_h in (("long-ago", 30), ("lately", 1)):
        asked = clock() - timedelta(hours=age_h)
        store.lookups.put_lookup(
            Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "", "live", asked)
        )
    due = store.ledger.recheck_names(clock() - timedelta(days=1), 10)
    assert due == [(Ecosystem.PYPI, "never"), (Ecosystem.PYPI, "long-ago")]
    assert store.ledger.recheck_names(clock() - timedelta(days=1), 1) == due[:1]


def test_a_claimed_name_stays_claimed(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    store.answers.add(run_id, [make_answer(task="a", absent=("ghostlib",))])
    claimed_at = clock.step(days=1)
    store.ledger.mark_claimed(Ecosystem.PYPI, "ghostlib", claimed_at)
    store.ledger.mark_claimed(Ecosystem.PYPI, "ghostlib", clock.step(days=1))
    store.ledger.mark_claimed(Ecosystem.PYPI, "never-invented", claimed_at)
    store.answers.add(run_id, [make_answer(task="b", absent=("ghostlib",))])
    (found,) = store.ledger.hallucinations()
    assert (found.verdict, found.reason) == (Verdict.SUSPECT, SuspectReason.CLAIMED)
    assert found.claimed_at == claimed_at
    assert found.times_seen == 2
    assert store.ledger.recheck_names(clock() + timedelta(days=9), 10) == []


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
