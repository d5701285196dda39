"""The private folder of one program: made empty, and removed whatever the program left there."""

from __future__ import annotations

import contextlib
import os
import shutil
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
    path = tempfile.mkdtemp(prefix=PREFIX)  # mode 0700
    try:
        yield path
    finally:
        try:
            shutil.rmtree(path)
        except (OSError, RecursionError):
            _remove(Path(path))


def _remove(folder: Path) -> None:
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
