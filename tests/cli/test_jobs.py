"""``ghostbust jobs`` beside a daemon and without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from ghostbust.home import Home
from ghostbust.loop.budget import SAMPLES
from ghostbust.store.store import Store

Run = Callable[..., Result]


@pytest.fixture
def place(home: Path) -> Home:
    """A home with a store and settings."""
    place = Home.open(home)
    place.config.write_text(
        '[registry]\nmode = "snapshot"\n[budget]\nsamples = 10\n'
        '[jobs.watch]\nevery = "15m"\n[jobs.round]\nevery = "off"\n[selfcheck]\nfree_bytes = 0\n'
    )
    Store.open(place.database).close()
    return place


def states(run: Run) -> dict[str, str]:
    listed = json.loads(run("jobs", "list", "--json").stdout)
    return {job["name"]: job["state"] for job in listed["jobs"]}


def test_the_list_tells_of_every_job_and_budget(place: Home, run: Run) -> None:
    from ghostbust.config import load_config
    from ghostbust.loop.budget import Allowance
    from ghostbust.loop.signals import SystemClock

    with Store.open(place.database) as store:
        Allowance(store, load_config(None, place), SystemClock()).take({SAMPLES: 4})
        store.jobs.finish("recheck", "failed", "nobody answers")
    assert states(run) == {
        "watch": "waits", "ingest": "off", "round": "off", "recheck": "waits", "sync": "off",
        "retention": "off", "selfcheck": "waits", "rollback": "waits",
        "alarms": "off",
    }  # fmt: skip
    document = json.loads(run("jobs", "list", "--json").stdout)
    assert document["daemon"] is False
    assert document["trouble"] is None
    assert document["budgets"][0] == {"budget": "samples", "spent": 4.0, "limit": 10.0}
    shown = run("jobs", "list").stdout
    assert "nobody answers" in shown
    assert "no daemon works here" in shown
    assert "no limit" in shown


def test_a_job_is_paused_and_resumed(place: Home, run: Run) -> None:
    assert run("jobs", "pause", "watch").exit_code == 0
    assert states(run)["watch"] == "paused"
    run("jobs", "resume", "watch")
    assert states(run)["watch"] == "waits"


def test_a_job_runs_right_here_where_no_daemon_is(place: Home, run: Run) -> None:
    done = run("jobs", "run", "selfcheck")
    assert (done.exit_code, done.stdout.split(" after")[0]) == (0, "selfcheck: ok")
    with Store.open(place.database) as store:
        assert store.jobs.get("selfcheck").outcome == "ok"
        store.jobs.pause("recheck")
    assert run("jobs", "run", "recheck").exit_code == 0, "paused or not"


def test_a_used_up_budget_holds_a_run_by_hand_too(place: Home, run: Run) -> None:
    place.config.write_text(place.config.read_text().replace("samples = 10", "samples = 0"))
    done = run("jobs", "run", "watch")
    assert done.exit_code == 1
    assert "the day's budget of samples is used up (0 of 0); goes on tomorrow" in done.stdout


def test_a_daemon_is_asked_to_run_it(place: Home, run: Run) -> None:
    with place.exclusive("daemon", place.daemon_lock):
        done = run("jobs", "run", "watch")
        assert done.exit_code == 0
        assert "the daemon was asked" in done.stdout
        assert states(run)["watch"] == "asked for"


def test_an_unknown_job_is_named(place: Home, run: Run) -> None:
    for command in ("run", "pause", "resume"):
        done = run("jobs", command, "wacth")
        assert done.exit_code == 2
        assert "there is no job 'wacth'; there are watch, ingest" in done.stderr
