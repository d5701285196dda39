"""Everything that ``ghostbust check`` is given: names, files, folders, a command, and what they
name in turn.

Which argument is a name and which a path can't depend on what lies in the current folder: whoever
wrote that could make the check look elsewhere. So a word counts as a path by how it is written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ghostbust.cli.folders import counted, walk
from ghostbust.cli.named_indexes import shown_address
from ghostbust.cli.sources import (
    STDIN,
    NamedFile,
    Skipped,
    Source,
    read_source,
    source_of_command,
    source_of_name,
)
from ghostbust.errors import UsageError
from ghostbust.extractors.lock_files import LOCKS
from ghostbust.extractors.manifests import MANIFESTS, label_of_file
from ghostbust.extractors.package_names import scan_name
from ghostbust.records import Ecosystem

_DEEPEST = 20
"""files that name each other in a row"""


@dataclass(slots=True)
class Gathered:
    """What there is to check, and what isn't looked at."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """lines for the user that change no verdict"""
    folders: list[str] = field(default_factory=list)
    """as given"""
    seen: set[str] = field(default_factory=set)
    """real paths of what was read as a requirements file: by its name, or because one names it"""

    def add(self, source: Source) -> None:
        """A source, with what it wasn't looked at of it."""
        self.sources.append(source)
        self.skipped += source.skipped


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
        gathered.add(source_of_name(name))
    for file in files:
        _add_path(gathered, file, exclude)
    if command is not None:
        source = source_of_command(command)
        gathered.add(source)
        _follow(gathered, source, 0)
    return gathered


def is_path(word: str) -> bool:
    """True for an argument that is written like a file or folder, and like no package.

    It has a separator (and is no ``@scope/name``, purl or address), or is a folder's dots, or ends
    as no package's name does (``package.json``, ``answer.md``), or is a dependency file's name.
    """
    if word in (".", ".."):
        return True
    if "/" in word:
        is_scoped = word.startswith("@") and word.count("/") == 1
        return not (is_scoped or word.startswith("pkg:") or "://" in word or " @ " in word)
    if "@" in word or not word.strip():
        return False
    label = label_of_file(word)
    is_named = label in MANIFESTS or label in LOCKS or label == "dockerfile"
    return is_named or ("." in word and not scan_name(word, Ecosystem.PYPI) and _is_plain(word))


def _is_plain(word: str) -> bool:
    return all(char.isalnum() or char in "._-" for char in word)


def _add_path(gathered: Gathered, path: str, exclude: Sequence[str]) -> None:
    """A file or folder that the user named, and what it names."""
    if path != STDIN and Path(path).is_dir():
        gathered.folders.append(path)
        _add_folder(gathered, path, exclude)
        return
    source = read_source(path)
    _note_read(gathered, path)
    gathered.add(source)
    _follow(gathered, source, 0)


def _note_read(gathered: Gathered, path: str) -> None:
    if label_of_file(path) == "requirements.txt":
        gathered.seen.add(os.path.realpath(path))


def _add_folder(gathered: Gathered, folder: str, exclude: Sequence[str]) -> None:
    """The files of a folder; one that can't be read is said, and the others are read."""
    found = walk(folder, exclude)
    gathered.skipped += found.skipped
    for path in found.files:
        if os.path.realpath(path) in gathered.seen:
            continue
        _note_read(gathered, path)
        try:
            source = read_source(path, is_given=False)
        except UsageError as exc:
            gathered.skipped.append(Skipped(path, str(exc).removeprefix(f"{path}: ")))
            continue
        gathered.add(source)
        _follow(gathered, source, 0)
    if not found.files:
        gathered.skipped.append(Skipped(folder, "it holds no file of a kind that is read"))
    gathered.notes += _said_of(folder, found.others, found.left_out)


def _said_of(folder: str, others: Counter[str], left_out: Sequence[str]) -> Iterator[str]:
    if others:
        total = sum(others.values())
        yield f"{folder}: {total} files of kinds that aren't read ({', '.join(counted(others))})"
    if left_out:
        shown = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if left_out[5:] else "")
        yield f"{folder}: folders left out: {shown}"


def _follow(gathered: Gathered, source: Source, depth: int) -> None:
    """Reads the requirements files that a source names, and those that they name."""
    for file in source.files:
        if "://" in file.path:
            gathered.skipped.append(
                Skipped(shown_address(file.path), f"{_named_by(source, file)}, not fetched")
            )
            continue
        path = _place(source, file)
        if os.path.realpath(path) in gathered.seen:
            continue
        if not Path(path).is_file() or depth >= _DEEPEST:
            if file.is_certain:
                why = "too deep" if depth >= _DEEPEST else "no such file"
                gathered.skipped.append(Skipped(path, f"{_named_by(source, file)}, {why}"))
            continue
        gathered.seen.add(os.path.realpath(path))
        try:
            inner = read_source(path, is_given=False, is_requirements=True)
        except UsageError:  # whose text may quote a file that isn't the checked folder's
            why = f"{_named_by(source, file)}, no requirements file"
            gathered.skipped.append(Skipped(path, why))
            continue
        gathered.add(inner)
        _follow(gathered, inner, depth + 1)


def _place(source: Source, file: NamedFile) -> str:
    """Where a named file lies: beside what names it; for a command, in the current folder."""
    folder = os.path.dirname(source.path) if source.path not in (None, STDIN) else ""  # noqa: PTH120
    return os.path.normpath(os.path.join(folder, file.path))  # noqa: PTH118


def _named_by(source: Source, file: NamedFile) -> str:
    who = source.path if source.path not in (None, STDIN) else "the command"
    return f"named in {who}" + (f", line {file.line}" if file.line else "")
