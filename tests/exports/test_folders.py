"""A folder appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.exports.adapters import whole_folder


def test_it_appears_when_all_is_written(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "deep" / "out") as aside:
        (aside / "file").write_text("x", "utf-8")
        assert not (tmp_path / "deep" / "out").exists()
    assert [path.name for path in (tmp_path / "deep" / "out").iterdir()] == ["file"]


def test_nothing_is_left_of_one_that_failed(tmp_path: Path) -> None:
    def fill(aside: Path) -> None:
        (aside / "file").write_text("x", "utf-8")
        raise RuntimeError

    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as aside:
        fill(aside)
    assert list(tmp_path.iterdir()) == []


def test_what_cant_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with (
        pytest.raises(UsageError, match="can't write"),
        whole_folder(tmp_path / "file" / "out"),
    ):
        pass
