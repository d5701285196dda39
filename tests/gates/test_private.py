from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ghostbust.gates.private import private_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_only_this_user_can_enter_it_and_it_is_removed(place: Path) -> None:
    with private_folder() as folder:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        Path(folder, "file").write_text("x")
    assert list(place.iterdir()) == []


def test_deeper_than_python_recurses(place: Path) -> None:
    before = os.open(".", os.O_RDONLY)
    with private_folder() as folder:
        os.chdir(folder)
        for _ in range(3_000):
            Path("d").mkdir()
            os.chdir("d")
        Path("file").write_text("x")
        os.fchdir(before)
    os.close(before)
    assert list(place.iterdir()) == []


def test_without_permissions_and_with_links_out(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "kept").write_text("x")
    with private_folder() as folder:
        Path(folder, "out").symlink_to(outside)
        Path(folder, "locked").mkdir()
        Path(folder, "locked", "file").write_text("x")
        Path(folder, "locked").chmod(0)
        Path(folder).chmod(0)
    assert list(place.iterdir()) == []
    assert (outside / "kept").read_text() == "x"


def test_one_that_is_gone_already(place: Path) -> None:
    with private_folder() as folder:
        Path(folder).rmdir()
    assert list(place.iterdir()) == []
