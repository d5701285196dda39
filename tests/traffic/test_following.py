"""Followed logs: rotated by rename, copied and cut, cut and written over, packed. No line twice."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ghostbust.loop.ingest import files
from ghostbust.loop.ingest.files import Files
from tests.traffic.conftest import FakeMemory, Reader


class Follower:
    """A follower that looks once each time it is asked."""

    def __init__(self, memory: FakeMemory, *paths: Path) -> None:
        self.memory = memory
        self.notes: list[str] = []
        self._files = Files(paths, memory, 1 << 20, self.notes.append)
        self._stop = False
        self._reads = self._files.follow(lambda: self._stop, 0.001)

    def __call__(self) -> list[str]:
        """The new lines, once two looks in a row brought none."""
        said: list[str] = []
        quiet = 0
        while quiet < 8:
            read = next(self._reads)
            quiet = 0 if read else quiet + 1
            if read:
                self.memory.keep(*read)
                said += read[1].data.decode().split()
        return said

    def stop(self) -> None:
        self._stop = True
        assert list(filter(None, self._reads)) == []


Follow = Callable[..., Follower]


@pytest.fixture
def follow(memory: FakeMemory) -> Iterator[Follow]:
    made: list[Follower] = []

    def start(*paths: Path) -> Follower:
        made.append(Follower(memory, *paths))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def append(path: Path, *lines: object) -> None:
    with path.open("a") as stream:
        stream.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    append(path, 1, 2)
    return path


def test_a_log_that_grows(log: Path, follow: Follow) -> None:
    new = follow(log)
    assert new() == ["1", "2"]
    with log.open("a") as stream:
        stream.write("3\n4")
        stream.flush()
        assert new() == ["3"]
        stream.write("4\n")
    assert new() == ["44"]


def test_renamed_while_its_writer_still_writes(log: Path, follow: Follow) -> None:
    new = follow(log)
    new()
    with log.open("a") as old:
        log.rename(log.with_name("app.log.1"))
        append(log, "new1")
        old.write("old3\n")
        old.flush()
        assert sorted(new()) == ["new1", "old3"]
        old.write("old4\n")
        old.flush()
        append(log, "new2")
        assert sorted(new()) == ["new2", "old4"]


def test_renamed_in_a_followed_folder(log: Path, follow: Follow) -> None:
    new = follow(log.parent)
    new()
    log.rename(log.with_name("app.log.1"))
    append(log, "new")
    append(log.with_name("app.log.1"), "old")
    assert sorted(new()) == ["new", "old"]
    packed = log.with_name("app.log.1.gz")
    packed.write_bytes(gzip.compress(log.with_name("app.log.1").read_bytes()))
    log.with_name("app.log.1").unlink()
    assert new() == []


def test_copied_and_cut(log: Path, follow: Follow) -> None:
    new = follow(log)
    new()
    append(log, 3)  # not read yet
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, "a")
    assert sorted(new()) == ["3", "a"]
    assert new() == []


def test_cut_and_written_beyond_the_old_place(log: Path, follow: Follow) -> None:
    new = follow(log)
    new()
    os.truncate(log, 0)
    append(log, *"abcdefgh")
    assert new() == list("abcdefgh")


def test_cut_and_the_same_lines_again_are_new_lines(log: Path, follow: Follow) -> None:
    new = follow(log)
    new()
    os.truncate(log, 0)
    append(log, 1)
    assert new() == ["1"]


def test_a_copy_that_is_written_while_it_is_followed(log: Path, follow: Follow) -> None:
    append(log, *range(3000))
    new = follow(log.parent)
    assert len(new()) == 3002
    whole, copy = log.read_bytes(), log.with_name("copy.log")
    copy.write_bytes(whole[:6000])
    assert new() == []
    with copy.open("ab") as stream:
        stream.write(whole[6000:] + b"more\n")
    assert new() == ["more"]


def test_two_copies_of_what_is_new_are_read_once(
    log: Path, follow: Follow, read_new: Reader
) -> None:
    read_new(log)
    append(log, 3)
    shutil.copy(log, log.with_name("app.log.1"))
    log.with_name("app.log.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.write_text("new\n")
    new = follow(log)
    assert sorted(new()) == ["3", "new"]


def test_two_copies_of_what_is_new_are_read_once_in_one_go(log: Path, read_new: Reader) -> None:
    read_new(log)
    append(log, 3)
    shutil.copy(log, log.with_name("app.log.1"))
    log.with_name("app.log.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.write_text("new\n")
    assert read_new(log.parent) == ["3", "new"]


def test_more_files_than_may_be_open(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_OPEN", 3)
    monkeypatch.setattr(files, "QUIET_S", -1.0)
    for n in range(20):
        append(tmp_path / f"{n}.log", f"line{n}")
    new = follow(tmp_path)
    assert len(new()) == 20
    assert not new._files._open


def test_a_packed_file_that_was_empty_at_first(tmp_path: Path, follow: Follow) -> None:
    packed = tmp_path / "a.gz"
    packed.touch()
    new = follow(tmp_path)
    assert new() == []
    packed.write_bytes(gzip.compress(b"1\n"))
    assert new() == ["1"]


def test_gone_and_back(log: Path, follow: Follow) -> None:
    new = follow(log)
    new()
    log.unlink()
    assert new() == []
    append(log, "x", "y", "z")
    assert new() == ["x", "y", "z"]


def test_files_that_appear_in_a_folder(tmp_path: Path, follow: Follow) -> None:
    new = follow(tmp_path)
    assert new() == []
    append(tmp_path / "a.log", "a")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"b\n"))
    assert sorted(new()) == ["a", "b"]


def test_a_quiet_file_is_closed_and_goes_on_when_it_grows(
    log: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "QUIET_S", -1.0)
    new = follow(log)
    assert new() == ["1", "2"]
    assert not new._files._open
    append(log, 3)
    assert new() == ["3"]
    os.truncate(log, 0)
    append(log, 1)
    assert new() == ["1"]


def test_rotated_while_nobody_read(log: Path, read_new: Reader) -> None:
    read_new(log)
    append(log, 3)
    log.rename(log.with_name("app.log.1"))
    append(log, "new")
    append(log.with_name("app.log.other"), "not a log")
    assert read_new(log) == ["3", "new"]
    assert read_new(log) == []


def test_copied_and_cut_while_nobody_read(log: Path, read_new: Reader) -> None:
    read_new(log)
    append(log, 3)
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.write_text("new\n")
    assert read_new(log) == ["3", "new"]


def test_it_stops_while_there_is_more_to_read(log: Path, memory: FakeMemory) -> None:
    append(log, *range(200_000))
    asked = iter([False] * 4 + [True] * 9)
    read = [r for r in Files([log], memory, 1 << 20, print).follow(lambda: next(asked), 0.001) if r]
    assert 0 < len(read) < 5


def test_a_file_that_cant_be_read_is_told_and_the_others_are_read(
    tmp_path: Path, read_new: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path / "a.log", "a")
    append(tmp_path / "b.log", "b")
    real = Path.open

    def refuse(self: Path, *args: str, **named: int) -> object:
        if self.name == "a.log":
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    assert read_new(tmp_path) == ["b"]
    assert read_new.notes == [f"can't read {tmp_path}/a.log: Permission denied"]


def test_time_passes_between_two_looks(log: Path, memory: FakeMemory) -> None:
    began = time.monotonic()
    looks = iter([False] * 20)
    reads = Files([log], memory, 1 << 20, print).follow(lambda: next(looks, True), 0.01)
    assert len([r for r in reads if r]) == 1
    assert time.monotonic() - began > 0.02
