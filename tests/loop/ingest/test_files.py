"""Files are cut into whole lines and known again."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostbust.loop.ingest.files import HEAD, TAIL, Cutter, LogBlock, LogPlace, Stream, digest
from ghostbust.store.traffic import Traffic
from tests.loop.ingest.conftest import NewLines

LIMIT = 40


def cut(
    data: bytes, sizes: list[int], cutter: Cutter | None = None
) -> tuple[list[LogBlock], Cutter]:
    cutter = cutter or Cutter(LIMIT)
    blocks, at = [], 0
    for size in [*sizes, len(data)]:
        if block := cutter.take(data[at : at + size]):
            blocks.append(block)
        at += size
    return blocks, cutter


def kept_lines(data: bytes) -> list[tuple[int, bytes]]:
    """The whole lines under the limit, numbered."""
    lines = data.split(b"\n")[:-1]
    return [(n, line) for n, line in enumerate(lines, start=1) if len(line) <= LIMIT]


@given(
    st.lists(st.integers(0, 3 * LIMIT), max_size=12),
    st.booleans(),
    st.lists(st.integers(1, 2 * LIMIT), max_size=20),
)
def test_lines_are_whole_numbered_and_placed(
    lengths: list[int], ends: bool, sizes: list[int]
) -> None:
    data = b"\n".join(bytes([97 + n % 26]) * length for n, length in enumerate(lengths))
    data += b"\n" if ends else b""
    blocks, _ = cut(data, sizes)
    got = [
        (number, line)
        for block in blocks
        for number, line in enumerate(block.data.split(b"\n")[:-1], start=block.line)
        if len(line) <= LIMIT
    ]
    assert got == kept_lines(data)
    for block in blocks:
        assert data[block.start : block.start + len(block.data)] == block.data
    if blocks:
        end = data.rfind(b"\n") + 1
        head, tail = data[: min(HEAD, end)], data[max(0, end - TAIL) : end]
        expected = LogPlace(end, data.count(b"\n"), len(head), digest(head), digest(tail))
        assert blocks[-1].end == expected


def test_a_long_line_is_told_once_and_never_kept() -> None:
    cutter = Cutter(LIMIT)
    assert cutter.take(b"short\n" + b"x" * 30) is not None
    for _ in range(1000):
        assert cutter.take(b"x" * 1000) is None
    assert len(cutter._rest) == 0
    block = cutter.take(b"x\nnext\n")
    assert block is not None
    assert (block.data, block.line, block.too_long) == (b"next\n", 3, 2)
    assert block.end.offset == 6 + 30 + 1_000_000 + 1 + 1 + 5


def test_it_goes_on_in_the_middle_as_if_it_had_begun_at_the_start() -> None:
    rng = random.Random(3)
    data = b"".join(b"%d\n" % rng.randrange(10**12) for _ in range(2000))
    whole, _ = cut(data, [1000] * 40)
    first, _ = cut(data[: whole[4].end.offset], [777] * 40)
    place = first[-1].end
    later = Cutter(LIMIT, place.offset, place.lines, data[:HEAD][: place.offset],
                   data[max(0, place.offset - TAIL) : place.offset])  # fmt: skip
    rest, _ = cut(data[place.offset :], [333] * 100, later)
    assert rest[-1].end == whole[-1].end


def test_a_last_line_without_end_counts_only_if_it_is_whole() -> None:
    for text, whole in ((b'{"text": "a"}', True), (b'{"text": "a', False), (b"", False)):
        _, cutter = cut(b"\n" + text, [])
        block = cutter.finish()
        assert (block is not None) is whole
        assert cutter.offset == 1 + len(text) * whole
        assert cutter.taken == 1 + len(text)


@pytest.mark.parametrize("lines", [3, 5000])
def test_under_another_name_copied_and_packed(
    tmp_path: Path, read_new: NewLines, traffic: Traffic, lines: int
) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"{n}\n" for n in range(lines)))
    assert len(read_new(log)) == lines
    moved = log.rename(tmp_path / "b.log")
    assert read_new(moved) == []
    with moved.open("a") as stream:
        stream.write("new\n")
    shutil.copy(moved, tmp_path / "c.log")
    with traffic._connection.write() as connection:  # as if moved to another disk
        connection.execute("UPDATE ingest_files SET device = 0, inode = 0")
    assert read_new(tmp_path / "c.log") == ["new"]
    packed = tmp_path / "c.log.gz"
    packed.write_bytes(gzip.compress(moved.read_bytes() + b"newer\n"))
    assert read_new(packed) == ["newer"]
    assert read_new(packed) == []
    if lines > 3:  # a file under 4 KB is known by all that was read of it
        assert read_new(moved, tmp_path / "c.log") == []


def test_a_new_file_on_the_old_inode_is_new(tmp_path: Path, read_new: NewLines) -> None:
    log = tmp_path / "a.log"
    log.write_text("1\n2\n")
    read_new(log)
    log.write_text("7\n")  # shorter, on the same inode
    assert read_new(log) == ["7"]
    log.write_text("8\n9\n10\n11\n")  # longer
    assert read_new(log) == ["8", "9", "10", "11"]


def test_two_files_with_the_same_beginning_are_two(tmp_path: Path, read_new: NewLines) -> None:
    head = "".join(f"{n}\n" for n in range(3000))
    (tmp_path / "a.log").write_text(head + "a\n")
    (tmp_path / "b.log").write_text(head + "b\n")
    assert read_new(tmp_path / "a.log")[-1] == "a"
    assert read_new(tmp_path / "b.log")[-1] == "b"


def test_a_copy_that_is_still_written_waits(tmp_path: Path, read_new: NewLines) -> None:
    log, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    data = "".join(f"{n}\n" for n in range(3000)).encode()
    log.write_bytes(data)
    read_new(log)
    copy.write_bytes(data[:9000])
    assert read_new(copy) == []
    copy.write_bytes(data + b"more\n")
    assert read_new(copy) == ["more"]


def test_a_line_without_end_waits_unless_it_is_whole(tmp_path: Path, read_new: NewLines) -> None:
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
    tmp_path: Path, read_new: NewLines
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


def test_lines_come_as_they_are_written() -> None:
    out, into = os.pipe()
    stream = Stream(Path("-"), 1000, number=out)
    os.close(out)
    assert stream.read(0.01) is None
    assert not stream.ended
    os.write(into, b'1\n2\n{"a"')
    block = stream.read(1)
    assert block is not None
    assert block.data == b"1\n2\n"
    os.write(into, b": 1}")
    assert stream.read(0.01) is None
    assert stream.unfinished
    os.close(into)
    assert stream.read(1) is None
    assert stream.ended
    last = stream.read_last()
    assert last is not None
    assert (last.data, last.line) == (b'{"a": 1}', 3)
    assert not stream.unfinished
    stream.close()
