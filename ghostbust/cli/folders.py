"""The files of a folder that are looked into, in a fixed order, and what is left out.

Folders that tools fill are left out by their names, whatever lies in them, as is what ``--exclude``
matches. ``.gitignore`` isn't read, and git isn't run: a checkout's own settings make it run
programs. Links to folders aren't followed, nor links to files outside of the folder.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ghostbust.cli.sources import Skipped, is_read
from ghostbust.extractors.checkout import is_filled


@dataclass(slots=True)
class Walk:
    """What a folder holds."""

    files: list[str] = field(default_factory=list)
    """paths of what is looked into: the folder as given, then what is below, sorted"""
    others: Counter[str] = field(default_factory=Counter)
    """files of kinds that aren't read, counted by their suffix, or name where they have none"""
    left_out: list[str] = field(default_factory=list)
    """folders that weren't entered, links to folders among them"""
    skipped: list[Skipped] = field(default_factory=list)
    """files of kinds that are read, and folders, that can't be"""


def walk(root: str, exclude: Sequence[str] = ()) -> Walk:
    """Everything below a folder. ``exclude``: patterns of names or of paths below it."""
    found = Walk()
    base = Path(os.path.realpath(root))
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(base / folder), key=lambda entry: entry.name)
        except OSError as exc:
            found.skipped.append(Skipped(_shown(root, folder), f"can't be read ({exc.strerror})"))
            continue
        below = []
        for entry in entries:
            inner = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                if entry.is_symlink() or _matches(inner, exclude) or is_filled(Path(entry.path)):
                    found.left_out.append(_shown(root, inner))
                else:
                    below.append(inner)
            elif not _matches(inner, exclude):
                _note(found, _shown(root, inner), entry, base)
        waiting += reversed(below)
    found.files.sort(key=lambda path: path.split("/"))
    return found


def _note(found: Walk, shown: str, entry: os.DirEntry[str], base: Path) -> None:
    """Puts down a file, or a link."""
    if not is_read(entry.name):
        found.others[Path(entry.name).suffix.lower() or entry.name] += 1
        return
    target = Path(os.path.realpath(entry.path))
    try:
        is_regular = stat.S_ISREG(target.stat().st_mode)
    except OSError:
        is_regular = False
    if entry.is_symlink() and not target.is_relative_to(base):
        found.skipped.append(Skipped(shown, "a link out of the folder"))
    elif is_regular:
        found.files.append(shown)
    elif not target.is_dir():
        found.skipped.append(Skipped(shown, "no regular file"))


def _matches(inner: str, patterns: Sequence[str]) -> bool:
    """True where a pattern matches the name, or the path below the folder."""
    name = inner.rpartition("/")[2]
    stripped = (pattern.removeprefix("./").rstrip("/") for pattern in patterns)
    return any(fnmatchcase(name, one) or fnmatchcase(inner, one) for one in stripped)


def _shown(root: str, inner: str) -> str:
    """A path as the user would write it."""
    return os.path.normpath(os.path.join(root, inner))  # noqa: PTH118 (a link stays what it is)


def counted(others: Counter[str]) -> Iterator[str]:
    """``12 .png``, ``3 .rs`` …: the commonest three kinds."""
    most = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
    yield from (f"{count} {kind}" for kind, count in most[:3])
    if len(most) > 3:
        yield f"{sum(count for _, count in most[3:])} more"
