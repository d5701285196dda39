"""A pipe: lines as they come, and a last one without an end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.loop.ingest.files import Stream


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


def test_a_stream_that_isnt_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read"):
        Stream(tmp_path / "gone", 1000)
