"""A log file or a stream, read in blocks of whole lines, each line once.

A `LogFile` is recognised by its first bytes and by those before the place where it was left, so
neither name nor inode matters: a log that was renamed, copied or packed continues, and a new one
under the old name begins at its first line. Two files that are equal, byte for byte, as far as one
of them was read, are one file. Not recognised: an old copy that is shorter than what was read
since, if that was less than 4 KB.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import select
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, NamedTuple, Self, cast

from ghostbust.errors import UsageError
from ghostbust.store.traffic import ReadFile, Traffic

CHUNK: Final = 256 * 1024
"""bytes read at once: some hundred lines of a chat log"""
HEAD: Final = 4096
"""bytes at the beginning of a file that identify it"""
TAIL: Final = 512
"""bytes before a place that show that the file is still the same up to there"""
STDIN: Final = "-"
"""the path that means standard input"""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """How far a file was read, with fingerprints of what was read."""

    offset: int
    """bytes read; of a gz file, unpacked ones"""
    lines: int
    """lines read"""
    head_bytes: int
    """bytes in ``head``: `HEAD`, or as many as were read"""
    head: str
    """hash of the first ``head_bytes`` bytes"""
    tail: str
    """hash of the last `TAIL` bytes before ``offset``, or of as many as were read"""


@dataclass(frozen=True, slots=True)
class LogBlock:
    """Whole lines in a row."""

    data: bytes
    start: int
    """offset of the first byte of ``data``"""
    line: int
    """1-based number of its first line"""
    too_long: int | None
    """1-based number of the line before it that was dropped; None if none was"""
    end: LogPlace
    """how far the file is read with this block"""


def digest(data: bytes) -> str:
    """The hash of a fingerprint."""
    return hashlib.sha256(data).hexdigest()[:32]


@dataclass
class Cutter:
    """Cuts chunks into blocks of whole lines, from the beginning of a stream or from a place in it.

    A line longer than the limit is never held in memory: it is dropped as it comes, and counted.
    """

    limit: int
    """bytes that a line may have, without its end"""
    offset: int = 0
    """the end of the last block, in bytes"""
    lines: int = 0
    head: bytes = b""
    """the first bytes of the stream, no more than `HEAD`"""
    tail: bytes = b""
    """the last bytes of what was read"""
    _rest: bytearray = field(default_factory=bytearray)
    _dropped: int = 0
    """bytes dropped of a line that is too long and not complete yet"""

    @property
    def taken(self) -> int:
        """Bytes taken from the stream, an incomplete last line included."""
        return self.offset + self._dropped + len(self._rest)

    @property
    def tail_end(self) -> int:
        """The offset up to which `tail` reaches."""
        return self.offset + self._dropped

    def take(self, chunk: bytes) -> LogBlock | None:
        """The block that the chunk completes; None if no line ends in it."""
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
        return LogBlock(data, start, line, too_long, end)

    def finish(self) -> LogBlock | None:
        """A last line without a line break, if it is a JSON value; else None.

        What a program is in the middle of writing is no JSON yet, and waits for the next time.
        """
        try:
            json.loads(bytes(self._rest))
        except (ValueError, RecursionError):
            return None
        data, start, line = bytes(self._rest), self.offset, self.lines + 1
        self._rest.clear()
        self._pass(data, 0)
        return LogBlock(data, start, line, None, self._place())

    def _keep(self, chunk: bytes) -> None:
        if self._dropped or len(self._rest) + len(chunk) > self.limit:
            self._dropped += len(self._rest) + len(chunk)
            self._remember(bytes(self._rest) + chunk)
            self._rest.clear()
        else:
            self._rest += chunk

    def _pass(self, data: bytes, dropped: int) -> None:
        self.offset += dropped + len(data)
        self.lines += data.count(b"\n")
        self._remember(data)

    def _remember(self, data: bytes) -> None:
        """Updates head and tail with the next bytes."""
        if len(self.head) < HEAD:
            self.head += data[: HEAD - len(self.head)]
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]

    def _place(self) -> LogPlace:
        head = self.head[: min(HEAD, self.offset)]
        return LogPlace(self.offset, self.lines, len(head), digest(head), digest(self.tail))


PACKED = b"\x1f\x8b"
"""the first bytes of a gzip file"""
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)


class FileStamp(NamedTuple):
    """The state of a file, to see whether it has changed."""

    key: tuple[int, int]
    """device and inode"""
    size: int
    """bytes on disk"""
    written_ns: int
    """the time of the last write, in ns since 1970"""

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The stamp in a file's status."""
        return cls((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


class LogFile:
    """An open log file, plain or gzip, at its beginning until `resume`."""

    def __init__(self, path: Path, line_limit: int) -> None:
        """Raises UsageError if the file can't be opened."""
        self.path = path
        self._limit = line_limit
        try:
            self._raw = path.open("rb", buffering=0)
            self.packed = self._raw.read(len(PACKED)) == PACKED
            self._raw.seek(0)
        except OSError as exc:
            raise UsageError(f"can't read {path}: {exc.strerror}") from exc
        self._file = self._unpacked()
        self.key = self.stamp.key
        self.id: int | None = None
        """the file's number in the store; None before it has one"""
        self.waits = False
        """True for a copy of a known file that is shorter than what was read of that: it may still
        grow, and nothing of it may be read"""
        self.damaged = False
        """True if a gzip file can't be unpacked further: cut off, or not written yet"""
        self._cutter = Cutter(line_limit)

    def close(self) -> None:
        """Closes the file; does nothing the second time."""
        self._file.close()
        self._raw.close()

    @property
    def stamp(self) -> FileStamp:
        """The file's state now."""
        return FileStamp.of(os.fstat(self._raw.fileno()))

    def resume(self, traffic: Traffic) -> None:
        """Continues where the file was left, if the store knows it; call it before `read`."""
        head = self._read_at(0, HEAD)
        found = [
            known
            for size in traffic.head_sizes()
            if 0 < size <= len(head)
            for known in traffic.find(size, digest(head[:size]))
        ]
        # Of several copies that are known, the same inode first, then the one read furthest.
        found.sort(key=lambda k: ((k.device, k.inode) == self.key, k.offset), reverse=True)
        for known in found:
            length = min(TAIL, known.offset)
            before = self._read_at(known.offset - length, length)
            self.waits = len(before) < length
            if self.waits or digest(before) == known.tail:
                self.id = known.id
                self._cutter.offset, self._cutter.lines = known.offset, known.lines
                self._cutter.head, self._cutter.tail = head[: known.offset], before
                self._file.seek(known.offset)
                return
        self._file.seek(0)

    def read(self) -> LogBlock | None:
        """The next block; None if no further line is complete yet."""
        while chunk := self._chunk():
            if block := self._cutter.take(chunk):
                return block
        return None

    def read_last(self) -> LogBlock | None:
        """A last line without a line break, if it is complete (`Cutter.finish`); else None."""
        return None if self.damaged else self._cutter.finish()

    def read_up_to(self, end: LogPlace) -> ReadFile:
        """The row that stores how far the file was read."""
        return ReadFile(
            self.id, str(self.path), *self.key,
            end.head_bytes, end.head, end.tail, end.offset, end.lines,
        )  # fmt: skip

    @property
    def unfinished(self) -> bool:
        """True if the last line is incomplete and waits for the next time."""
        return self._cutter.taken > self._cutter.offset

    def restart_if_cut(self) -> bool:
        """Starts again if the file was cut or overwritten since it was read; True then."""
        if self.packed or self.waits:
            return False
        end, length = self._cutter.tail_end, len(self._cutter.tail)
        before = _read_at(self._raw.fileno(), end - length, length)
        if self.stamp.size >= self._cutter.taken and before == self._cutter.tail:
            return False
        self._cutter = Cutter(self._limit)
        self.id = None
        self._file.seek(0)
        return True

    def _unpacked(self) -> IO[bytes]:
        """The unpacked file, at its first byte."""
        self._raw.seek(0)
        return cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw) if self.packed else self._raw)

    def _chunk(self) -> bytes:
        if self.waits or self.damaged:
            return b""
        try:
            return self._file.read(CHUNK)
        except _DAMAGED:
            self.damaged = True
            return b""
        except OSError as exc:
            raise UsageError(f"can't read {self.path}: {exc.strerror}") from exc

    def _read_at(self, offset: int, length: int) -> bytes:
        """The bytes there, as many as there are."""
        data = b""
        try:
            self._file.seek(offset)
            while len(data) < length and (part := self._file.read(length - len(data))):
                data += part
        except _DAMAGED:
            self._file = self._unpacked()  # what has failed once would say that it is empty
        except OSError as exc:
            raise UsageError(f"can't read {self.path}: {exc.strerror}") from exc
        return data


def _read_at(number: int, at: int, length: int) -> bytes:
    """What stands there in the open file, whose place stays. As os.pread, which Windows lacks."""
    before = os.lseek(number, 0, os.SEEK_CUR)
    try:
        os.lseek(number, at, os.SEEK_SET)
        return os.read(number, length)
    finally:
        os.lseek(number, before, os.SEEK_SET)


def _has_data(number: int, wait_s: float) -> bool:
    """Whether a stream can be read, or is at its end; Windows says so of sockets only, and waits
    in the reading.
    """
    return sys.platform == "win32" or bool(select.select([number], [], [], wait_s)[0])


class Stream:
    """A pipe, a terminal or a socket, read in blocks as lines come in."""

    id: None = None
    """no place in it is stored"""
    key = (0, 0)

    def __init__(self, path: Path, line_limit: int, *, number: int | None = None) -> None:
        """Opens the stream; `-` is standard input. ``number``: of an open file, instead.

        Raises UsageError if it can't be opened.
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
        """Closes the stream; call it once."""
        os.close(self._number)

    @property
    def unfinished(self) -> bool:
        """True if the stream ended within a line."""
        return self._cutter.taken > self._cutter.offset

    def read(self, wait_s: float) -> LogBlock | None:
        """The next block; None if no line was completed within ``wait_s``, or at the end."""
        while not self.ended and _has_data(self._number, wait_s):
            chunk = os.read(self._number, CHUNK)
            self.ended = not chunk
            if block := self._cutter.take(chunk):
                return block
        return None

    def read_last(self) -> LogBlock | None:
        """A last line without a line break, if it is complete (`Cutter.finish`)."""
        return self._cutter.finish()
