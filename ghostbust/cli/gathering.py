"""Everything that ``ghostbust check`` is given: names, files, folders, a command, and the files
that these name in turn.

Whether an argument is a name or a path can't depend on what lies in the current folder: whoever
wrote that could make the check read something else. It depends on how the argument is written.

What reads files is imported where there is one: names alone, which most calls give, need none.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ghostbust.cli.source_text import (
    STDIN,
    NamedFile,
    SourceText,
    Unchecked,
    shown_address,
    source_of_name,
)
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem

_DEEPEST = 20
"""files that name each other in a row"""


@dataclass(slots=True)
class Gathered:
    """What there is to check, and what isn't looked at."""

    sources: list[SourceText] = field(default_factory=list)
    skipped: list[Unchecked] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """lines for the user that change no verdict"""
    folders: list[str] = field(default_factory=list)
    """as given"""
    seen: set[str] = field(default_factory=set)
    """real paths of what was read as a requirements file: by its name, or because one names it"""


def gather(
    names: Sequence[str],
    files: Sequence[str],
    command: str | None = None,
    exclude: Sequence[str] = (),
) -> Gathered:
    """Reads it all, in the order given. Raises UsageError for what can't be read."""
    gathered = Gathered()
    for name in names:
        if name == STDIN or is_path(name):
            _add_path(gathered, name, exclude)
            continue
        if Path(name).exists():
            gathered.notes.append(f"{name}: checked as a package; -f {name} checks the file")
        add_source(gathered, source_of_name(name))
    for file in files:
        _add_path(gathered, file, exclude)
    if command is not None:
        from ghostbust.cli.commands import source_of_command

        add_source(gathered, source_of_command(command))
    return gathered


def is_path(word: str) -> bool:
    """True for an argument that is written like a file or folder, and like no package.

    It has a separator (and is no ``@scope/name``, purl or address), or is a folder's dots, or ends
    as no package's name does (``package.json``, ``answer.md``), or is a dependency file's name.
    """
    if word in (".", "..") or (os.sep != "/" and os.sep in word):
        return True
    if "/" in word:
        is_scoped = word.startswith("@") and word.count("/") == 1
        return not (is_scoped or word.startswith("pkg:") or "://" in word or " @ " in word)
    if "@" in word or not word.strip():
        return False
    if "." not in word and not word.lower().endswith("file"):  # as Pipfile and Dockerfile do
        return False
    from ghostbust.extractors.labels import label_of_file
    from ghostbust.extractors.locks import LOCKS
    from ghostbust.extractors.manifests import MANIFESTS
    from ghostbust.extractors.names import scan_name

    label = label_of_file(word)
    if label in MANIFESTS or label in LOCKS or label == "dockerfile":
        return True
    is_plain = all(char.isalnum() or char in "._-" for char in word)
    return "." in word and is_plain and not scan_name(word, Ecosystem.PYPI)


def add_source(gathered: Gathered, source: SourceText, depth: int = 0) -> None:
    """A source, and the requirements files that it names, and those that they name."""
    gathered.sources.append(source)
    gathered.skipped += source.skipped
    if not source.files:
        return
    from ghostbust.cli.sources import read_source

    who = source.path if source.file else "the command"
    for file in source.files:
        named = f"named in {who}" + (f", line {file.line}" if file.line else "")
        if "://" in file.path:
            what = shown_address(file.path)
            gathered.skipped.append(Unchecked(what, f"{named}, not fetched"))
            continue
        path = _place_of(source, file)
        if os.path.realpath(path) in gathered.seen:
            continue
        is_there = os.path.isfile(path)  # noqa: PTH113 (Path raises for a name that is too long)
        if not is_there or depth >= _DEEPEST:
            if file.is_certain:
                why = "too deep" if depth >= _DEEPEST else "no such file"
                gathered.skipped.append(Unchecked(path, f"{named}, {why}"))
            continue
        gathered.seen.add(os.path.realpath(path))
        try:
            inner = read_source(path, is_given=False, is_requirements=True)
        except UsageError:  # whose text may quote a file that isn't the checked folder's
            gathered.skipped.append(Unchecked(path, f"{named}, no requirements file"))
            continue
        add_source(gathered, inner, depth + 1)


def _place_of(source: SourceText, file: NamedFile) -> str:
    """Where a named file lies: beside what names it; for a command, in the current folder."""
    folder = os.path.dirname(source.path or "") if source.file else ""  # noqa: PTH120
    return os.path.normpath(os.path.join(folder, file.path))  # noqa: PTH118


def _add_path(gathered: Gathered, path: str, exclude: Sequence[str]) -> None:
    """A file or folder that the user named, and what it names."""
    if path != STDIN and Path(path).is_dir():
        gathered.folders.append(path)
        _add_folder(gathered, path, exclude)
        return
    from ghostbust.cli.sources import read_source

    source = read_source(path)
    _note_read(gathered, path)
    add_source(gathered, source)


def _note_read(gathered: Gathered, path: str) -> None:
    from ghostbust.extractors.labels import label_of_file

    if label_of_file(path) == "requirements.txt":
        gathered.seen.add(os.path.realpath(path))


def _add_folder(gathered: Gathered, folder: str, exclude: Sequence[str]) -> None:
    """The files of a folder; one that can't be read is reported, and the others are read."""
    from ghostbust.cli.sources import read_source

    found = walk(folder, exclude)
    gathered.skipped += found.skipped
    for path in found.files:
        if os.path.realpath(path) in gathered.seen:
            continue
        _note_read(gathered, path)
        try:
            source = read_source(path, is_given=False)
        except UsageError as exc:
            gathered.skipped.append(Unchecked(path, str(exc).removeprefix(f"{path}: ")))
            continue
        add_source(gathered, source)
    if not found.files:
        gathered.skipped.append(Unchecked(folder, "it holds no file of a kind that is read"))
    if found.others:
        kinds = ", ".join(counted(found.others))
        total = found.others.total()
        gathered.notes.append(f"{folder}: {total} files of kinds that aren't read ({kinds})")
    if found.left_out:
        more = len(found.left_out) - 5
        shown = ", ".join(found.left_out[:5]) + (f" and {more} more" if more > 0 else "")
        gathered.notes.append(f"{folder}: folders left out: {shown}")


def counted(others: Counter[str]) -> Iterator[str]:
    """``12 .png``, ``3 .rs`` …: the commonest three kinds."""
    most = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
    yield from (f"{count} {kind}" for kind, count in most[:3])
    if len(most) > 3:
        yield f"{sum(count for _, count in most[3:])} more"


@dataclass(slots=True)
class Walk:
    """What a folder holds."""

    files: list[str] = field(default_factory=list)
    """paths of what is looked into: the folder as given, then what is below, sorted"""
    others: Counter[str] = field(default_factory=Counter)
    """files of kinds that aren't read, counted by their suffix, or name where they have none"""
    left_out: list[str] = field(default_factory=list)
    """folders that weren't entered, links to folders among them"""
    skipped: list[Unchecked] = field(default_factory=list)
    """files of kinds that are read, and folders, that can't be"""


def walk(root: str, exclude: Sequence[str] = ()) -> Walk:
    """Everything below a folder, in a fixed order. ``exclude``: patterns of names or inner paths.

    Leaves out folders that tools fill, by their names, and links that lead out. ``.gitignore``
    isn't read and git isn't run: a checkout's own settings make git run programs.
    """
    from ghostbust.extractors.checkout import is_filled

    found = Walk()
    base = Path(os.path.realpath(root))
    waiting = [""]
    while waiting:  # not recursive: a folder may be deeper than Python's stack
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(base / folder), key=lambda entry: entry.name)
        except OSError as exc:
            what = _shown(root, folder)
            found.skipped.append(Unchecked(what, f"can't be read ({exc.strerror})"))
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
                _note_file(found, _shown(root, inner), entry, base)
        waiting += reversed(below)
    found.files.sort(key=lambda path: path.split("/"))
    return found


def _note_file(found: Walk, shown: str, entry: os.DirEntry[str], base: Path) -> None:
    from ghostbust.cli.sources import is_read

    if not is_read(entry.name):
        found.others[Path(entry.name).suffix.lower() or entry.name] += 1
        return
    target = Path(os.path.realpath(entry.path))
    try:
        is_regular = stat.S_ISREG(target.stat().st_mode)
    except OSError:
        is_regular = False
    if entry.is_symlink() and not target.is_relative_to(base):
        found.skipped.append(Unchecked(shown, "a link out of the folder"))
    elif is_regular:
        found.files.append(shown)
    elif not target.is_dir():
        found.skipped.append(Unchecked(shown, "no regular file"))


def _matches(inner: str, patterns: Sequence[str]) -> bool:
    """True where a pattern matches the name, or the path below the folder."""
    name = inner.rpartition("/")[2]
    stripped = (pattern.removeprefix("./").rstrip("/") for pattern in patterns)
    return any(fnmatchcase(name, one) or fnmatchcase(inner, one) for one in stripped)


def _shown(root: str, inner: str) -> str:
    """A path as the user would write it."""
    return os.path.normpath(os.path.join(root, inner))  # noqa: PTH118 (a link stays what it is)
