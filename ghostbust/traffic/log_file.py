"""One log file, plain or gzip, read in blocks from where it was left.

A file is known again by its first bytes and by those in front of the place where it was left, so
neither its name nor its inode matters: a log that was renamed, copied or packed goes on where it
was, and a new one under the old name begins at its first line. Two files that are the same, byte
for byte, as far as the one was read are one. What isn't recognised: an old copy that is shorter
than what was read by now, where that was less than 4 KB.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import IO, cast

from ghostbust.errors import UsageError
from ghostbust.traffic.blocks import CHUNK, HEAD, TAIL, Block, Cutter, digest
from ghostbust.traffic.interface import Known, Memory

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

    def read(self) -> Block | None:
        """The next block; None where no further line is whole yet."""
        while chunk := self._chunk():
            if block := self._cutter.take(chunk):
                return block
        return None

    def read_last(self) -> Block | None:
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
