"""The private folder of one program: made empty, and removed whatever the program left there.

Its owner holds a lock on it, which the kernel gives back however the owner ends. So the folder
of a gate that was killed is one that can be locked, and the next batch removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

PREFIX = "ghostbust-run-"


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """The path of a new folder that only this user can enter; it is removed afterwards.

    What can't be removed stays, as a temporary file may: it is no reason to lose a result.
    """
    path, lock = _locked_folder()
    try:
        yield path
    finally:
        _remove(Path(path))
        os.close(lock)


def remove_stale_folders() -> None:
    """Removes the private folders of this user whose owner has ended."""
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    for folder in found:
        with contextlib.suppress(OSError):  # in use, or removed by another gate meanwhile
            about = folder.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
                continue
            folder.chmod(0o700)  # else one that its program locked couldn't be opened
            lock = _lock(folder, fcntl.LOCK_NB)
            try:
                _remove(folder)
            finally:
                os.close(lock)


def _locked_folder() -> tuple[str, int]:
    """A new folder, and the descriptor that holds its lock."""
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX)  # mode 0700
        # Before it was locked another gate may have taken it for a stale one.
        with contextlib.suppress(FileNotFoundError):
            lock = _lock(Path(path))
            if Path(path).exists():
                return path, lock
            os.close(lock)


def _lock(folder: Path, flags: int = 0) -> int:
    """A descriptor that holds the folder's lock. Raises OSError where it can't be had."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | flags)
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        _remove_resisting(folder)


def _remove_resisting(folder: Path) -> None:
    """Removes a folder that resists: without permissions, or deeper than Python recurses.

    Folders within folders are moved up before they are looked at, so that no path gets long.
    """
    numbers = count()
    with contextlib.suppress(OSError):
        while folders := _empty(folder):
            for inner in folders:
                for deeper in _empty(inner):
                    deeper.rename(folder / f"{PREFIX}{next(numbers)}")
                inner.rmdir()
        folder.rmdir()


def _empty(folder: Path) -> list[Path]:
    """Removes all that is no folder from ``folder``; returns the folders in it."""
    folder.chmod(0o700)
    folders = []
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                Path(entry.path).unlink()
    return folders
