"""Which files are meant by the paths that a user gives."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from ghostbust.errors import UsageError

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
