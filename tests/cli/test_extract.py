"""`ghostbust extract`: the contract of its lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ghostbust.cli.extract import CodeLanguage
from ghostbust.extractors.interface import Language

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ANSWER = "Run `pip install Flask_Cors`\r\n\r\n```python\r\nimport os\r\nimport cv2\r\n```\r\n"


def entries(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_one_object_a_line(run: Run) -> None:
    result = run("extract", "-", "--json", stdin=ANSWER)
    assert result.exit_code == 0
    assert entries(result.stdout) == [
        {"ecosystem": "pypi", "kind": "install", "name": "flask-cors", "import_name": None,
         "purl": "pkg:pypi/flask-cors", "start": 17, "end": 27, "flags": []},
        {"ecosystem": "pypi", "kind": "import", "name": "opencv-python", "import_name": "cv2",
         "purl": "pkg:pypi/opencv-python", "start": 61, "end": 64, "flags": []},
    ]  # fmt: skip
    cut = [ANSWER[entry["start"] : entry["end"]] for entry in entries(result.stdout)]
    assert cut == ["Flask_Cors", "cv2"]


def test_offsets_count_code_points(run: Run) -> None:
    text = "💥é `pip install x-y`"
    (entry,) = entries(run("extract", "-", "--json", stdin=text).stdout)
    assert text[entry["start"] : entry["end"]] == "x-y"


def test_all_has_the_built_in_imports(run: Run) -> None:
    found = entries(run("extract", "-", "--json", "--all", stdin=ANSWER).stdout)
    assert [(entry["import_name"], entry["purl"]) for entry in found][1] == ("os", None)
    # What a runtime of JavaScript brings along is built in as well.
    code = 'import { test } from "bun:test";\nimport { Database } from "bun:sqlite";\n'
    asked = ("extract", "-", "--json", "--language", "javascript")
    assert entries(run(*asked, stdin=code).stdout) == []
    found = entries(run(*asked, "--all", stdin=code).stdout)
    assert [entry["import_name"] for entry in found] == ["bun:test", "bun:sqlite"]


def test_a_listed_built_in_is_shown_without_all(run: Run) -> None:
    found = entries(run("extract", "-", "--json", "--expect-list", stdin="- os\n- rich\n").stdout)
    assert [(entry["kind"], entry["name"]) for entry in found] == [("list", "os"), ("list", "rich")]


def test_listed_names_are_npms_for_javascript_unless_the_ecosystem_says_otherwise(run: Run) -> None:
    asked = ("extract", "-", "--json", "--expect-list", "--language", "javascript")
    for more, kind in (((), "npm"), (("--ecosystem", "pypi"), "pypi")):
        found = entries(run(*asked, *more, stdin="- chalk\n- ora\n").stdout)
        assert [entry["purl"] for entry in found] == [f"pkg:{kind}/chalk", f"pkg:{kind}/ora"]


def test_the_table_has_line_and_column(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "answer.md"
    file.write_bytes(ANSWER.encode())
    rows = [line.split() for line in run("extract", file).stdout.splitlines() if "pypi" in line]
    assert rows == [
        ["1", "18", "pypi", "install", "Flask_Cors", "flask-cors"],
        ["5", "8", "pypi", "import", "cv2", "opencv-python"],
    ]


def test_nothing_there(run: Run) -> None:
    result = run("extract", "-", stdin="Hello there.")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no package is named there\n"
    result = run("extract", "-", "--json", stdin="")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_bytes_that_are_no_text(run: Run) -> None:
    assert run("extract", "-", "--json", stdin=bytes(range(256)) * 50).exit_code == 0


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert run("extract", tmp_path / "missing").exit_code == 2
    assert run("extract").exit_code == 2
    assert run("extract", "-", "--language", "cobol").exit_code == 2


def test_the_languages_are_those_of_the_extractors() -> None:
    assert list(get_args(CodeLanguage)) == [str(language) for language in Language]
