"""`ghostbust bench checkouts`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from ghostbust.cli.bench_checkouts import Spot, score_checkout, second_reading
from ghostbust.registries.judge import Mode, default_judge

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


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "a/x.py",
            "import os, yaml\nfrom google.cloud import storage\nfrom . import y\n",
            [(1, "yaml"), (2, "google")],
        ),
        ("a/x.py", "import (", []),
        (
            "package.json",
            '{"dependencies": {"left-pad": "^1", "mine": "workspace:*", "fork": "me/fork"}}',
            [(0, "left-pad")],
        ),
        (
            "requirements-dev.txt",
            "# no\nFlask_Cors[x]>=1 --hash=sha256:00\n-r other.txt\na @ https://x.test/a.whl\n",
            [(2, "flask-cors")],
        ),
        ("notes.md", "import yaml", []),
    ],
)
def test_the_second_reader(name: str, text: str, found: list[tuple[int, str]]) -> None:
    assert list(second_reading(name, text)) == [Spot(name, *one) for one in found]


def test_a_checkout_is_scored(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "mine.py").write_text("import requests\nimport zz_no_such_name_9z\n")
    (tmp_path / "use.py").write_text("import mine\n")
    (tmp_path / "package.json").write_text('{"dependencies": {"react": "18"}}')
    (tmp_path / "odd.py").write_text("if 0:\n    import flask\n")
    with default_judge(Mode.SNAPSHOT) as judge:
        scored = score_checkout(tmp_path, judge)
    assert (scored.files, scored.places) == (4, 5)
    assert scored.verdicts == {"REAL": 3, "ABSENT": 1, "UNKNOWN": 1}
    assert [one.name for one in scored.accused] == ["zz-no-such-name-9z"]
    assert (scored.expected, scored.missed) == (5, [])
