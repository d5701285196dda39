"""`ghostbust doctor`: its exit codes and its document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Run = Callable[..., Result]

NAMES = [
    "python", "libraries", "clock", "accelerator", "humaneval", "home", "store", "disk",
    "pypi snapshot", "npm snapshot", "settings", "sandbox", "model", "publisher",
    "pypi registry", "npm registry", "stored times", "daemon", "unit file",
]  # fmt: skip


def test_a_sound_installation(run: Run, home: Path) -> None:
    result = run("doctor", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], result.stderr) == (0, True, "")
    assert [check["check"] for check in told["checks"]] == NAMES
    assert {check["level"] for check in told["checks"]} <= {"OK", "WARN"}
    assert home.is_dir()


def test_the_table(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    for name in NAMES:
        assert f" {name} " in result.stdout


def test_a_home_that_cannot_be_made(run: Run, home: Path) -> None:
    home.write_text("a file")
    result = run("doctor", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (2, False)
    assert (told["checks"][-1]["check"], told["checks"][-1]["level"]) == ("home", "FAIL")
    assert "--home" in told["checks"][-1]["said"]


def test_settings_that_are_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[sampling]\ntemprature = 1\n")
    result = run("doctor", "--json", "--config", tmp_path / "mine.toml")
    last = json.loads(result.stdout)["checks"][-1]
    assert (result.exit_code, last["check"], last["level"]) == (2, "settings", "FAIL")
    assert "temperature" in last["said"]


def test_a_damaged_store(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "ghostbust.db").write_bytes(b"no database at all, but long enough to look at" * 20)
    result = run("doctor", "--json")
    found = {check["check"]: check for check in json.loads(result.stdout)["checks"]}
    assert (result.exit_code, found["store"]["level"]) == (2, "FAIL")
    assert found["model"]["level"] in ("OK", "WARN")
