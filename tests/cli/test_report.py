"""``ghostbust report``: what it is asked, and the forms that it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from tests.cli.reading import one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def adapter(home: Path, fill_home: Callable[[Home], str]) -> str:
    return fill_home(Home.open(home))


def test_each_subject_has_its_report(run: Run, adapter: str) -> None:
    for subject, title in (
        ((), "# From the beginning to the end"),
        (("run", 1), "# Run 1: base on made-up-model"),
        (("round", 1), "# Round 1 on made-up-model"),
        (("adapters", "base", adapter), f"# base beside {adapter} on made-up-model"),
    ):
        done = run("report", *subject)
        assert done.exit_code == 0, done.output
        assert done.stdout.startswith(title)


def test_a_file_is_written_whole_and_for_the_user_alone(
    run: Run, adapter: str, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    done = run("report", "round", 1, "--format", "html", "--out", out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert out.read_text("utf-8").rstrip().endswith("</html>")
    assert out.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_json_has_everything_in_plain_ascii(run: Run, adapter: str) -> None:
    done = run("report", "round", 1, "--format", "json")
    assert done.stdout.isascii()
    told = json.loads(done.stdout)
    assert [part["name"] for part in told["parts"]] == [
        "rates", "gates", "answers", "names", "training", "history", "method", "provenance",
    ]  # fmt: skip
    assert len(told["names"]) == 13
    assert "zz-quux-sensorlib" not in done.stdout
    revealed = run("report", "round", 1, "--format", "json", "--reveal").stdout
    assert "zz-quux-sensorlib" in revealed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "x"), "is no number"),
        (("run", 9), "no run 9"),
        (("week", 3), "there is no report on 'week 3'"),
        (("run", 1, "--since", "2026-11-01"), "are for a period"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "is before"),
        (("adapters", "base", "nope"), "no adapter 'nope'"),
    ],
)
def test_what_cant_be_reported_on_is_one_line(
    run: Run, adapter: str, words: tuple[object, ...], said: str
) -> None:
    assert said in one_line(run("report", *words))
