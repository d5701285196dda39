"""Counts, inventions and the place in the log are kept together; clean answers are no rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.errors import StoreError
from ghostbust.measure import Key, NameCounts
from ghostbust.records import Answer
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from ghostbust.store.traffic import LoggedAnswer, LoggedPart, ReadFile
from tests.store.conftest import SPEC, Clock, make_answer

KEY = Key("made-up-model", None, "code", 3)
FILE = ReadFile(None, "/logs/a.log", 1, 2, 10, "head", "tail", 10, 2)


@pytest.fixture
def run_id(store: Store) -> int:
    return store.runs.start(replace(SPEC, kind=RunKind.INGEST))


def logged(answer: Answer, line: int = 1) -> LoggedAnswer:
    return LoggedAnswer(answer, line, None)


def count(store: Store, table: str) -> int:
    rows = store._connection.rows(f"SELECT count(*) AS n FROM {table}")
    return int(rows[0]["n"])


def test_counts_add_up_and_come_back(store: Store, run_id: int) -> None:
    other = Key("made-up-model", "round-1", "helps", 3)
    store.traffic.add([LoggedPart(run_id, {KEY: NameCounts(5, 4, 1, 0, 2)}, [])], None)
    more = LoggedPart(run_id, {KEY: NameCounts(1, 1, 0, 1, 0), other: NameCounts(1)})
    store.traffic.add([more], None)
    assert store.traffic.tally(run_id) == {KEY: NameCounts(6, 5, 1, 1, 2), other: NameCounts(1)}
    assert count(store, "samples") == 0


def test_a_file_is_found_by_its_head(store: Store, run_id: int, clock: Clock) -> None:
    file = store.traffic.number(FILE)
    assert store.traffic.find(10, "head") == []
    assert store.traffic.last_read(FILE.path) is None
    store.traffic.add([], file)
    assert store.traffic.find(10, "head") == [file]
    assert store.traffic.find(11, "head") == []
    assert store.traffic.head_sizes() == [10]
    assert store.traffic.last_read(FILE.path) == clock()
    moved = replace(file, path="/logs/a.log.1", inode=9, offset=20, head_bytes=20, head="more")
    store.traffic.add([], moved)
    assert store.traffic.find(20, "more") == [moved]
    assert store.traffic.find(10, "head") == []


def test_inventions_have_rows_that_say_where_they_stand(store: Store, run_id: int) -> None:
    file = store.traffic.number(FILE)
    answers = [make_answer(number=n, absent=("zz", "yy")[: n + 1], private=True) for n in range(2)]
    batch = [logged(answer, 7 + n) for n, answer in enumerate(answers)]
    for _ in range(2):
        store.traffic.add([LoggedPart(run_id, {KEY: NameCounts(2, 0, 3)}, batch)], file)
    rows = store._connection.rows("SELECT * FROM ingest_lines ORDER BY line")
    assert [(row["sample_id"], row["file_id"], row["line"]) for row in rows] == [
        (answer.sample.id, file.id, 7 + n) for n, answer in enumerate(answers)
    ]
    assert [(h.name, h.times_seen) for h in store.ledger.hallucinations()] == [("zz", 2), ("yy", 1)]
    assert [(n.name, n.answers) for n in store.traffic.named_most([run_id], 9)] == [
        ("zz", 2), ("yy", 1),
    ]  # fmt: skip
    assert len(store.traffic.named_most([run_id], 1)) == 1


def test_all_or_nothing(store: Store, run_id: int) -> None:
    file = store.traffic.number(FILE)
    broken = replace(file, offset=99, tail=None)  # type: ignore[arg-type]
    part = LoggedPart(run_id, {KEY: NameCounts(1)}, [logged(make_answer(absent=("zz",)))])
    with pytest.raises(StoreError):
        store.traffic.add([part], broken)
    with pytest.raises(StoreError):
        store.traffic.add([part, replace(part, run_id=77)], file)
    assert store.traffic.find(10, "head") == []
    assert store.traffic.tally(run_id) == {}
    assert count(store, "samples") == count(store, "names") == 0


def test_what_was_ingested_never_trains(path: Path) -> None:
    with Store.open(path, keep_private=True) as store:
        ingest = store.runs.start(replace(SPEC, kind=RunKind.INGEST))
        sweep = store.runs.start(SPEC)
        drawn, read = make_answer(number=1, absent=("zz",)), make_answer(number=2, absent=("zz",))
        store.answers.add(sweep, [drawn])
        store.traffic.add([LoggedPart(ingest, {}, [logged(read)])], None)
        assert list(store.answers.read()) == [drawn]
        assert list(store.answers.read(run_id=ingest)) == [read]


def test_a_prompt_that_nobody_knows_has_no_text(path: Path) -> None:
    with Store.open(path, keep_private=True) as store:
        run_id = store.runs.start(replace(SPEC, kind=RunKind.INGEST))
        answer = make_answer(absent=("zz",), private=True)
        prompt = replace(answer.sample.prompt, text="")
        nameless = replace(answer, sample=replace(answer.sample, prompt=prompt))
        store.traffic.add([LoggedPart(run_id, {}, [logged(nameless)])], None)
        assert store.prompts.get(prompt.id) is None
        assert store.prompts.families([prompt.id]) == {prompt.id: prompt.family}
