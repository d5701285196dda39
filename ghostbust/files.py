"""Files and folders that appear whole or not at all, hashes of files, and a safe import path.

A new file lies beside its place, as ``.NAME.part``, until it is complete and on the disk; then it
replaces the old one at once. Until then the old one stays, even if the process is killed or the
power fails. An error leaves nothing behind. What a killed process left is removed when the same
place is written the next time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Final

from ghostbust.errors import GhostbustError

PRIVATE: Final = 0o600
SHARED: Final = 0o666
"""for everybody whom the umask allows: programs of other users read the file"""


@contextmanager
def whole_file(
    path: Path, *, mode: int = PRIVATE, error: type[GhostbustError] | None = None
) -> Iterator[Path]:
    """A new file to write, which takes the path's place when the block ends well.

    An OSError in the block, or while replacing, is raised as ``error`` with one line; None:
    unchanged.
    """
    aside = _aside(path)
    with _mapped(path, error):
        try:
            aside.unlink(missing_ok=True)
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            yield aside
            _to_disk(aside)
            _take_place(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def write_whole(
    path: Path,
    content: str | bytes,
    *,
    mode: int = PRIVATE,
    error: type[GhostbustError] | None = None,
) -> None:
    """Replaces the file by one with the content, a text as UTF-8. Raises as `whole_file`."""
    with whole_file(path, mode=mode, error=error) as aside:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_folder(
    path: Path, *, private: bool = False, error: type[GhostbustError] | None = None
) -> Iterator[Path]:
    """A new folder to fill, which takes the name ``path`` when the block ends well.

    An existing folder that isn't empty is an error then: remove it in the block to replace it.
    ``private``: mode 0700. Raises as `whole_file`.
    """
    aside = _aside(path)
    with _mapped(path, error):
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True, mode=0o700 if private else 0o777)
            yield aside
            for inner in (*aside.rglob("*"), aside):
                if inner.is_dir() or inner.is_file():
                    _to_disk(inner)
            _take_place(aside, path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def clear_unfinished(folder: Path, name: str = "*") -> None:
    """Removes what a killed process left half-written in the folder, of that name or of any.

    Only for the one process that may write there.
    """
    for aside in folder.glob(f".{name}.part"):
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def sha256_of(source: Path | BufferedReader) -> str:
    """The SHA-256 of a file, by its path or open at its start. Raises OSError."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return sha256_of(file)
    return hashlib.file_digest(source, "sha256").hexdigest()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


@contextmanager
def _mapped(path: Path, error: type[GhostbustError] | None) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if error is None:
            raise
        raise error(f"can't write {path}: {exc.strerror or exc}") from exc


def _take_place(aside: Path, path: Path) -> None:
    aside.replace(path)
    with suppress(OSError):  # some file systems sync no folders
        _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    on_windows = sys.platform == "win32"
    if on_windows and path.is_dir():  # a folder can't be opened there
        return
    handle = os.open(path, os.O_RDWR if on_windows else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Python puts the current folder first on the path of whatever is started with ``-m`` or ``-c``, as
# worker processes and helpers of the standard library are: a ``json.py`` there would run.

SAFE_PATH: Final = "PYTHONSAFEPATH"
_OURS: Final = "ghostbust"
"""any text switches it on; this one marks that `keep_folder_out` did"""


def keep_folder_out() -> None:
    """Makes Python processes started from here leave the current folder out of their path.

    Unless this process itself imports from there, as ``python -m ghostbust`` in a clone does.
    """
    if not {"", str(Path.cwd())} & set(sys.path):
        os.environ.setdefault(SAFE_PATH, _OURS)


def for_users_program() -> Mapping[str, str]:
    """The variables that undo it, for a program that the user's settings name."""
    return {SAFE_PATH: ""} if os.environ.get(SAFE_PATH) == _OURS else {}
