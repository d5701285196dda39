"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.context import whole_file, write_text
from ghostbust.errors import UsageError


def test_what_was_there_stays_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", "utf-8")

    def fail(aside: Path) -> None:
        aside.write_text("half", "utf-8")
        raise RuntimeError

    with pytest.raises(RuntimeError), whole_file(path) as aside:
        fail(aside)
    assert path.read_text("utf-8") == "old"
    write_text(path, "new")
    assert path.read_text("utf-8") == "new"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_isnt_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't write"):
        write_text(tmp_path / "none" / "file", "x")
