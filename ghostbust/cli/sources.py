"""Texts that name packages: files, standard input, a command, and the refs in each.

A file is read by what its name says (``extractors.manifests``), else as a list of names, else as
a text to extract from. A dependency file must be sound: here a part that can't be read would be
a package that isn't checked. Does not follow ``-r other.txt`` and does not read lock files.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from ghostbust.cli.names import ref_of
from ghostbust.errors import UsageError
from ghostbust.extractors import Extraction, Language, Unread, examine
from ghostbust.extractors.install_tools import INDEX_OPTIONS
from ghostbust.extractors.literals import Entry, read_object
from ghostbust.extractors.manifests import MANIFESTS, label_of_file
from ghostbust.extractors.notebook import is_notebook
from ghostbust.extractors.package_json import GROUPS
from ghostbust.extractors.package_names import is_placeholder, scan_name
from ghostbust.extractors.pyproject import hidden_names
from ghostbust.extractors.requirement_lines import requirement_lines
from ghostbust.records import Ecosystem, Flag, PackageRef
from ghostbust.registries.names import canonical_name

STDIN = "-"
MOST_BYTES = 8_388_608
"""bytes of a file that is read; reading them takes minutes, and some 50 times as much memory"""
_LIST_SUFFIXES = (".txt", ".in")
_UNREAD_SUFFIXES = (".toml", ".lock", ".cfg")


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the packages that it names; no built-in imports."""

    refs: list[PackageRef]
    """in the order of the text, with spans in it"""
    text: str
    path: str | None = None
    """as the user gave it, ``-`` for standard input; None for what came as an argument"""
    unread: list[Unread] = field(default_factory=list)
    """parts that take too much to be read, so that what they name isn't among the refs"""


def read_text(source: str) -> str:
    """The text of a file, or of standard input for ``-``; line ends stay as they are.

    What isn't UTF-8 becomes U+FFFD. Raises UsageError for a file that can't be read, or is longer
    than ``MOST_BYTES``: no more is read, not even of a pipe or a device.
    """
    try:
        data = _bytes_of(source)
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise UsageError(f"{source}: can't be read ({why})") from exc
    if len(data) > MOST_BYTES:
        raise UsageError(f"{source}: has more than {MOST_BYTES:,} bytes; split it, or give a part")
    return data.decode("utf-8", "replace")


def _bytes_of(source: str) -> bytes:
    """The first bytes of a file or of standard input, one more than may be."""
    if source == STDIN:
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(source).open("rb") as file:
        return file.read(MOST_BYTES + 1)


def source_of_name(spec: str) -> Source:
    """A single name, as `ref_of` reads it. Raises UsageError."""
    ref = ref_of(spec)
    return Source([] if ref is None else [ref], spec)


def source_of_command(command: str) -> Source:
    """A shell command, and the packages that it would install.

    Names such as ``foo`` are no placeholders here: somebody asks about this very command.
    """
    found = examine(_without_placeholders(command), language=Language.SHELL)
    refs = []
    for ref in found.refs:
        raw = command[ref.start : ref.end]
        name = ref.name if raw == ref.raw else canonical_name(ref.ecosystem, raw)
        refs.append(replace(ref, raw=raw, name=name))
    return Source(refs, command, unread=found.unread)


def _without_placeholders(command: str) -> str:
    """The command with another name, of the same length, in the place of each placeholder."""
    words = ["".join(letters) for _, letters in groupby(command, str.isspace)]
    for at, word in enumerate(words):
        length = scan_name(word, Ecosystem.NPM)
        if length and is_placeholder(word[:length]):
            words[at] = "q" * length + word[length:]
    return "".join(words)


def read_source(source: str) -> Source:
    """A file, or standard input for ``-``, with the packages that it names.

    Raises UsageError for a file that can't be read, or not as what its name says.
    """
    label = label_of_file(source)
    suffix = Path(source).suffix
    if suffix in _UNREAD_SUFFIXES and label not in MANIFESTS:
        raise UsageError(
            f"{source}: such {suffix} files aren't read; give a requirements file, a"
            " pyproject.toml, a package.json or a text"
        )
    text = read_text(source)
    found = _examined(source, label, text)
    return Source(found.refs, text, source, found.unread)


def _examined(source: str, label: str, text: str) -> Extraction:
    if label == "requirements.txt":
        return Extraction(list(_requirements(source, text)))
    if source == STDIN or Path(source).suffix in _LIST_SUFFIXES:
        label = "package.json" if text.lstrip("\ufeff \t\r\n").startswith("{") else ""
        if not label:
            try:
                return Extraction(list(_requirements(source, text)))
            except UsageError:
                pass  # no list of names, so a text with names in it
        elif is_notebook(text):
            label = ""
    _check_syntax(source, label, text)
    name = label if label in MANIFESTS else source
    found = examine(text, filename=name)
    return Extraction([ref for ref in found.refs if not ref.builtin], found.unread)


def _requirements(source: str, text: str) -> Iterator[PackageRef]:
    """The names in lines as pip reads them; ``name@npm`` too. Raises UsageError."""
    lines = list(requirement_lines(text))
    private = any(line.option in INDEX_OPTIONS[Ecosystem.PYPI] for line in lines)
    flags = frozenset({Flag.PRIVATE_INDEX} if private else ())
    for line in lines:
        if line.option or line.is_elsewhere:
            continue
        words = line.words
        try:
            ref = ref_of(words.value.partition(" --")[0])
        except UsageError as exc:
            raise UsageError(f"{source}, line {line.number}: {exc}") from exc
        if ref is not None:
            at = words.value.find(ref.raw)
            span = words.span(at, at + len(ref.raw)) if at >= 0 else None
            # a purl, or a name on two lines, is written in another way: all of it, then
            start, end = span or (words.at[0], words.at[-1] + 1)
            yield replace(ref, raw=text[start:end], start=start, end=end, flags=flags)


def _check_syntax(source: str, label: str, text: str) -> None:
    """Raises UsageError for a file that isn't what its name says."""
    text = text.removeprefix("\ufeff")
    try:
        if label in ("pyproject.toml", "pipfile"):
            tomllib.loads(text)
            for name in hidden_names(text):
                raise _escaped(source, name)
        elif label == "package.json":
            _check_package_json(source, text)
    except (ValueError, RecursionError) as exc:
        kind = "JSON" if label == "package.json" else "TOML"
        raise UsageError(f"{source}: isn't valid {kind} ({exc})") from exc


def _check_package_json(source: str, text: str) -> None:
    manifest = json.loads(text)
    if not isinstance(manifest, dict):
        raise UsageError(f"{source}: isn't a JSON object")
    groups = [manifest.get(group, {}) for group in GROUPS]
    if not all(isinstance(group, dict) for group in groups):
        raise UsageError(f"{source}: its dependencies aren't objects of names and versions")
    for entry in read_object(text):
        if len(entry.path) == 2 and entry.path[0].value in GROUPS and _is_escaped(entry):
            raise _escaped(source, entry.path[1].value)


def _escaped(source: str, name: str) -> UsageError:
    return UsageError(f"{source}: has escapes in the dependency {name!r}; write it plainly")


def _is_escaped(entry: Entry) -> bool:
    """True for a dependency whose name isn't in one piece in the text, so that none is found."""
    key = entry.path[1]
    wanted = entry.value.placed() if entry.value else None
    parts = [key, wanted] if wanted and wanted.value.startswith("npm:") else [key]
    return any(part.value and part.span(0, len(part.value)) is None for part in parts)
