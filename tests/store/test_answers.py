"""Answers come back as they went in, once each, judged as their run judged them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ghostbust.errors import StoreError
from ghostbust.records import Answer, Ecosystem, Judged, PackageRef, RefKind, Verdict
from ghostbust.store.answers import PAGE_ROWS
from ghostbust.store.store import Store
from tests.store.conftest import Clock, log, make_answer


def counts(path: Path, *tables: str) -> dict[str, int]:
    """The number of rows of each table, as another connection sees them."""
    with closing(sqlite3.connect(path)) as other:
        return {
            table: other.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
        }


def test_answers_come_back_as_they_were(store: Store) -> None:
    answer = make_answer(absent=("ghostlib",), real=("requests",))
    builtin = Judged(
        PackageRef(Ecosystem.PYPI, RefKind.IMPORT, "os.path", 0, 3, None, "os.path", builtin=True),
        replace(
            answer.judged[0].lookup,
            name="os",
            verdict=Verdict.BUILTIN,
            reason="standard-library",
            source="builtin",
        ),
    )
    prompt = replace(
        answer.sample.prompt, domain="maps", parent="feedfacefeedface", operator="narrow"
    )
    whole = Answer(replace(answer.sample, prompt=prompt, truncated=True), (*answer.judged, builtin))
    names_nothing = make_answer("nothing")
    run_id = log(store, whole, names_nothing)
    both = sorted((whole, names_nothing), key=lambda answer: answer.sample.id)
    assert list(store.answers.read(run_id=run_id)) == list(store.answers.read()) == both


def test_adding_the_same_answers_again_changes_nothing(store: Store, path: Path) -> None:
    tables = ("prompts", "samples", "run_samples", "refs", "verdicts", "names", "sightings")
    run_id = log(store, make_answer(absent=("ghostlib",)))
    before = counts(path, *tables), store.ledger.hallucinations()
    store.answers.add(run_id, [make_answer(absent=("ghostlib",))])
    assert (counts(path, *tables), store.ledger.hallucinations()) == before


def test_a_sample_of_two_runs_is_one_row_with_two_links(store: Store, path: Path) -> None:
    answer = make_answer(absent=("ghostlib",), real=("requests",))
    runs = log(store, answer), log(store, answer, make_answer(number=1))
    assert counts(path, "samples", "refs", "run_samples") == {
        "samples": 2, "refs": 2, "run_samples": 3,
    }  # fmt: skip
    assert list(store.answers.read(run_id=runs[0])) == [answer]
    assert len(list(store.answers.read(run_id=runs[1]))) == len(list(store.answers.read())) == 2
    prompt = answer.sample.prompt.id
    keys = [store.answers.sampled_keys(run_id) for run_id in runs]
    assert keys == [{(prompt, 0)}, {(prompt, 0), (prompt, 1)}], "what a run still lacks"


def test_each_run_keeps_its_own_verdicts_on_a_sample(store: Store) -> None:
    then, now = make_answer(absent=("lib",)), make_answer(real=("lib",), source="snapshot:later")
    assert then.sample.id == now.sample.id
    first, second = log(store, then), log(store, now)
    assert list(store.answers.read(run_id=first)) == [then]
    assert list(store.answers.read(run_id=second)) == [now]
    assert list(store.answers.read()) == [now], "without a run, the last judgement counts"
    assert store.answers.latest(then.sample.id) == now
    assert store.answers.latest("no such") is None
    (line,) = store.answers.page()
    assert (line.real, line.invented) == (1, 0)


def test_a_live_verdict_is_dated_and_others_are_not(store: Store, clock: Clock, path: Path) -> None:
    for source in ("live", "builtin"):
        for _ in range(2):
            at = clock.step(minutes=5) - timedelta(microseconds=1)
            log(store, make_answer(absent=("lib",), source=source, looked_up_at=at))
            if source == "live":
                (read,) = store.answers.read()
                assert read.judged[0].lookup.looked_up_at == at
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT source, count(*) FROM verdicts GROUP BY source").fetchall()
    assert dict(rows) == {"live": 2, "builtin": 1}


def test_reading_is_restricted_by_adapter_model_and_family(store: Store) -> None:
    base, tuned = make_answer("a"), make_answer("b", adapter="round-1")
    log(store, base, tuned)
    assert list(store.answers.read(adapters=[None])) == [base]
    assert list(store.answers.read(adapters=["round-1"])) == [tuned]
    assert len(list(store.answers.read(adapters=[None, "round-1"]))) == 2
    assert list(store.answers.read(families=["family-b"])) == [tuned]
    assert list(store.answers.read(families=[])) == []
    assert list(store.answers.read(model="another")) == []
    assert len(list(store.answers.read(model="made-up-model"))) == 2


def test_reading_pages_through_everything_in_an_order_that_only_the_data_decides(
    store: Store,
) -> None:
    answers = [make_answer(str(n), absent=("ghostlib",)) for n in range(PAGE_ROWS + 3)]
    run_id = log(store, *answers)
    read = list(store.answers.read(run_id=run_id))
    assert read == sorted(answers, key=lambda answer: answer.sample.id)


def test_writing_is_possible_between_two_answers_that_are_read(store: Store, path: Path) -> None:
    run_id = log(store, make_answer("a"), make_answer("b"))
    reading = store.answers.read()
    next(reading)
    with Store.open(path) as other:
        other.answers.add(run_id, [make_answer("c")])
    store.answers.add(run_id, [make_answer("d")])
    assert next(reading)


def test_a_private_prompt_leaves_ids_and_names_but_no_text(store: Store, path: Path) -> None:
    answer = make_answer(absent=("ghostlib",), private=True)
    run_id = log(store, answer)
    assert list(store.answers.read()) == []
    assert store.answers.page() == []
    assert store.answers.latest(answer.sample.id) is None
    assert store.prompts.get(answer.sample.prompt.id) is None
    assert store.answers.sampled_keys(run_id) == {(answer.sample.prompt.id, 0)}
    assert [found.name for found in store.ledger.hallucinations()] == ["ghostlib"]
    store.close()
    assert answer.sample.prompt.text.encode() not in path.read_bytes()


def test_a_private_text_is_kept_when_asked_also_for_a_known_prompt(
    store: Store, path: Path
) -> None:
    answer = make_answer(private=True)
    run_id = log(store, answer)
    with Store.open(path, keep_private=True) as keeping:
        keeping.answers.add(run_id, [answer])
    assert list(store.answers.read()) == [answer]
    store.answers.add(run_id, [answer])
    assert list(store.answers.read()) == [answer], "not keeping doesn't forget"


def test_a_models_answers_to_a_prompt(store: Store) -> None:
    own = [make_answer(absent=("ghostlib",), number=n) for n in (1, 0)]
    private = make_answer("own", private=True)
    log(store, *own, make_answer(adapter="round-0001-aa", number=2), private)

    def of(answer: Answer, adapter: str | None = None) -> list[int]:
        found = store.answers.of_prompt(
            answer.sample.prompt.id, model="made-up-model", adapter=adapter
        )
        return [sample.number for sample in found]

    assert of(own[0]) == [1, 0]
    assert of(own[0], "round-0001-aa") == [2]
    assert of(private) == []


def test_pages_list_the_newest_answers_first_with_their_counts(store: Store) -> None:
    answers = [
        make_answer("a", absent=("ghost", "spook"), real=("requests",)),
        make_answer("b", real=("requests",)),
        make_answer("c", absent=("ghost",)),
    ]
    log(store, *answers)
    a, b, c = (one.sample.id for one in answers)
    assert [line.sample_id for line in store.answers.page()] == [c, b, a]
    assert [line.sample_id for line in store.answers.page(invented=True)] == [c, a]
    assert [line.sample_id for line in store.answers.page(limit=1, offset=1)] == [b]
    named = store.answers.page(name=(Ecosystem.PYPI, "spook"))
    assert [(line.invented, line.real, line.unknown) for line in named] == [(2, 1, 0)]


def test_an_error_half_way_leaves_nothing_of_the_batch(store: Store, path: Path) -> None:
    good = make_answer("a", absent=("ghostlib",))
    naive_at = good.judged[0].lookup.looked_up_at.replace(tzinfo=None)
    with pytest.raises(ValueError, match="no time zone"):
        log(store, good, make_answer("b", absent=("other",), looked_up_at=naive_at))
    assert set(counts(path, "prompts", "samples", "refs", "names").values()) == {0}
    log(store, good)


def test_answers_of_an_unknown_run_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.answers.add(99, [make_answer()])


def test_verdicts_on_answers_stay_out_of_the_registries_cache(store: Store) -> None:
    """They may have been changed since they were asked for, by what the import or summary said."""
    log(store, make_answer(absent=("ghostlib",), source="live"))
    assert store.lookups.get_lookup(Ecosystem.PYPI, "ghostlib") is None


KILLED_WRITER = """
import sys
from pathlib import Path
from ghostbust.records import Answer, Context, Ecosystem, Judged, Lookup, PackageRef
from ghostbust.records import Prompt, RefKind, Sample, Verdict, utc_now
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store

def answer(batch, number):
    name = f"ghost-{batch}-{number}"
    ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, name, 0, len(name), name)
    lookup = Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "r", "e", "live", utc_now())
    prompt = Prompt(f"{batch}", Context.CODE, Ecosystem.PYPI, "family")
    return Answer(Sample(prompt, name, "m", None, 0, number, 0.7, False, 1), (Judged(ref, lookup),))

store = Store.open(Path(sys.argv[1]))
run_id = store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 0))
for batch in range(10_000):
    print(batch, flush=True)
    store.answers.add(run_id, [answer(batch, number) for number in range(200)])
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.011, 0.023])
def test_kill_9_in_the_middle_of_a_batch_leaves_whole_batches_only(
    path: Path, delay_s: float
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        while (line := writer.stdout.readline()).strip() != "3":
            assert line, "the writer ended by itself"
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(delay_s)
        writer.kill()
    with Store.open(path) as store:
        assert store.mark_interrupted() == 1
        answers = list(store.answers.read())
        per_batch = Counter(answer.sample.prompt.text for answer in answers)
        assert set(per_batch.values()) == {200}
        assert {"0", "1", "2"} <= set(per_batch), "what add() returned from is there"
        assert store.ledger.count_new_inventions() == len(answers)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert other.execute("PRAGMA foreign_key_check").fetchall() == []
