"""Whatever the chunks, the same lines come out, with the same places; long ones never do."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ghostbust.loop.ingest.files import HEAD, TAIL, LogBlock, Cutter, LogPlace, digest

LIMIT = 40


def cut(data: bytes, sizes: list[int], cutter: Cutter | None = None) -> tuple[list[LogBlock], Cutter]:
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
