"""Which files paths mean; a followed log gives each line once."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.loop.ingest import paths
from ghostbust.loop.ingest.files import LogFile, Stream
from ghostbust.loop.ingest.paths import Files, check_paths, files_of, is_stream, rotated
from ghostbust.store.traffic import Traffic
from tests.loop.ingest.conftest import NewLines, keep


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
    for opened in (LogFile, Stream):
        with pytest.raises(UsageError, match="can't read"):
            opened(tmp_path / "gone", 1000)


class Follower:
    """A follower that looks once each time it is asked."""

    def __init__(self, traffic: Traffic, *paths: Path) -> None:
        self.traffic = traffic
        self.notes: list[str] = []
        self._files = Files(paths, traffic, 1 << 20, self.notes.append)
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
                keep(self.traffic, *read)
                said += read[1].data.decode().split()
        return said

    def stop(self) -> None:
        self._stop = True
        assert list(filter(None, self._reads)) == []


Follow = Callable[..., Follower]


@pytest.fixture
def follow(traffic: Traffic) -> Iterator[Follow]:
    made: list[Follower] = []

    def start(*paths: Path) -> Follower:
        made.append(Follower(traffic, *paths))
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


def rotate(log: Path) -> None:
    log.rename(log.with_name("app.log.1"))
    append(log, "new")
    append(log.with_name("app.log.other"), "not a log")


def copy_and_cut(log: Path) -> None:
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, "new")


def copy_twice_and_cut(log: Path) -> None:
    log.with_name("app.log.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    copy_and_cut(log)


@pytest.mark.parametrize("change", [rotate, copy_and_cut, copy_twice_and_cut])
@pytest.mark.parametrize("meanwhile", ["followed", "nobody read"])
def test_a_rotated_log_is_read_once(
    log: Path, follow: Follow, read_new: NewLines, change: Callable[[Path], None], meanwhile: str
) -> None:
    if meanwhile == "followed":
        new = follow(log)
        new()
    else:
        read_new(log)
    append(log, 3)  # not read yet
    change(log)
    read = new if meanwhile == "followed" else partial(read_new, log)
    assert sorted(read()) == ["3", "new"]
    assert read() == []


def test_copies_of_what_is_new_are_read_once_in_a_folder(log: Path, read_new: NewLines) -> None:
    read_new(log)
    append(log, 3)
    copy_twice_and_cut(log)
    assert read_new(log.parent) == ["3", "new"]


@pytest.mark.parametrize("lines", [list("abcdefgh"), ["1"], ["1", "2", "3"]])
def test_a_log_that_was_cut_is_read_from_its_first_line(
    log: Path, follow: Follow, lines: list[str]
) -> None:
    """Also if it is longer than before, or has the same lines again."""
    new = follow(log)
    new()
    os.truncate(log, 0)
    assert new() == []
    append(log, *lines)
    assert new() == lines


def test_a_log_that_was_deleted_and_made_again(log: Path, follow: Follow) -> None:
    new = follow(log)
    new()
    log.unlink()
    assert new() == []
    append(log, "x", "y", "z")
    assert new() == ["x", "y", "z"]


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


def test_more_files_than_may_be_open(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "MOST_OPEN", 3)
    monkeypatch.setattr(paths, "QUIET_S", -1.0)
    for n in range(20):
        append(tmp_path / f"{n}.log", f"line{n}")
    new = follow(tmp_path)
    assert len(new()) == 20
    assert not new._files._open


def test_files_that_appear_in_a_folder(tmp_path: Path, follow: Follow) -> None:
    new = follow(tmp_path)
    assert new() == []
    append(tmp_path / "a.log", "a")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"b\n"))
    (tmp_path / "c.gz").touch()  # packed, and not written yet
    assert sorted(new()) == ["a", "b"]
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"c\n"))
    assert new() == ["c"]


def test_a_quiet_file_is_closed_and_goes_on_when_it_grows(
    log: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "QUIET_S", -1.0)
    new = follow(log)
    assert new() == ["1", "2"]
    assert not new._files._open
    append(log, 3)
    assert new() == ["3"]
    os.truncate(log, 0)
    append(log, 1)
    assert new() == ["1"]


def test_it_stops_while_there_is_more_to_read(log: Path, traffic: Traffic) -> None:
    append(log, *range(200_000))
    asked = iter([False] * 4 + [True] * 9)
    read = [
        r for r in Files([log], traffic, 1 << 20, print).follow(lambda: next(asked), 0.001) if r
    ]
    assert 0 < len(read) < 5


def test_a_file_that_cant_be_read_is_told_and_the_others_are_read(
    tmp_path: Path, read_new: NewLines, monkeypatch: pytest.MonkeyPatch
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


def test_time_passes_between_two_looks(log: Path, traffic: Traffic) -> None:
    began = time.monotonic()
    looks = iter([False] * 20)
    reads = Files([log], traffic, 1 << 20, print).follow(lambda: next(looks, True), 0.01)
    assert len([r for r in reads if r]) == 1
    assert time.monotonic() - began > 0.02
