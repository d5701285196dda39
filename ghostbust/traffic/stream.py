"""Standard input, or another stream that can't be read twice: no place in it is remembered."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

from ghostbust.errors import UsageError
from ghostbust.traffic.blocks import CHUNK, Block, Cutter
from ghostbust.traffic.sources import STDIN


class Stream:
    """A pipe, a terminal or a socket, read in blocks as lines come in."""

    id: None = None
    """nothing is remembered"""
    key = (0, 0)

    def __init__(self, path: Path, line_limit: int, *, number: int | None = None) -> None:
        """Opens the stream: `-` is standard input. ``number``: that of an open one, instead.

        Raises UsageError where it can't be opened.
        """
        self.path = path
        number = sys.stdin.fileno() if number is None and str(path) == STDIN else number
        try:
            self._number = os.open(path, os.O_RDONLY) if number is None else os.dup(number)
        except OSError as exc:
            raise UsageError(f"can't read {path}: {exc.strerror}") from exc
        self._cutter = Cutter(line_limit)
        self.ended = False

    def close(self) -> None:
        """Closes the stream; to be called once."""
        os.close(self._number)

    @property
    def passed(self) -> int:
        """Bytes of the lines that were read, or passed over."""
        return self._cutter.offset

    @property
    def unfinished(self) -> bool:
        """True where the stream ended within a line."""
        return self._cutter.taken > self._cutter.offset

    def read(self, wait_s: float) -> Block | None:
        """The next block; None where no line was completed in that many seconds, or at the end."""
        while not self.ended and select.select([self._number], [], [], wait_s)[0]:
            chunk = os.read(self._number, CHUNK)
            self.ended = not chunk
            if block := self._cutter.take(chunk):
                return block
        return None

    def read_last(self) -> Block | None:
        """A last line without an end, if it is whole."""
        return self._cutter.finish()
