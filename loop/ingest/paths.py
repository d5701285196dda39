"""The files that the paths of a user mean, read once or followed as they grow.

::

    the paths ─▶ Files ─▶ LogFile, where it was left ─▶ Cutter ─▶ LogBlock ─▶ …

Followed, no line is lost or read twice when a log is

- renamed, with a new file under the old name: the old one is read until nothing was written to it
  for some seconds, the new one from its first line;
- copied and cut (copytruncate): the copy is read from the place where the log was left, the log
  from its first line;
- rotated while nobody read: among the files beside the log that begin with its name, the one that
  continues it is found and read.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from ghostbust.errors import UsageError
from ghostbust.loop.ingest.files import PACKED, STDIN, FileStamp, LogBlock, LogFile
from ghostbust.store.traffic import Traffic

STDIN_FILE: Final = Path("/dev/stdin")


def check_paths(paths: Iterable[Path]) -> None:
    """Raises UsageError for a missing path."""
    for path in paths:
        if str(path) != STDIN and not path.exists():
            raise UsageError(f"there is no file or folder {path}")


def is_stream(path: Path) -> bool:
    """True for what can't be read twice, such as a pipe; for `-` too, unless it is a file."""
    try:
        mode = (STDIN_FILE if str(path) == STDIN else path).stat().st_mode
    except OSError:
        return str(path) == STDIN
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths mean, each once, in the order of their last write.

    A folder means every file in it and in its folders, except hidden ones. A path that is gone
    means none.
    """
    found: dict[Path, int] = {}
    for path in paths:
        path = STDIN_FILE if str(path) == STDIN else path
        inside = path.rglob("*") if path.is_dir() else [path]
        for file in inside:
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if not hidden and (stamp := _stamp(file)):
                found.setdefault(file, stamp.written_ns)
    return sorted(found, key=lambda file: (found[file], str(file)))


def rotated(path: Path, since: datetime) -> list[Path]:
    """The files beside a log whose names begin with its name and that were written to since then.

    ``app.log.1``, ``app.log-20261128.gz`` and alike, in the order of their last write. Which of
    them continues the log, their first bytes say (`LogFile.resume`).
    """
    found = {}
    for file in path.parent.iterdir() if path.parent.is_dir() else ():
        if file.name.startswith((f"{path.name}.", f"{path.name}-")):
            stamp = _stamp(file)
            if stamp and stamp.written_ns / 1e9 >= since.timestamp() - 1:
                found[file] = stamp.written_ns
    return sorted(found, key=lambda file: (found[file], file.name))


def _stamp(path: Path) -> FileStamp | None:
    """The state of a regular file; None for anything else."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileStamp.of(status) if stat.S_ISREG(status.st_mode) else None


QUIET_S: Final = 10.0
"""how long a file stays open after the last write: a renamed log may still be written to"""

MOST_OPEN: Final = 200
"""open files; beyond that, quiet ones are closed at once"""

Read = tuple[LogFile, LogBlock] | None
"""a block with its file. None: store what was read before asking for the next block, since another
file may continue where the last one was left; or nothing is new"""


class Files:
    """The files that paths mean, in blocks. For one `once` or one `follow`."""

    def __init__(
        self, paths: Sequence[Path], traffic: Traffic, line_limit: int, note: Callable[[str], None]
    ) -> None:
        """``note`` gets one line for each file that can't be read, or not to its end."""
        self._paths = paths
        self._traffic = traffic
        self._limit = line_limit
        self._note = note
        self._stopped: Callable[[], bool] = lambda: False
        self._open: dict[tuple[int, int], LogFile] = {}
        self._closed: dict[Path, FileStamp] = {}
        self.unfinished = 0
        """files that were closed within a line; its rest waits for the next time"""

    def once(self) -> Iterator[Read]:
        """All blocks that there are, in the order of the files' last write."""
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

        Looks for new ones every ``poll_s`` seconds, and yields None at least as often.
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
        """What is new in the open files. Closes gzip files and quiet ones."""
        for file in list(self._open.values()):
            if self._stopped():
                return
            if file.waits:
                yield None
                file.resume(self._traffic)
            elif file.restart_if_cut():
                yield from self._open_rotated(file.path)
            yield from self._to_end(file)
            if file.packed and not self._stopped() and (block := file.read_last()):
                yield file, block
            if file.packed or time.time() - file.stamp.written_ns / 1e9 > QUIET_S:
                self._close(file)

    def _to_end(self, file: LogFile) -> Iterator[Read]:
        while not self._stopped() and (block := file.read()):
            yield file, block

    def _start(self, path: Path) -> Iterator[Read]:
        """Opens and reads a file, unless it is open or unchanged since it was closed."""
        stamp, last = _stamp(path), self._closed.get(path)
        # Too short to say whether it is a gzip file: opened once it has its first bytes.
        if stamp is None or stamp.size < len(PACKED) or stamp == last:
            return
        if stamp.key in self._open:
            self._open[stamp.key].path = path
            return
        yield from self._open_rotated(path)
        was_cut = last is not None and last.key == stamp.key and stamp.size < last.size
        yield from self._open_file(path, stamp, is_new=was_cut)

    def _open_rotated(self, path: Path) -> Iterator[Read]:
        """Opens and reads the file to which a log was rotated, if there is one."""
        last = self._traffic.last_read(str(path))
        for other in () if last is None else rotated(path, last):
            stamp = _stamp(other)
            if (
                stamp
                and stamp.size >= len(PACKED)
                and stamp.key not in self._open
                and stamp != self._closed.get(other)
            ):
                yield from self._open_file(other, stamp, only_known=True)

    def _open_file(
        self, path: Path, stamp: FileStamp, *, is_new: bool = False, only_known: bool = False
    ) -> Iterator[Read]:
        # The caller stores what was read of other files first: this may be a copy of one of them.
        yield None
        try:
            file = LogFile(path, self._limit)
        except UsageError as exc:
            self._closed[path] = stamp
            self._note(str(exc))
            return
        if not is_new:
            file.resume(self._traffic)
        if only_known and file.id is None:
            file.close()
            return
        self._open[file.key] = file
        yield from self._to_end(file)

    def _close(self, file: LogFile) -> None:
        del self._open[file.key]
        self._closed[file.path] = file.stamp
        self.unfinished += file.unfinished
        if file.damaged:
            self._note(f"{file.path} can't be unpacked to its end: cut off, or still being written")
        file.close()

    def _close_all(self) -> None:
        for file in list(self._open.values()):
            self._close(file)
