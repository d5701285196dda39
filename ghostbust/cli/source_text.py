"""What ``ghostbust check`` was given, as texts with the packages that they name.

Apart from `sources`, which reads files: names alone, which most calls give, need none of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ghostbust.records import Ecosystem, PackageRef
from ghostbust.registries.names import ref_of

_LONGEST_ADDRESS = 120
"""characters of an address that a message shows"""
STDIN = "-"
PROSE_SUFFIXES = (".md", ".markdown", ".rst")


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What was given, or is named by what was given, and wasn't looked at."""

    what: str
    """a file, a command, an address"""
    why: str
    """in a few words"""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A requirements or constraints file that a text names."""

    path: str
    """as written: relative to the file that names it, or an address"""
    line: int
    """of the text; 0 where that says nothing"""
    is_certain: bool
    """False where the text may speak of another machine, as a Dockerfile does"""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder whose own files say what a command installs: ``npm ci``, ``pip install -e .``."""

    folder: str
    """as the command has it; relative to where it runs"""
    ecosystem: Ecosystem
    unread: Unchecked
    """what is said where nobody reads those files"""
    is_certain: bool
    """False where the command may as well install nothing: ``uv run`` outside of a project"""


@dataclass(frozen=True, slots=True)
class CalledScript:
    """A file that a command runs: a shell's, or Python's by uv, which reads its header."""

    path: str
    folder: str
    """that it is run in"""


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text and the packages that it names; no built-in imports."""

    refs: list[PackageRef]
    """in the order of the text, with spans in it"""
    text: str
    path: str | None = None
    """as the user gave it, ``-`` for standard input; None for what came as an argument"""
    skipped: Sequence[Unchecked] = ()
    files: Sequence[NamedFile] = ()
    """what has to be read too"""
    projects: Sequence[Project] = ()
    """what a command installs without naming a package"""
    scripts: Sequence[CalledScript] = ()

    @property
    def file(self) -> Path | None:
        """The file that it was read from; None for an argument and for standard input."""
        return None if self.path in (None, STDIN) else Path(self.path)


def source_of_name(spec: str) -> SourceText:
    """A single name, as `ref_of` reads it. Raises UsageError."""
    ref = ref_of(spec)
    if ref is None:
        return SourceText([], spec, skipped=(Unchecked(spec, "it comes from no registry"),))
    return SourceText([ref], spec)


def is_prose(path: str) -> bool:
    """True for a text that speaks of packages and installs none."""
    return Path(path).suffix.lower() in PROSE_SUFFIXES


def shown_address(address: str) -> str:
    """An address, or words with one, without credentials and short enough for a line."""
    from ghostbust.registries.judge import without_credentials

    words = " ".join(without_credentials(word) for word in address.split())
    return (
        words[:_LONGEST_ADDRESS] + "…" if len(words) > _LONGEST_ADDRESS else words
    ) or "another index"
