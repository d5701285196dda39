"""`ghostbust bench`: scores as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]

CORPUS = "======== one language=python\nimport «httpx»\nimport «cv2|opencv»\nx = '«miss»'\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "python-x.txt"
    path.write_text(CORPUS, encoding="utf-8")
    return path


def test_json(run: Run, corpus: Path) -> None:
    result = run("bench", "extraction", corpus, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["snippets"] == {"python": 1}
    rows = {(row["group"], row["kind"]): row for row in document["scores"]}
    assert set(rows) == {
        ("python", "all"), ("python", "import"), ("all", "all"), ("all", "import"),
    }  # fmt: skip
    row = rows["python", "import"]
    assert (row["expected"], row["given"], row["found"]) == (3, 2, 2)
    assert (row["precision"], row["exact_spans"], row["names"]) == (1.0, 1.0, 0.5)
    assert row["recall"] == pytest.approx(2 / 3)
    assert "disagreements" not in document


def test_show_lists_what_differs(run: Run, corpus: Path) -> None:
    document = json.loads(run("bench", "extraction", corpus, "--json", "--show").stdout)
    told = [(item["what"], item["raw"], item["detail"]) for item in document["disagreements"]]
    assert told == [
        ("name", "cv2", "opencv  / opencv-python cv2"),
        ("missed", "miss", "x = 'miss'"),
    ]


def test_table(run: Run, corpus: Path) -> None:
    lines = run("bench", "extraction", corpus, "--show").stdout.splitlines()
    rows = [line.split() for line in lines]
    assert ["python", "import", "3", "2", "2", "1.000", "0.666", "0.800", "1.000", "0.500",
            "1.000"] in rows  # fmt: skip
    assert any(row[:2] == ["one", "missed"] for row in rows)


def test_a_corpus_without_names_has_no_rates(run: Run, tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("======== one\nNothing.\n")
    document = json.loads(run("bench", "extraction", tmp_path / "prose.txt", "--json").stdout)
    assert {(row["group"], row["precision"]) for row in document["scores"]} == {
        ("prose", None), ("all", None),
    }  # fmt: skip


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert run("bench").exit_code == 2
    assert run("bench", "extraction").exit_code == 2
    result = run("bench", "extraction", tmp_path / "missing")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ghostbust: ")
