"""`ghostbust bench extraction` and `bench checkouts`: scores as a table and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.cli.bench import Spot, score_checkout, second_reading
from ghostbust.registries.judge import Mode, default_judge
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.reading import Run

CORPUS = "======== one language=python\nimport «httpx»\nimport «cv2|opencv»\nx = '«miss»'\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "python-x.txt"
    path.write_text(CORPUS, encoding="utf-8")
    return path


def test_the_scores_of_each_group_and_kind(run: Run, corpus: Path) -> None:
    told = document(run("bench", "extraction", corpus, "--json"))
    assert told["snippets"] == {"python": 1}
    rows = {(row["group"], row["kind"]): row for row in told["scores"]}
    assert set(rows) == {
        ("python", "all"), ("python", "import"), ("all", "all"), ("all", "import"),
    }  # fmt: skip
    row = rows["python", "import"]
    assert (row["expected"], row["given"], row["found"]) == (3, 2, 2)
    assert (row["precision"], row["exact_spans"], row["names"]) == (1.0, 1.0, 0.5)
    assert row["recall"] == pytest.approx(2 / 3)
    assert "disagreements" not in told


def test_show_lists_what_differs(run: Run, corpus: Path) -> None:
    told = document(run("bench", "extraction", corpus, "--json", "--show"))["disagreements"]
    assert [(item["what"], item["raw"], item["detail"]) for item in told] == [
        ("name", "cv2", "opencv  / opencv-python cv2"),
        ("missed", "miss", "x = 'miss'"),
    ]
    lines = run("bench", "extraction", corpus, "--show").stdout.splitlines()
    rows = [line.split() for line in lines]
    assert ["python", "import", "3", "2", "2", "1.000", "0.666", "0.800", "1.000", "0.500",
            "1.000"] in rows  # fmt: skip
    assert any(row[:2] == ["one", "missed"] for row in rows)


def test_a_corpus_without_names_has_no_rates(run: Run, corpus: Path) -> None:
    corpus.write_text("======== one\nNothing.\n")
    scores = document(run("bench", "extraction", corpus, "--json"))["scores"]
    assert {(row["group"], row["precision"]) for row in scores} == {("python", None), ("all", None)}


def test_each_folder_is_a_checkout(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "all" / name).mkdir(parents=True)
        text = "import requests\nimport zz_no_such_name_9z\n"
        (tmp_path / "all" / name / "x.py").write_text(text)
    lines = run("bench", "checkouts", tmp_path / "all", "--show").stdout.splitlines()
    where = tmp_path / "all/two/x.py:2:8"
    assert f"{where}: ABSENT zz-no-such-name-9z (not-registered)" in lines
    [total] = [line.split() for line in lines if line.strip().startswith("all")]
    assert total[:8] == ["all", "2", "4", "2", "0", "500.0", "0", "of"]
    told = document(run("bench", "checkouts", tmp_path / "all", "--json"))["checkouts"]
    assert [set(one) for one in told] == [
        {"checkout", "files", "places", "verdicts", "accused", "expected", "missed", "cpu_s"}
    ] * 2
    assert [(one["checkout"], one["places"], one["expected"]) for one in told] == [
        ("one", 2, 2), ("two", 2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [("extraction", "none"), ("checkouts", "none"), ("checkouts", ".")]
)
def test_what_cannot_be_scored_is_one_line(run: Run, words: tuple[str, ...]) -> None:
    one_line(run("bench", *words))


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
