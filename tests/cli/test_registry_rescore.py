"""`ghostbust registry rescore`: a past run by the snapshots of another day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.snapshot import NameRow, build_snapshot
from ghostbust.store.store import Store

Run = Callable[..., Result]
LogRun = Callable[..., int]
REAL, ABSENT = (Verdict.REAL, "registered"), (Verdict.ABSENT, "not-registered")


def said(name: str, verdict: tuple[Verdict, str], source: str = "snapshot:2026-01-02") -> Lookup:
    return Lookup(Ecosystem.PYPI, name, *verdict, "", source, datetime(2026, 1, 2, tzinfo=UTC))


def snapshot(folder: Path, day: date, *names: str) -> None:
    build_snapshot(
        [NameRow(name) for name in names], ecosystem=Ecosystem.PYPI, date=day, complete=True,
        out_dir=folder,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def snapshots(home: Path) -> None:
    """Of three days, the newest of them in use: one name came, one came and went again."""
    snapshot(home / "registry" / "2025-12-01", date(2025, 12, 1), "requests", "zz-late")
    snapshot(home / "registry" / "2026-01-02", date(2026, 1, 2), "requests")
    snapshot(home / "registry", date(2026, 2, 3), "requests", "zz-a")


def score(run: Run, *args: object) -> dict[str, Any]:
    result = run("registry", "rescore", *args, "--json")
    assert result.exit_code == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def changed(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["name"], one["then"]["verdict"], one["now"]["verdict"]) for one in told["changed"]]


def test_the_day_of_the_run_gives_the_figures_of_the_run(
    run: Run, home: Path, log_run: LogRun
) -> None:
    number = log_run(said("requests", REAL), said("zz-a", ABSENT))
    told = score(run, number, "--as-of", "2026-01-31")
    assert told["then"] == told["now"]
    assert (told["then"]["rate"], told["then"]["volume"], told["changed"]) == (0.5, 1.0, [])
    assert told["snapshots_then"] == {"pypi": "2026-01-02"}
    assert told["snapshots_now"] == {"pypi": "2026-01-02"}
    assert (told["left_out"], told["only_live"], told["cutoff"]) == (0, 0, None)
    with Store.open(home / "ghostbust.db", read_only=True) as store:
        measured = store.runs.get(number).measurement
    assert measured is not None
    assert (measured.rate, measured.volume) == (0.5, 1.0)


def test_what_was_registered_since_is_claimed_and_never_cured(run: Run, log_run: LogRun) -> None:
    number = log_run(said("requests", REAL), said("zz-a", ABSENT))
    told = score(run, number)
    assert changed(told) == [("zz-a", "ABSENT", "SUSPECT")]
    assert told["changed"][0]["now"] == {
        "verdict": "SUSPECT", "reason": "claimed", "source": "snapshot:2026-02-03",
    }  # fmt: skip
    assert (told["then"]["rate"], told["now"]["rate"]) == (0.5, 0.5)


def test_an_earlier_day_can_make_names_real_or_absent(run: Run, log_run: LogRun) -> None:
    number = log_run(said("requests", REAL), said("zz-a", REAL), said("zz-late", ABSENT))
    told = score(run, number, "--as-of", "2025-12-31")
    assert changed(told) == [("zz-a", "REAL", "ABSENT"), ("zz-late", "ABSENT", "REAL")]
    assert told["changed"][0]["answers"] == 1


def test_nothing_is_logged_by_it(run: Run, home: Path, log_run: LogRun) -> None:
    number = log_run(said("requests", REAL), said("zz-a", ABSENT))
    before = (home / "ghostbust.db").read_bytes()
    score(run, number)
    assert (home / "ghostbust.db").read_bytes() == before


def test_people_get_both_figures_and_names_that_are_free_shortened(
    run: Run, log_run: LogRun
) -> None:
    unsure = (Verdict.UNKNOWN, "unreachable")
    number = log_run(said("zz-nobodys", unsure, "live"), said("zz-a", ABSENT))
    result = run("registry", "rescore", number)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert any(line[:2] == ["then", "1.000"] for line in lines)
    assert any(line[:2] == ["now", "1.000"] for line in lines)
    assert "zz-a" in result.stdout
    assert "2 changed" in result.stdout
    assert "zz-nobodys" not in result.stdout
    assert "zz-nobodys" in run("registry", "rescore", number, "--reveal").stdout


def test_what_the_log_does_not_hold_is_said(run: Run, log_run: LogRun) -> None:
    young = (Verdict.SUSPECT, "younger-than-model")
    number = log_run(said("requests", young, "live"))
    result = run("registry", "rescore", number)
    assert "1 names were SUSPECT by what a live registry told" in result.stderr
    assert score(run, number)["only_live"] == 1
    private = log_run(said("zz-a", ABSENT), private=True)
    result = run("registry", "rescore", private)
    assert "1 answers are in neither figure" in result.stderr
    told = score(run, private)
    assert (told["left_out"], told["now"]["answers"], told["now"]["rate"]) == (1, 0, None)


def test_the_age_of_the_models_knowledge_counts_as_far_as_snapshots_show_it(
    run: Run, log_run: LogRun, home: Path
) -> None:
    number = log_run(said("zz-a", REAL, "live"))
    assert changed(score(run, number)) == []
    (home / "ghostbust.toml").write_text("[model]\ncutoff = 2025-12-15\n")
    told = score(run, number)
    assert (told["cutoff"], told["changed"][0]["now"]["reason"]) == (
        "2025-12-15", "younger-than-model",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("args", "message"),
    [((9,), "there is no run 9"), ((1, "--as-of", "2020-01-01"), "no snapshot of 2020-01-01")],
)
def test_what_is_not_there(
    run: Run, log_run: LogRun, args: tuple[object, ...], message: str
) -> None:
    log_run(said("requests", REAL))
    result = run("registry", "rescore", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_without_a_database_there_are_no_runs(run: Run) -> None:
    result = run("registry", "rescore", 1)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there are no runs" in result.stderr
