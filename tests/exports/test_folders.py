"""A new folder appears whole or not at all, and never in the place of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.exports.adapters import new_folder


def test_it_appears_when_all_is_written(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "out") as aside:
        (aside / "file").write_text("x", "utf-8")
        assert not (tmp_path / "deep" / "out").exists()
    assert [path.name for path in (tmp_path / "deep" / "out").iterdir()] == ["file"]


def test_one_that_is_there_stays(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is there already"), new_folder(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_what_cant_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with (
        pytest.raises(UsageError, match="can't write"),
        new_folder(tmp_path / "file" / "out"),
    ):
        pass
