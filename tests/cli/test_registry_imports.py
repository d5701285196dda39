"""`ghostbust registry imports`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "pyyaml-6.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pyyaml-6.0.dist-info/METADATA", "Name: PyYAML\nVersion: 6.0\n")
        archive.writestr("yaml/__init__.py", "")
    return path


def test_a_wheel(run: Run, wheel: Path, home: Path) -> None:
    told = json.loads(run("registry", "imports", wheel, "--json").stdout)
    (row,) = told["rows"]
    assert (row["module"], row["distribution"], row["version"]) == ("yaml", "pyyaml", "6.0")
    assert (told["facts"], told["before"], told["path"]) == (1, 0, None)
    assert not home.exists()


def test_a_table_is_made_and_extended(run: Run, wheel: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.tsv"
    assert run("registry", "imports", wheel, "--out", out).exit_code == 0
    told = json.loads(run("registry", "imports", "--installed", "--out", out, "--json").stdout)
    assert told["before"] == 1
    assert {"yaml", "dateutil"} <= {row["module"] for row in told["rows"]}
    assert out.read_text().splitlines()[-1].startswith("yaml\tpyyaml\t")


def test_a_folder_of_installed_distributions(run: Run, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    told = json.loads(run("registry", "imports", "--site", tmp_path / "site", "--json").stdout)
    assert told["rows"] == []


@pytest.mark.parametrize("args", [[], ["missing.whl"], ["--installed", "--out", "no/folder/x"]])
def test_what_does_not_work(run: Run, args: list[str]) -> None:
    result = run("registry", "imports", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ghostbust: ")
