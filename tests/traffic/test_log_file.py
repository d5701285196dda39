"""A file is known again by what stands in it, not by its name or inode."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.loop.ingest.files import LogFile
from tests.traffic.conftest import FakeMemory, Reader


def test_what_was_read_is_passed_over(tmp_path: Path, read_new: Reader) -> None:
    log = tmp_path / "a.log"
    log.write_text("1\n2\n")
    assert read_new(log) == ["1", "2"]
    assert read_new(log) == []
    with log.open("a") as stream:
        stream.write("3\n")
    assert read_new(log) == ["3"]


@pytest.mark.parametrize("lines", [3, 5000])
def test_under_another_name_copied_and_packed(
    tmp_path: Path, read_new: Reader, memory: FakeMemory, lines: int
) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"{n}\n" for n in range(lines)))
    assert len(read_new(log)) == lines
    moved = log.rename(tmp_path / "b.log")
    assert read_new(moved) == []
    with moved.open("a") as stream:
        stream.write("new\n")
    shutil.copy(moved, tmp_path / "c.log")
    memory.forget_inodes()
    assert read_new(tmp_path / "c.log") == ["new"]
    packed = tmp_path / "c.log.gz"
    packed.write_bytes(gzip.compress(moved.read_bytes() + b"newer\n"))
    assert read_new(packed) == ["newer"]
    assert read_new(packed) == []
    if lines > 3:  # what is less than 4 KB is told by all that was read of it
        assert read_new(moved, tmp_path / "c.log") == []


def test_a_new_file_on_the_old_inode_is_new(tmp_path: Path, read_new: Reader) -> None:
    log = tmp_path / "a.log"
    log.write_text("1\n2\n")
    read_new(log)
    log.write_text("7\n")  # shorter, on the same inode
    assert read_new(log) == ["7"]
    log.write_text("8\n9\n10\n11\n")  # longer
    assert read_new(log) == ["8", "9", "10", "11"]


def test_two_files_with_the_same_beginning_are_two(tmp_path: Path, read_new: Reader) -> None:
    head = "".join(f"{n}\n" for n in range(3000))
    (tmp_path / "a.log").write_text(head + "a\n")
    (tmp_path / "b.log").write_text(head + "b\n")
    assert read_new(tmp_path / "a.log")[-1] == "a"
    assert read_new(tmp_path / "b.log")[-1] == "b"


def test_a_copy_that_is_still_written_waits(tmp_path: Path, read_new: Reader) -> None:
    log, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    data = "".join(f"{n}\n" for n in range(3000)).encode()
    log.write_bytes(data)
    read_new(log)
    copy.write_bytes(data[:9000])
    assert read_new(copy) == []
    copy.write_bytes(data + b"more\n")
    assert read_new(copy) == ["more"]


def test_a_line_without_end_waits_unless_it_is_whole(tmp_path: Path, read_new: Reader) -> None:
    log = tmp_path / "a.log"
    log.write_text('1\n{"text":')
    assert (read_new(log), read_new.unfinished) == (["1"], 1)
    with log.open("a") as stream:
        stream.write('"x"}')
    assert (read_new(log), read_new.unfinished) == (['{"text":"x"}'], 0)
    with log.open("a") as stream:
        stream.write("\n2\n")
    assert read_new(log) == ["2"]


def test_a_packed_file_that_is_cut_off_goes_on_when_it_is_whole(
    tmp_path: Path, read_new: Reader
) -> None:
    lines = [f"{n * n}" for n in range(100_000)]
    whole = gzip.compress("\n".join([*lines, ""]).encode())
    packed = tmp_path / "a.gz"
    packed.write_bytes(whole[: len(whole) // 2])
    first = read_new(packed)
    assert first == lines[: len(first)]
    assert "cut off" in read_new.notes[0]
    packed.write_bytes(whole)
    assert first + read_new(packed) == lines


def test_what_cant_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read"):
        LogFile(tmp_path / "missing", 1000)
