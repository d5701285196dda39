"""Rechecks, sync, logs, retention and selfcheck do their work and stop with the daemon."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import override
from ghostbust.errors import DataError, SpentError, UnansweredError, UsageError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import (
    Stopped,
    Workplace,
    delete_old,
    read_logs,
    recheck_names,
    selfcheck,
    sync_names,
)
from ghostbust.loop.daemon.watch_job import watch
from ghostbust.records import Candidate, Ecosystem, Lookup, Verdict, utc_now
from ghostbust.store.store import Store
from tests.loop.daemon.conftest import CONFIG
from tests.loop.package_index import PackageIndex
from tests.simulated import SimulatedClock

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler


def test_a_recheck_by_snapshot_says_that_it_can_t_know(
    place: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recheck_names(place)
    assert "can't tell what was registered since" in caplog.text


def test_a_recheck_sends_as_many_requests_as_the_day_has_left(
    place: Workplace, store: Store, index: type[PackageIndex], caplog: pytest.LogCaptureFixture
) -> None:
    watch(place)
    settings = override(CONFIG, registry__mode="auto", budget__registry_requests=10)
    limited = replace(place, config=settings)
    recheck_names(limited)
    assert index.asked == 10
    assert store.spending.of(utc_now().date())["registry_requests"] == 10
    unasked = [h for h in store.ledger.hallucinations() if h.claimed_at is None]
    assert len(unasked) >= 30, "what could not be asked is as it was"
    recheck_names(limited)
    assert index.asked == 10


def test_a_recheck_without_answers_fails_and_changes_nothing(
    place: Workplace, store: Store, index: type[PackageIndex]
) -> None:
    watch(place)
    index.status = 403
    auto = override(CONFIG, registry__mode="auto")
    with pytest.raises(UnansweredError, match=r"gave no answer for 20 names$"):
        recheck_names(replace(place, config=auto))
    assert all(h.claimed_at is None for h in store.ledger.hallucinations())


def test_a_sync_whose_requests_are_used_up_leaves_the_snapshot(
    place: Workplace, index: type[PackageIndex]
) -> None:
    none = override(CONFIG, budget__registry_requests=0)
    with pytest.raises(SpentError, match="registry_requests is used up"):
        sync_names(replace(place, config=none))
    assert index.asked == 0
    assert not list(place.home.registry.glob("*.json"))


def test_a_recheck_asks_the_registry_for_what_the_snapshot_denies(
    place: Workplace, store: Store, index: type[PackageIndex], caplog: pytest.LogCaptureFixture
) -> None:
    watch(replace(place, config=override(CONFIG, daemon__watch_prompts=12)))
    caplog.set_level(logging.INFO)
    auto = override(CONFIG, registry__mode="auto")
    recheck_names(replace(place, config=auto))
    names = {h.name: h.claimed_at for h in store.ledger.hallucinations()}
    claimed = {name for name, at in names.items() if at is not None}
    assert claimed == {name for name in names if name[-1] in "01234567"}
    assert f"recheck: 12 names, {len(claimed)} claimed, 0 could not be asked" in caplog.text
    assert all(f"pkg:pypi/{name} was invented" in caplog.text for name in claimed)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def log_place(place: Workplace, logs: Path) -> Workplace:
    return replace(place, config=override(CONFIG, ingest__paths=(logs,), ingest__workers=0))


def add(logs: Path, name: str) -> None:
    line = {"prompt": f"Plot {name}.", "completion": f"```bash\npip install {name}\n```"}
    with (logs / "app.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_each_line_is_read_once(
    log_place: Workplace, logs: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    add(logs, "zz-ghost-1")
    read_logs(log_place)
    assert "ingest: 1 completions in 1 new lines, 1 of them invent a name" in caplog.text
    assert "zz-ghost" not in caplog.text, "no names in the log"
    add(logs, "zz-ghost-2")
    read_logs(log_place)
    read_logs(log_place)
    assert {h.name for h in store.ledger.hallucinations()} == {"zz-ghost-1", "zz-ghost-2"}
    assert "0 completions in 0 new lines" in caplog.text


def test_a_stop_is_heard_and_what_was_left_is_read_later(
    log_place: Workplace, logs: Path, store: Store
) -> None:
    add(logs, "zz-ghost-1")
    log_place.stopping.set()
    with pytest.raises(Stopped):
        read_logs(log_place)
    log_place.stopping.clear()
    read_logs(log_place)
    assert {h.name for h in store.ledger.hallucinations()} == {"zz-ghost-1"}


def test_logs_that_are_not_there_and_none_at_all(
    log_place: Workplace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gone = override(log_place.config, ingest__paths=(tmp_path / "gone",))
    with pytest.raises(UsageError, match="there is no file or folder"):
        read_logs(replace(log_place, config=gone))
    read_logs(replace(log_place, config=override(log_place.config, ingest__paths=())))
    assert "ingest.paths names no logs" in caplog.text


KINDS = ("I can't say.", "```bash\npip install requests\n```", "```bash\npip install zz-ghost\n```")


@pytest.fixture
def aged(place: Workplace, scripted: MakeSampler) -> Workplace:
    """A home with thirty answers: of nothing, of real names, of an invented one."""
    said = cycle(KINDS)
    made = replace(
        place,
        config=override(
            CONFIG,
            daemon__watch_prompts=30,
            retention__answers_days=30,
            retention__lookups_days=30,
        ),
        open_sampler=lambda _: scripted(lambda _: next(said), "round-0001-aa"),
        clock=SimulatedClock(datetime.now(UTC) + timedelta(days=31)),
    )
    watch(made)
    return made


def texts(store: Store) -> list[str]:
    rows = store._connection.rows("SELECT text FROM samples WHERE text IS NOT NULL")
    return sorted({row["text"] for row in rows})


def test_texts_go_that_invent_nothing_and_nothing_else_changes(
    aged: Workplace, store: Store
) -> None:
    (run,) = store.runs.recent()
    delete_old(aged)
    assert texts(store) == [KINDS[2]], "an invention's text stays"
    assert len(store.answers.sampled_keys(run.id)) == 30
    assert store.runs.recent()[0].measurement == run.measurement


def test_of_the_base_all_stay(aged: Workplace, store: Store) -> None:
    """Rounds weigh kinds of answers by how often the base gives them."""
    with store._connection.write() as connection:
        connection.execute("UPDATE samples SET adapter = NULL")
    delete_old(aged)
    assert texts(store) == sorted(KINDS)


def test_what_a_round_may_have_trained_on_stays(aged: Workplace, store: Store) -> None:
    store.rounds.start(model="made-up", method="au", seed=1, settings={})
    delete_old(aged)
    assert texts(store) == sorted(KINDS[1:])


def test_young_answers_and_other_runs_stay(aged: Workplace, store: Store) -> None:
    aged.clock.jump(-2 * 86400)  # type: ignore[attr-defined]
    delete_old(aged)
    assert texts(store) == sorted(KINDS)
    aged.clock.jump(2 * 86400)  # type: ignore[attr-defined]
    with store._connection.write() as connection:
        connection.execute("UPDATE runs SET kind = 'sweep'")
    delete_old(aged)
    assert texts(store) == sorted(KINDS)


def test_live_verdicts_go_but_not_on_invented_names(aged: Workplace, store: Store) -> None:
    for name in ("requests", "zz-ghost"):
        at = datetime.now(UTC)
        store.lookups.put_lookup(
            Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "", "asked", "live", at)
        )
    delete_old(aged)
    assert store.lookups.get_lookup(Ecosystem.PYPI, "requests") is None
    assert store.lookups.get_lookup(Ecosystem.PYPI, "zz-ghost") is not None


def test_without_limits_nothing_goes_and_a_stop_is_heard(aged: Workplace, store: Store) -> None:
    aged.stopping.set()
    with pytest.raises(Stopped):
        delete_old(aged)


@pytest.fixture
def sound(place: Workplace) -> Workplace:
    return replace(place, config=override(CONFIG, selfcheck__free_bytes=0))


def test_an_adapter_that_was_changed_is_named(sound: Workplace, home: Home) -> None:
    with Store.open(home.database) as store:
        selfcheck(sound)
        number = store.rounds.start(model="m", method="au", seed=1, settings={})
        folder: Path = home.adapters / "round-0001"
        store.rounds.add_candidate(
            number, Candidate("round-0001", folder, "m", "au", 1, 10, 0.5, 1.0)
        )
        selfcheck(sound)  # a person deleted it
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        with pytest.raises(DataError, match="round-0001 is not a complete ghostbust adapter"):
            selfcheck(sound)


def test_a_disk_without_room_is_told(sound: Workplace, home: Home) -> None:
    Store.open(home.database).close()
    config = override(sound.config, selfcheck__free_bytes=1 << 62)
    with pytest.raises(DataError, match="MB left, which is less than"):
        selfcheck(replace(sound, config=config))


def test_a_damaged_database_is_told(sound: Workplace, home: Home) -> None:
    with Store.open(home.database) as store:
        for number in range(300):
            store.jobs.pause(f"job-{number:0300d}")
    pages = bytearray(home.database.read_bytes())
    pages[-8192:] = b"\xff" * 8192
    home.database.write_bytes(pages)
    with pytest.raises(DataError, match="damaged"):
        selfcheck(sound)
