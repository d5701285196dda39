"""`ghostbust bench audit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


def listed(tmp_path: Path, *names: str) -> Path:
    path = tmp_path / "list.tsv"
    rows = [f"{name}\t{rank}\n" for rank, name in enumerate(names, start=1)]
    path.write_text("name\tdownload_rank_top15000\n" + "".join(rows))
    return path


def test_everything_is_sound_without_a_list(run: Run) -> None:
    result = run("bench", "audit", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["sound"]) == (0, True)
    groups = {one["group"]: one for one in told["groups"]}
    assert groups["imports of the mapping table"]["names"] > 800
    assert groups["imports of what is installed"]["names"] > 50


def test_lists_of_names(run: Run, tmp_path: Path) -> None:
    names = listed(tmp_path, "requests", "flask-cors", "pip")
    (tmp_path / "fakes.tsv").write_text("openai-gym\tslopsquat-research\tx\nother\tdecoy\tx\n")
    result = run(
        "bench", "audit", "--pypi", names, "--npm", listed(tmp_path, "react"),
        "--fakes", tmp_path / "fakes.tsv", "--top", "1", "--json",
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert {one["group"]: one["names"] for one in told["groups"][:4]} == {
        "pypi, most downloaded": 1,
        "pypi, spelled Like_This": 1,
        "npm, most downloaded": 1,
        "research squats and security holds": 1,
    }


def test_a_false_alarm_is_shown_and_exits_with_one(run: Run, tmp_path: Path) -> None:
    result = run("bench", "audit", "--pypi", listed(tmp_path, "requests", "zz-no-such-name-9z"))
    assert result.exit_code == 1
    assert "pypi, most downloaded: wrong: zz-no-such-name-9z: ABSENT" in result.stdout


def test_a_fake_that_is_called_real_exits_with_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fakes.tsv").write_text("requests\tsecurity-hold\tx\n")
    result = run("bench", "audit", "--fakes", tmp_path / "fakes.tsv")
    assert result.exit_code == 1
    assert "wrong: requests: REAL" in result.stdout


@pytest.mark.parametrize(
    ("option", "text"),
    [("--pypi", "name\nrequests\n"), ("--fakes", "requests\tdecoy\tx\n"), ("--npm", "")],
)
def test_a_list_that_says_too_little(run: Run, tmp_path: Path, option: str, text: str) -> None:
    (tmp_path / "list.tsv").write_text(text)
    result = run("bench", "audit", option, tmp_path / "list.tsv")
    assert (result.exit_code, result.stdout) == (2, "")
