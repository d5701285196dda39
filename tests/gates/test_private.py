from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest

from ghostbust.gates.sandbox import PREFIX, private_folder, remove_stale_folders


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


def test_stale_folders_are_removed_and_those_in_use_are_not(place: Path) -> None:
    stale, locked = place / f"{PREFIX}stale", place / f"{PREFIX}locked"
    for folder in (stale, locked):
        folder.mkdir()
        (folder / "file").write_text("x")
    locked.chmod(0)
    with private_folder() as used:
        remove_stale_folders()
        assert list(place.iterdir()) == [Path(used)]


def test_what_is_no_folder_of_a_program_stays(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "kept").write_text("x")
    (place / f"{PREFIX}link").symlink_to(outside)
    (place / f"{PREFIX}file").write_text("x")
    (place / "other").mkdir()
    remove_stale_folders()
    assert len(list(place.iterdir())) == 3
    assert (outside / "kept").read_text() == "x"


def test_a_folder_that_is_just_made_is_not_taken_for_a_stale_one(place: Path) -> None:
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            remove_stale_folders()

    other = threading.Thread(target=remove)
    other.start()
    try:
        for _ in range(300):
            with private_folder() as folder:
                Path(folder, "file").write_text("x")
    finally:
        stop.set()
        other.join()
    assert list(place.iterdir()) == []
