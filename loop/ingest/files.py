"""Standard input, or another stream that can't be read twice: no place in it is remembered."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import select
import stat
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from ghostbust.errors import UsageError
from ghostbust.loop.ingest.formats import Known, Memory

# --- blocks
# Cuts a stream of bytes into blocks of whole lines, and remembers what was passed.
#
# A line longer than the limit is never held in memory: it is dropped as it comes, and counted. The
# fingerprints of what was passed tell a file again under another name, or after a restart.

CHUNK: Final = 256 * 1024
"""bytes read at once: some hundred lines of a chat log"""
HEAD: Final = 4096
"""bytes at the beginning of a file that it is told from others by"""
TAIL: Final = 512
"""bytes in front of a place that say that the file is still the same up to there"""


@dataclass(frozen=True, slots=True)
class LogPlace:
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
class LogBlock:
    """Whole lines in a row."""

    data: bytes
    start: int
    """offset of the first byte of ``data``"""
    line: int
    """1-based number of its first line"""
    too_long: int | None
    """1-based number of the line in front of it that was dropped; None where none was"""
    end: LogPlace
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

    def take(self, chunk: bytes) -> LogBlock | None:
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
        return LogBlock(data, start, line, too_long, end)

    @property
    def looked(self) -> int:
        """The offset up to which `tail` reaches."""
        return self.offset + self._dropped

    def finish(self) -> LogBlock | None:
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
        return LogBlock(data, start, line, None, self._place())

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

    def _place(self) -> LogPlace:
        head = self.head[: min(HEAD, self.offset)]
        return LogPlace(self.offset, self.lines, len(head), digest(head), digest(self.tail))


# --- log_file
# One log file, plain or gzip, read in blocks from where it was left.
#
# A file is known again by its first bytes and by those in front of the place where it was left, so
# neither its name nor its inode matters: a log that was renamed, copied or packed goes on where it
# was, and a new one under the old name begins at its first line. Two files that are the same, byte
# for byte, as far as the one was read are one. What isn't recognised: an old copy that is shorter
# than what was read by now, where that was less than 4 KB.

PACKED = b"\x1f\x8b"
"""the first bytes of a gzip file"""
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)


class LogFile:
    """An open file, at its beginning until `resume`."""

    def __init__(self, path: Path, line_limit: int) -> None:
        """Opens the file. Raises UsageError where it can't be."""
        self.path = path
        self._limit = line_limit
        try:
            self._raw = path.open("rb", buffering=0)
            self.packed = self._raw.read(len(PACKED)) == PACKED
            self._raw.seek(0)
        except OSError as exc:
            raise UsageError(f"can't read {path}: {exc.strerror}") from exc
        self._file = self._from_the_start()
        status = os.fstat(self._raw.fileno())
        self.key = (status.st_dev, status.st_ino)
        """device and inode"""
        self.id: int | None = None
        """the number by which the file is remembered; None for one that isn't yet"""
        self.waits = False
        """True where it is a known file up to its end, but shorter than what was read of that:
        a copy that may still grow, of which nothing may be read"""
        self.damaged = False
        """True where a packed file can't be unpacked further: cut off, or not written yet"""
        self._cutter = Cutter(line_limit)

    def close(self) -> None:
        """Closes the file; does nothing the second time."""
        self._file.close()
        self._raw.close()

    @property
    def size(self) -> int:
        """Bytes on disk now."""
        return os.fstat(self._raw.fileno()).st_size

    @property
    def written_ns(self) -> int:
        """When it was last written to, in ns since 1970."""
        return os.fstat(self._raw.fileno()).st_mtime_ns

    @property
    def passed(self) -> int:
        """Bytes of the lines that were read, or passed over."""
        return self._cutter.offset

    def resume(self, memory: Memory) -> None:
        """Goes on where the file was left, if it is a known one; to be called before `read`."""
        head = self._read_at(0, HEAD)
        found = [
            known
            for size in memory.head_sizes()
            if 0 < size <= len(head)
            for known in memory.find(size, digest(head[:size]))
        ]
        # The same inode first, then what was read furthest: of two copies, both may be known.
        found.sort(key=lambda k: ((k.device, k.inode) == self.key, k.offset), reverse=True)
        for known in found:
            length = min(TAIL, known.offset)
            before = self._read_at(known.offset - length, length)
            self.waits = len(before) < length
            if self.waits or digest(before) == known.tail:
                self._go_on(known, head, before)
                return
        self._file.seek(0)

    def read(self) -> LogBlock | None:
        """The next block; None where no further line is whole yet."""
        while chunk := self._chunk():
            if block := self._cutter.take(chunk):
                return block
        return None

    def read_last(self) -> LogBlock | None:
        """A last line without an end, if it is whole; None for one that is still being written."""
        return None if self.damaged else self._cutter.finish()

    @property
    def unfinished(self) -> bool:
        """True where a last line isn't whole, so that it waits for the next time."""
        return self._cutter.taken > self._cutter.offset

    def restart_if_cut(self) -> bool:
        """Begins anew, and says so, where the file was cut or written over since it was read."""
        if self.packed or self.waits:
            return False
        looked, length = self._cutter.looked, len(self._cutter.tail)
        before = os.pread(self._raw.fileno(), length, looked - length)
        if self.size >= self._cutter.taken and before == self._cutter.tail:
            return False
        self._cutter = Cutter(self._limit)
        self.id = None
        self._file.seek(0)
        return True

    def _from_the_start(self) -> IO[bytes]:
        """What the file holds, unpacked, from its first byte."""
        self._raw.seek(0)
        return cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw) if self.packed else self._raw)

    def _go_on(self, known: Known, head: bytes, before: bytes) -> None:
        self.id = known.id
        self._cutter.offset, self._cutter.lines = known.offset, known.lines
        self._cutter.head, self._cutter.tail = head[: known.offset], before
        self._file.seek(known.offset)

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
            self._file = self._from_the_start()  # what has failed once would say that it is empty
        except OSError as exc:
            raise UsageError(f"can't read {self.path}: {exc.strerror}") from exc
        return data


# --- sources
# Which files are meant by the paths that a user gives.

STDIN: Final = "-"
STDIN_FILE: Final = Path("/dev/stdin")


def check_paths(paths: Iterable[Path]) -> None:
    """Raises UsageError for a path that isn't there."""
    for path in paths:
        if str(path) != STDIN and not path.exists():
            raise UsageError(f"there is no file or folder {path}")


def is_stream(path: Path) -> bool:
    """True for what can't be read twice, such as a pipe: `-` too, unless a file is behind it."""
    try:
        mode = (STDIN_FILE if str(path) == STDIN else path).stat().st_mode
    except OSError:
        return str(path) == STDIN
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant, each once, those that were written to longest ago first.

    A folder means every file in it and in its folders, hidden ones left out. A path that isn't
    there any more means none.
    """
    found: dict[Path, int] = {}
    for path in paths:
        path = STDIN_FILE if str(path) == STDIN else path
        inside = path.rglob("*") if path.is_dir() else [path]
        for file in inside:
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if not hidden and (written := _written(file)) is not None:
                found.setdefault(file, written)
    return sorted(found, key=lambda file: (found[file], str(file)))


def rotated(path: Path, since: datetime) -> list[Path]:
    """The files beside a log that began under its name and were written to since that time.

    ``app.log.1``, ``app.log-20261128.gz`` and alike, those written to longest ago first. Which of
    them it was the caller finds out: by what is remembered of the log.
    """
    found = {}
    for file in path.parent.iterdir() if path.parent.is_dir() else ():
        if file.name.startswith((f"{path.name}.", f"{path.name}-")):
            written = _written(file)
            if written is not None and written / 1e9 >= since.timestamp() - 1:
                found[file] = written
    return sorted(found, key=lambda file: (found[file], file.name))


def _written(path: Path) -> int | None:
    """When a regular file was last written to, in ns since 1970; None for anything else."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns if stat.S_ISREG(status.st_mode) else None


# --- following
# Reads files to their end, once or as they grow: rotated, cut or copied, no line twice.
#
# ::
#
#     the paths ─▶ files ─▶ where each was left ─▶ blocks ─▶ … and again, until it is told to stop
#
# - renamed, with a new file under the old name: the old one is read on until nothing was written
# to
#   it for some seconds, the new one from its first line;
# - copied and cut (copytruncate): what the copy holds beyond the place where the log was left is
#   read there, the log from its first line;
# - rotated while nobody read: of a log that was read before, the files beside it that began under
#   its name are looked through for the one that goes on where it was left.

QUIET_S: Final = 10.0
"""how long a file is kept open after the last write: a renamed log's writer may not know yet"""

MOST_OPEN: Final = 200
"""files that are open before quiet ones are closed at once"""

Read = tuple[LogFile, LogBlock] | None
"""a block with the file that it is of. None: what was given before is to be remembered before the
next is asked for, since another file may go on where the last one was left; nothing may be new"""


class _Stamp(NamedTuple):
    """What a file was like when it was closed."""

    key: tuple[int, int]
    size: int
    written_ns: int


class Files:
    """The files that paths mean, in blocks. For one `once` or one `follow`."""

    def __init__(
        self, paths: Sequence[Path], memory: Memory, line_limit: int, heard: Callable[[str], None]
    ) -> None:
        """``heard`` is told of files that can't be read, or not to their end, one line each."""
        self._paths = paths
        self._memory = memory
        self._limit = line_limit
        self._heard = heard
        self._stopped: Callable[[], bool] = lambda: False
        self._open: dict[tuple[int, int], LogFile] = {}
        self._closed: dict[Path, _Stamp] = {}
        self.unfinished = 0
        """files that were closed within a line, whose rest waits for the next time"""

    def once(self) -> Iterator[Read]:
        """All blocks that there are, those of the longest unwritten file first."""
        try:
            for path in files_of(self._paths):
                yield from self._start(path)
                for file in list(self._open.values()):
                    if block := file.read_last():
                        yield file, block
                    self._close(file)
        finally:
            self._close_all()

    def follow(self, stopped: Callable[[], bool], poll_s: float) -> Iterator[Read]:
        """All blocks that there are and those to come, until ``stopped``.

        Looks for new ones every ``poll_s`` seconds, and gives None at least as often.
        """
        self._stopped = stopped
        try:
            while not stopped():
                for path in files_of(self._paths):
                    yield from self._start(path)
                    if len(self._open) > MOST_OPEN:
                        yield from self._look()
                yield from self._look()
                yield None
                if not stopped():
                    time.sleep(poll_s)
        finally:
            self._close_all()

    def _look(self) -> Iterator[Read]:
        """What is new in the open files; those that are packed, or quiet, are closed."""
        for file in list(self._open.values()):
            if self._stopped():
                return
            if file.waits:
                yield None
                file.resume(self._memory)
            elif file.restart_if_cut():
                yield from self._open_rotated(file.path)
            yield from self._to_end(file)
            if file.packed and not self._stopped() and (block := file.read_last()):
                yield file, block
            if file.packed or time.time() - file.written_ns / 1e9 > QUIET_S:
                self._close(file)

    def _to_end(self, file: LogFile) -> Iterator[Read]:
        while not self._stopped() and (block := file.read()):
            yield file, block

    def _start(self, path: Path) -> Iterator[Read]:
        """Opens and reads a file that isn't open, unless it is as it was when it was closed."""
        stamp, last = _stamp(path), self._closed.get(path)
        if stamp is None or stamp == last:
            return
        if stamp.key in self._open:
            self._open[stamp.key].path = path
            return
        yield from self._open_rotated(path)
        was_cut = last is not None and last.key == stamp.key and stamp.size < last.size
        yield from self._open_file(path, stamp, is_new=was_cut)

    def _open_rotated(self, path: Path) -> Iterator[Read]:
        """Opens and reads what a log was rotated to, if it is a file that goes on with it."""
        last = self._memory.last_read(str(path))
        for other in () if last is None else rotated(path, last):
            stamp = _stamp(other)
            if stamp and stamp.key not in self._open and stamp != self._closed.get(other):
                yield from self._open_file(other, stamp, only_known=True)

    def _open_file(
        self, path: Path, stamp: _Stamp, *, is_new: bool = False, only_known: bool = False
    ) -> Iterator[Read]:
        # What was read of other files is remembered first: this one may be a copy of one of them.
        yield None
        try:
            file = LogFile(path, self._limit)
        except UsageError as exc:
            self._closed[path] = stamp
            self._heard(str(exc))
            return
        if not is_new:
            file.resume(self._memory)
        if only_known and file.id is None:
            file.close()
            return
        self._open[file.key] = file
        yield from self._to_end(file)

    def _close(self, file: LogFile) -> None:
        del self._open[file.key]
        self._closed[file.path] = _Stamp(file.key, file.size, file.written_ns)
        self.unfinished += file.unfinished
        if file.damaged:
            self._heard(
                f"{file.path} can't be unpacked to its end: cut off, or still being written"
            )
        file.close()

    def _close_all(self) -> None:
        for file in list(self._open.values()):
            self._close(file)


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # An empty file isn't opened: whether it will be a packed one, its first bytes say.
    if status.st_size < len(PACKED):
        return None
    return _Stamp((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


# --- stream
# Standard input, or another stream that can't be read twice: no place in it is remembered.


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

    def read(self, wait_s: float) -> LogBlock | None:
        """The next block; None where no line was completed in that many seconds, or at the end."""
        while not self.ended and select.select([self._number], [], [], wait_s)[0]:
            chunk = os.read(self._number, CHUNK)
            self.ended = not chunk
            if block := self._cutter.take(chunk):
                return block
        return None

    def read_last(self) -> LogBlock | None:
        """A last line without an end, if it is whole."""
        return self._cutter.finish()
