"""Which files a path means."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.loop.ingest.files import check_paths, files_of, is_stream, rotated


def test_a_folder_means_its_files_the_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate(["new.log", "sub/b.log", "a.log", ".hidden", ".git/x"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        os.utime(path, (10_000 - age, 10_000 - age))
    os.mkfifo(tmp_path / "pipe")
    found = files_of([tmp_path, tmp_path / "a.log", tmp_path / "gone"])
    assert [path.name for path in found] == ["a.log", "b.log", "new.log"]
    assert is_stream(tmp_path / "pipe")
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "gone")


def test_a_folder_that_is_hidden_itself_is_read_if_it_is_named(tmp_path: Path) -> None:
    (tmp_path / ".logs").mkdir()
    (tmp_path / ".logs" / "a").write_text("x")
    assert len(files_of([tmp_path / ".logs"])) == 1


def test_what_a_log_was_rotated_to(tmp_path: Path) -> None:
    for name, at in {"a.log": 9, "a.log.1": 8, "a.log-2026.gz": 7, "a.log.2": 2, "b.log.1": 8,
                     "a.logs": 8}.items():  # fmt: skip
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000 + at, 1000 + at))
    since = datetime.fromtimestamp(1005, UTC)
    assert [p.name for p in rotated(tmp_path / "a.log", since)] == ["a.log-2026.gz", "a.log.1"]


def test_a_path_that_isnt_there(tmp_path: Path) -> None:
    check_paths([Path("-"), tmp_path])
    with pytest.raises(UsageError, match="there is no file or folder"):
        check_paths([tmp_path / "gone"])
