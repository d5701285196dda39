"""Cuts a stream of bytes into blocks of whole lines, and remembers what was passed.

A line longer than the limit is never held in memory: it is dropped as it comes, and counted. The
fingerprints of what was passed tell a file again under another name, or after a restart.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 256 * 1024
"""bytes read at once: some hundred lines of a chat log"""
HEAD: Final = 4096
"""bytes at the beginning of a file that it is told from others by"""
TAIL: Final = 512
"""bytes in front of a place that say that the file is still the same up to there"""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read, and what it looked like up to there."""

    offset: int
    """bytes passed; of a gz file, as they are unpacked"""
    lines: int
    """lines passed"""
    head_bytes: int
    """bytes in ``head``: `HEAD`, or as many as were passed"""
    head: str
    """hash of the first ``head_bytes`` bytes"""
    tail: str
    """hash of the last `TAIL` bytes in front of ``offset``, or of as many as were passed"""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines in a row."""

    data: bytes
    start: int
    """offset of the first byte of ``data``"""
    line: int
    """1-based number of its first line"""
    too_long: int | None
    """1-based number of the line in front of it that was dropped; None where none was"""
    end: Place
    """what is passed once the block has been read"""


def digest(data: bytes) -> str:
    """The hash that fingerprints are made of."""
    return hashlib.sha256(data).hexdigest()[:32]


@dataclass
class Cutter:
    """Takes chunks, gives blocks. From the beginning of a stream, or from a place in it."""

    limit: int
    """bytes that a line may have, without its end"""
    offset: int = 0
    """bytes passed: the end of the last block"""
    lines: int = 0
    head: bytes = b""
    """the first bytes of the stream, as many as were passed and no more than `HEAD`"""
    tail: bytes = b""
    """the last bytes passed"""
    _rest: bytearray = field(default_factory=bytearray)
    _dropped: int = 0
    """bytes dropped of a line that is too long and has no end yet"""

    @property
    def taken(self) -> int:
        """Bytes taken from the stream, those of a line that isn't whole yet included."""
        return self.offset + self._dropped + len(self._rest)

    def take(self, chunk: bytes) -> Block | None:
        """The block that the chunk completes; None where no line ends in it."""
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._keep(chunk)
            return None
        too_long, data = None, chunk[:cut]
        if self._dropped:
            data = data[data.index(b"\n") + 1 :]
            self._pass(chunk[: cut - len(data)], self._dropped)
            too_long, self._dropped = self.lines, 0
        elif self._rest:
            data = bytes(self._rest) + data
        self._rest.clear()
        start, line = self.offset, self.lines + 1
        self._pass(data, 0)
        end = self._place()
        self._keep(chunk[cut:])
        return Block(data, start, line, too_long, end)

    @property
    def looked(self) -> int:
        """The offset up to which `tail` reaches."""
        return self.offset + self._dropped

    def finish(self) -> Block | None:
        """The last line, which has no end, if it is whole: a JSON value; None where it isn't.

        What a program is in the middle of writing is no JSON yet, and stays for the next time.
        """
        try:
            json.loads(bytes(self._rest))
        except (ValueError, RecursionError):
            return None
        data, start, line = bytes(self._rest), self.offset, self.lines + 1
        self._rest.clear()
        self._pass(data, 0)
        return Block(data, start, line, None, self._place())

    def _keep(self, chunk: bytes) -> None:
        if self._dropped or len(self._rest) + len(chunk) > self.limit:
            self._dropped += len(self._rest) + len(chunk)
            self._look_at(bytes(self._rest) + chunk)
            self._rest.clear()
        else:
            self._rest += chunk

    def _pass(self, data: bytes, dropped: int) -> None:
        self.offset += dropped + len(data)
        self.lines += data.count(b"\n")
        self._look_at(data)

    def _look_at(self, data: bytes) -> None:
        """Brings head and tail up to date with bytes that follow what was looked at."""
        if len(self.head) < HEAD:
            self.head += data[: HEAD - len(self.head)]
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]

    def _place(self) -> Place:
        head = self.head[: min(HEAD, self.offset)]
        return Place(self.offset, self.lines, len(head), digest(head), digest(self.tail))
