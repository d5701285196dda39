"""`ghostbust bench checkouts`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Run = Callable[..., Result]


def test_each_folder_is_a_checkout(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "repositories"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "x.py").write_text("import requests\nimport zz_no_such_name_9z\n")
    shown = run("bench", "checkouts", str(folder), "--show")
    assert shown.exit_code == 0
    assert f"{folder / 'two/x.py'}:2:8: ABSENT zz-no-such-name-9z (not-registered)" in (
        shown.stdout.splitlines()
    )
    [total] = [line.split() for line in shown.stdout.splitlines() if line.strip().startswith("all")]
    assert total[:8] == ["all", "2", "4", "2", "0", "500.0", "0", "of"]
    told = json.loads(run("bench", "checkouts", str(folder), "--json").stdout)
    assert [(one["checkout"], one["places"], one["expected"]) for one in told["checkouts"]] == [
        ("one", 2, 2), ("two", 2, 2),
    ]  # fmt: skip


def test_a_folder_without_checkouts(run: Run, tmp_path: Path) -> None:
    (tmp_path / "no-repositories").mkdir()
    assert run("bench", "checkouts", str(tmp_path / "no-repositories")).exit_code == 2
    assert run("bench", "checkouts", str(tmp_path / "no")).exit_code == 2
