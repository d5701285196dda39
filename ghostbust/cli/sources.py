"""Texts that name packages: files, standard input, a command, and the refs in each.

A file is read by what it is: a requirements file or a list of names, a ``package.json``, or
else a text to extract from.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ghostbust.cli.manifests import package_json, requirement_lines
from ghostbust.cli.names import ref_of
from ghostbust.errors import UsageError
from ghostbust.extractors import Language, extract
from ghostbust.extractors.package_names import is_placeholder, scan_name
from ghostbust.records import Ecosystem, PackageRef
from ghostbust.registries.names import canonical_name

STDIN = "-"
_REQUIREMENT_SUFFIXES = (".txt", ".in")
_UNREAD_SUFFIXES = (".toml", ".lock", ".cfg")


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the packages that it names; no built-in imports."""

    refs: list[PackageRef]
    """in the order of the text, with spans in it"""
    text: str
    path: str | None = None
    """as the user gave it, ``-`` for standard input; None for what came as an argument"""


def read_text(source: str) -> str:
    """The text of a file, or of standard input for ``-``; line ends stay as they are.

    What isn't UTF-8 becomes U+FFFD. Raises UsageError for a file that can't be read.
    """
    if source == STDIN:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return Path(source).read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise UsageError(f"{source}: can't be read ({why})") from exc


def source_of_name(spec: str) -> Source:
    """A single name, as `ref_of` reads it. Raises UsageError."""
    ref = ref_of(spec)
    return Source([] if ref is None else [ref], spec)


def source_of_command(command: str) -> Source:
    """A shell command, and the packages that it would install.

    Names such as ``foo`` are no placeholders here: somebody asks about this very command.
    """
    found = extract(_without_placeholders(command), language=Language.SHELL)
    refs = []
    for ref in found:
        raw = command[ref.start : ref.end]
        name = ref.name if raw == ref.raw else canonical_name(ref.ecosystem, raw)
        refs.append(replace(ref, raw=raw, name=name))
    return Source(refs, command)


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
    path = Path(source)
    if path.suffix in _UNREAD_SUFFIXES:
        raise UsageError(
            f"{source}: {path.suffix} files aren't read; give a requirements file, a package.json"
            " or a text"
        )
    text = read_text(source)
    return Source(_refs(source, path, text), text, source)


def _refs(source: str, path: Path, text: str) -> list[PackageRef]:
    if path.name == "package.json":
        return list(package_json(source, text))
    if path.suffix in _REQUIREMENT_SUFFIXES and path.stem.startswith(
        ("requirements", "constraints")
    ):
        return list(requirement_lines(source, text))
    if source == STDIN or path.suffix in _REQUIREMENT_SUFFIXES:
        if text.lstrip("\ufeff \t\r\n").startswith("{"):
            return list(package_json(source, text))
        try:
            return list(requirement_lines(source, text))
        except UsageError:
            pass  # no list of names, so a text with names in it
    return [ref for ref in extract(text) if not ref.builtin]
