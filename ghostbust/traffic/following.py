"""Reads files to their end, once or as they grow: rotated, cut or copied, no line twice.

::

    the paths ─▶ files ─▶ where each was left ─▶ blocks ─▶ … and again, until it is told to stop

- renamed, with a new file under the old name: the old one is read on until nothing was written to
  it for some seconds, the new one from its first line;
- copied and cut (copytruncate): what the copy holds beyond the place where the log was left is
  read there, the log from its first line;
- rotated while nobody read: of a log that was read before, the files beside it that began under
  its name are looked through for the one that goes on where it was left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ghostbust.errors import UsageError
from ghostbust.traffic.blocks import Block
from ghostbust.traffic.interface import Memory
from ghostbust.traffic.log_file import PACKED, LogFile
from ghostbust.traffic.sources import files_of, rotated

QUIET_S: Final = 10.0
"""how long a file is kept open after the last write: a renamed log's writer may not know yet"""

MOST_OPEN: Final = 200
"""files that are open before quiet ones are closed at once"""

Read = tuple[LogFile, Block] | None
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
