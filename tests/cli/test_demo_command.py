"""``ghostbust demo`` from its first line to its last, on a small model."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import pytest
from typer.testing import Result

from ghostbust.adapters import read_adapter
from ghostbust.cli.demo import _own_home, _peak_rss_mb, _report
from ghostbust.cli.output import Output
from ghostbust.loop.demo import DemoOutcome
from ghostbust.loop.round import RoundOutcome
from ghostbust.loop.watch import Watched
from ghostbust.measure import measure
from ghostbust.records import (
    Answer,
    Candidate,
    Context,
    Ecosystem,
    GateReport,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)

Run = Callable[..., Result]

SETTINGS = """
[model]
device = "cpu"

[training]
rank = 2
max_answers = 32

[gates]
humaneval_tasks = 1
max_new_tokens = 8
"""
FIGURES = {"rate", "ci95", "refs", "real", "absent", "suspect", "answers", "volume"}
KEYS = {
    "model", "seed", "registry", "before", "after", "gate", "promoted", "wall_s", "peak_rss_mb",
}  # fmt: skip


def test_the_whole_demo_ends_with_one_truthful_document(
    run: Run, home: Path, talking_model_dir: Path
) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    result = run("demo", "--model", talking_model_dir, "--json", "--seed", 1)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert set(told) >= KEYS
    assert (told["model"], told["seed"]) == (str(talking_model_dir), 1)
    assert told["registry"] == "snapshot"
    for figures in (told["before"], told["after"]):
        assert set(figures) >= FIGURES
        assert figures["refs"] == figures["real"] + figures["absent"] + figures["suspect"]
        assert figures["ci95"][0] <= figures["rate"] <= figures["ci95"][1]
    assert told["before"]["answers"] == told["after"]["answers"]
    assert {"verdict", "gates"} <= set(told["gate"])
    assert told["gate"]["verdict"] != "PASS"  # one benchmark task is too few
    assert told["promoted"] is False
    assert not (home / "deployed.json").exists()
    assert read_adapter(Path(told["path"])).facts["settings"]["seed"] == 1
    assert told["wall_s"] > 0
    assert 50 < told["peak_rss_mb"] < 4096


def test_what_it_works_in_is_apart_from_the_users_own_home() -> None:
    own = platformdirs.user_data_path("ghostbust")
    assert _own_home() != own
    assert _own_home().parent == own


def test_an_unknown_model_is_one_line(run: Run) -> None:
    result = run("demo", "--model", "no/such-model")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't load the model 'no/such-model'" in result.stderr.splitlines()[-1]


def answers(*names: str) -> tuple[Answer, ...]:
    """One answer for each invented name."""
    made = []
    for number, name in enumerate(names):
        prompt = Prompt(f"help {number}", Context.HELPS, Ecosystem.PYPI, str(number))
        at = datetime(2026, 11, 24, tzinfo=UTC)
        lookup = Lookup(
            Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "", "snapshot:2026-11-23", at
        )
        ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name)
        sample = Sample(prompt, name, "m", None, 0, 0, 0.7, False, 3)
        made.append(Answer(sample, (Judged(ref, lookup),)))
    return tuple(made)


def outcome(before: tuple[Answer, ...], after: tuple[Answer, ...]) -> DemoOutcome:
    first = Watched(1, before, measure(before))
    second = Watched(2, after, measure(after))
    candidate = Candidate("round-0001-aa", Path("a"), "m", "au", 0, 1, 0.5, 1.0)
    done = RoundOutcome(1, candidate, GateReport(candidate.name, ()), second, None)
    return DemoOutcome(first, done)


def test_names_that_look_alike_when_shortened_are_counted_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = answers("fastcsv-x", "fastcsv-x", "fastcsv-y")
    _report(Output(), outcome(before, answers("fastcsv-y")), reveal=False)
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if "fas…(9)" in line]
    assert rows == [["fas…(9)", "ABSENT", "2", "0"], ["fas…(9)", "ABSENT", "1", "1"]]
    assert "fastcsv" not in shown


def test_names_are_shown_in_full_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    made = outcome(answers("fastcsv-x"), ())
    _report(Output(), made, reveal=True)
    assert "fastcsv-x" in capsys.readouterr().out


def test_memory_is_told_in_megabytes() -> None:
    assert 20 < _peak_rss_mb() < 16_384
