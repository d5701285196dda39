"""From a log to the store: counted once, rows for inventions only, texts only where asked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ghostbust.config import Config, load_config, override
from ghostbust.errors import BusyError
from ghostbust.home import Home
from ghostbust.loop.ingest.run import Ingested, ServedModels, ingest, known_families, open_logs
from ghostbust.prompts import seed_tasks, side_of
from ghostbust.records import (
    Candidate,
    Context,
    Ecosystem,
    Lookup,
    Prompt,
    Side,
    Verdict,
    content_id,
)
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store

INVENTED = "pip install zz-quux-sensorlib requests"
CLEAN = "pip install requests numpy"


def write(path: Path, *records: object, mode: str = "a") -> Path:
    with path.open(mode) as stream:
        stream.writelines(
            f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records
        )
    return path


@pytest.fixture
def config(home: Home) -> Config:
    config = load_config(None, home, trust_here=False)
    return override(config, ingest__workers=0, registry__mode="snapshot", ingest__poll_s=0.01)


Read = Callable[..., Ingested]


@pytest.fixture
def read(home: Home, config: Config) -> Read:
    def run(*paths: Path, **options: Any) -> Ingested:
        with open_logs(home, override(config, **options)) as session:
            return ingest(session, paths)

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(
        tmp_path / "app.log",
        {"completion": INVENTED, "prompt": "Read the sensor."},
        {"completion": CLEAN, "prompt": "Fetch it."},
        {"completion": "Hello.", "prompt": "Hello?"},
        "no json",
    )


def count(store: Store, table: str) -> int:
    return int(store._connection.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])


def test_the_whole_way(read: Read, log: Path, store: Store) -> None:
    result = read(log)
    assert (result.lines, result.completions, result.inventing) == (4, 3, 1)
    assert result.skipped.first == (4, "no JSON in UTF-8")
    assert result.first_skipped_in == str(log)
    assert [(one.name, one.answers) for one in result.named] == [("zz-quux-sensorlib", 1)]
    run = store.runs.get(result.run_id or 0)
    assert (run.spec.kind, run.status) == (RunKind.INGEST, RunStatus.DONE)
    measured = run.measurement
    assert measured == result.measurement
    assert measured is not None
    assert (measured.answers, measured.real, measured.absent) == (3, 3, 1)
    assert measured.volume == 1.0
    assert store.runs.rates()[0].volume == 1.0
    assert [(h.name, h.times_seen, h.prompts) for h in store.ledger.hallucinations()] == [
        ("zz-quux-sensorlib", 1, 1)
    ]
    assert count(store, "samples") == count(store, "prompts") == 1


def test_the_second_time_there_is_nothing_new(read: Read, log: Path, store: Store) -> None:
    read(log)
    again = read(log)
    assert (again.lines, again.run_id, again.measurement) == (0, None, None)
    assert count(store, "runs") == 1
    moved = log.rename(log.with_name("app.log.1"))
    packed = log.with_name("copy.gz")
    packed.write_bytes(gzip.compress(moved.read_bytes()))
    assert read(moved, packed).lines == 0
    write(moved, {"completion": INVENTED, "prompt": "Read the sensor."})
    assert read(moved).inventing == 1
    assert store.ledger.hallucinations()[0].times_seen == 2


def test_equal_lines_are_answers_of_their_own_unless_they_have_an_id(
    read: Read, tmp_path: Path, store: Store
) -> None:
    same = {"completion": INVENTED, "prompt": "Read the sensor."}
    read(write(tmp_path / "a.log", same, same))
    assert store.ledger.hallucinations()[0].times_seen == 2
    named = {**same, "id": "r1"}
    read(write(tmp_path / "b.log", named, named))
    read(write(tmp_path / "c.log", {"note": "another file"}, named))
    assert store.ledger.hallucinations()[0].times_seen == 3


def test_texts_are_kept_only_if_asked(read: Read, log: Path, store: Store, tmp_path: Path) -> None:
    read(log)
    for table in ("prompts", "samples"):
        rows = store._connection.rows(f"SELECT text FROM {table}")
        assert [row["text"] for row in rows] == [None]
    other = write(tmp_path / "b.log", {"completion": INVENTED, "prompt": "Plot the sensor."})
    kept = read(other, prompts__keep=True)
    [answer] = store.answers.read(run_id=kept.run_id)
    assert (answer.sample.prompt.text, answer.sample.text) == ("Plot the sensor.", INVENTED)
    assert store.prompts.get(answer.sample.prompt.id) == answer.sample.prompt
    assert b"Read the sensor" not in b"".join(
        path.read_bytes() for path in tmp_path.glob("home/ghostbust.db*")
    )


def test_a_prompt_stays_on_the_side_that_it_has(read: Read, tmp_path: Path, store: Store) -> None:
    """Drawn from its text, but for what ghostbust asks itself: that stays in its family."""
    held_out = next(t for t in seed_tasks() if side_of(t.id, 0.25) is Side.HOLDOUT)
    asked = Prompt("Say it.", Context.NEEDS, held_out.ecosystem, held_out.id)
    store.prompts.add([asked])
    texts = ["Read the sensor.", held_out.text, held_out.prompt(Context.CODE).text, asked.text]
    lines: list[dict[str, Any]] = [{"completion": INVENTED, "prompt": text} for text in texts]
    asking = [{"role": "user", "content": held_out.text}]
    told = [*asking, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": "More."}]
    lines.append({"completion": INVENTED, "messages": told})
    read(write(tmp_path / "a.log", *lines))
    families = [row.family for row in store.prompts.pool()]
    assert sorted(families) == sorted([content_id("Read the sensor."), *[held_out.id] * 4])


def test_what_a_model_answered_is_a_run_of_that_model(
    read: Read, tmp_path: Path, store: Store
) -> None:
    lines = [
        {"completion": INVENTED, "prompt": "Read.", "model": "acme-1"},
        {"completion": CLEAN, "model": "acme-1", "adapter": "round-1"},
        {"completion": CLEAN, "model": "acme-2"},
    ]
    log = write(tmp_path / "a.log", *lines)
    result = read(log, model__name="configured", prompts__keep=True)
    runs = {(run.spec.model, run.spec.adapter): run for run in store.runs.recent()}
    assert set(runs) == {("acme-1", None), ("acme-1", "round-1"), ("acme-2", None)}
    assert {who: run.id for who, run in runs.items()} == result.runs
    assert {who: run.measurement for who, run in runs.items()} == result.by_model
    assert {(p.model, p.adapter): p.rate for p in store.runs.rates()} == {
        ("acme-1", None): 0.5, ("acme-1", "round-1"): 0.0, ("acme-2", None): 0.0,
    }  # fmt: skip
    [answer] = store.answers.read(run_id=result.runs["acme-1", None])
    assert (answer.sample.model, answer.sample.adapter) == ("acme-1", None)


def test_an_interrupted_run_is_ended_though_its_model_never_comes_again(
    read: Read, tmp_path: Path, store: Store, config: Config
) -> None:
    read(write(tmp_path / "a.log", {"completion": CLEAN, "model": "gone"}))
    with store._connection.write() as connection:
        connection.execute("UPDATE runs SET status = 'interrupted', measurement = NULL")
    result = read(write(tmp_path / "b.log", {"completion": CLEAN, "model": "here"}))
    assert [run.status for run in store.runs.recent()] == [RunStatus.DONE] * 2
    assert {who: m.answers for who, m in result.by_model.items()} == {
        ("gone", None): 1, ("here", None): 1,
    }  # fmt: skip


def test_models_beyond_the_limit_are_one(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ghostbust.loop.ingest.run.MOST_MODELS", 2)
    lines = [{"completion": CLEAN, "model": f"m{n}"} for n in range(9)]
    result = read(write(tmp_path / "a.log", *lines))
    assert sorted(m.answers for m in result.by_model.values()) == [1, 1, 7]


def test_what_was_interrupted_is_gone_on_with(
    home: Home, config: Config, tmp_path: Path, store: Store
) -> None:
    log = write(tmp_path / "a.log", *[{"completion": INVENTED, "prompt": "A"}] * 3)

    class Broken:
        def begin(self, what: str) -> None: ...
        def step(self, number: int, of: int, loss: float) -> None: ...
        def advance(self, done: int, total: int) -> None:
            raise KeyboardInterrupt

    stop = override(config, ingest__workers=0)
    more = write(tmp_path / "b.log", *[{"completion": CLEAN}] * 2)
    with open_logs(home, stop) as session, pytest.raises(KeyboardInterrupt):
        ingest(session, [log, more], listener=Broken())
    assert store.runs.recent()[0].status is RunStatus.INTERRUPTED
    with open_logs(home, config) as session:
        result = ingest(session, [log, more])
    assert result.lines == 2
    assert result.measurement is not None
    assert (result.measurement.answers, result.measurement.absent) == (5, 3)
    assert [run.status for run in store.runs.recent()] == [RunStatus.DONE]


def test_open_answers_are_judged_by_the_sessions_judge(
    home: Home, config: Config, tmp_path: Path
) -> None:
    """Live answers come from the cache here: what isn't in it would be asked for."""
    with Store.open(home.database) as store:
        for name, verdict in (("zz-quux-sensorlib", Verdict.ABSENT), ("requests", Verdict.REAL)):
            store.lookups.put_lookup(
                Lookup(Ecosystem.PYPI, name, verdict, "r", "e", "live", datetime.now(UTC))
            )
    log = write(tmp_path / "a.log", {"completion": INVENTED}, {"completion": "Hello."})
    with open_logs(home, override(config, registry__mode="live")) as session:
        result = ingest(session, [log])
    assert result.measurement is not None
    assert (result.measurement.answers, result.measurement.real, result.inventing) == (2, 1, 1)


def test_one_process_reads_logs_and_others_may_work_beside_it(home: Home, config: Config) -> None:
    with (
        open_logs(home, config),
        home.exclusive("round"),
        pytest.raises(BusyError),
        open_logs(home, config),
    ):
        pytest.fail("two read at once")


def test_followed_until_it_is_told_to_stop(home: Home, config: Config, log: Path) -> None:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        if asked == 10:
            write(log, {"completion": CLEAN})
        return asked > 30

    with open_logs(home, config) as session:
        result = ingest(session, [log], follow=True, stopped=stopped)
    assert (result.lines, result.completions) == (5, 4)


def test_an_adapters_name_in_place_of_a_model(home: Home, config: Config) -> None:
    served = override(config, model__endpoint_model="served")
    with open_logs(home, served) as session:
        round_id = session.store.rounds.start(model="smollm2", method="au", seed=0, settings={})
        candidate = Candidate("round-1", Path("/a"), "smollm2", "au", 0, 1, 0.0, 0.0)
        session.store.rounds.add_candidate(round_id, candidate)
        models = ServedModels(session)
    assert models.of("round-1", None) == ("smollm2", "round-1")
    assert models.of("served", None) == models.of(None, None) == ("smollm2", None)
    assert models.of("acme", "x") == ("acme", "x")


def test_tasks_of_the_settings_are_known_in_every_form(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"id": "own-1", "task": "Count the herons."}\n')
    families = known_families(override(config, prompts__files=(file,)))
    assert families["Count the herons."] == "own-1"
    seed = seed_tasks()[0]
    for context in (Context.CODE, Context.HELPS):
        assert families[seed.prompt(context).text] == seed.id
