"""Install commands in shell scripts and in prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ghostbust.extractors.install_commands import installs
from ghostbust.extractors.install_tools import PROGRAMS
from ghostbust.extractors.interface import Extractor
from ghostbust.extractors.literals import Entry, read_literal
from ghostbust.extractors.named_indexes import (
    IndexSetting,
    latest,
    setting_of_command,
    setting_of_variable,
)
from ghostbust.extractors.placed import Placed
from ghostbust.extractors.shell_words import Document, prose_words, read_script
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import PackageRef

_SETTING = word_set("export ENV ARG set setx")
_REDIRECTIONS = word_set("> >> 1> 1>> tee -a")
_SAYING = word_set("echo printf Write-Host Write-Output git gh")
"""programs whose quoted texts are for people"""
_SHELLS = word_set("sh bash zsh dash ksh RUN ssh sudo")
_MAY_CALL = re.compile("|".join(map(re.escape, PROGRAMS))).search
"""finds the name of a program that installs, whatever is around it: most sentences have none"""


@dataclass(frozen=True, slots=True)
class ShellExtractor:
    """Install commands of a script, a terminal session, a Dockerfile or a notebook line.

    Comments and the output of tools aren't read. Quoted texts (``sh -c "pip install x"``) are
    scripts of their own, and so is the exec form of a Dockerfile (``["pip", "install", "x"]``).
    Variables are not followed.
    """

    reader_of: Callable[[str], Iterable[Extractor]] | None = None
    """the readers for a here-document, by the name of the file or program that takes it;
    without it, here-documents are read as prose"""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs, and what here-documents hold; see ``Extractor.find``."""
        if not any(program in text for program in PROGRAMS) and "<<" not in text:
            return []
        return [moved(ref, offset) for ref in self._script(text)]

    def _script(self, text: str) -> Iterator[PackageRef]:
        script = read_script(text)
        settings: tuple[IndexSetting, ...] = ()
        for command in script.commands:
            yield from installs(command, prose=False, settings=settings)
            settings = latest((*settings, *_index_settings(command)))
            yield from self._quoted(text, command)
        for words in _exec_forms(text):
            yield from installs(words, prose=False)
            yield from self._quoted(text, words)
        for document in script.documents:
            yield from self._document(text, document)

    def _quoted(self, text: str, words: Sequence[Placed]) -> Iterator[PackageRef]:
        """What quoted texts hold as scripts of their own, or as prose where they are said."""
        says = any(word.value in _SAYING for word in words[:3])
        reader: Extractor = ProseExtractor() if says else self
        for word in words:
            if " " in word.value and (span := word.span(0, len(word.value))) is not None:
                yield from reader.find(text[slice(*span)], span[0])

    def _document(self, text: str, document: Document) -> Iterator[PackageRef]:
        """The refs of a here-document, read as what it is written into or fed to."""
        body = text[document.start : document.end]
        readers: Iterable[Extractor] = (ProseExtractor(),)
        name = _target(document.command)
        if name in _SHELLS:
            readers = (self,)
        elif self.reader_of is not None:
            readers = tuple(self.reader_of(name)) or readers
        for reader in readers:
            yield from reader.find(body, document.start)


class CommandListExtractor:
    """Install commands written as a list of strings, in files of any kind; nothing else."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs; see ``Extractor.find``."""
        for words in _exec_forms(text):
            yield from (moved(ref, offset) for ref in installs(words, prose=False))


def _exec_forms(text: str) -> Iterator[list[Placed]]:
    """The words of each list of strings that stands on its own."""
    position = text.find("[")
    while position >= 0:
        entries: list[Entry] = []
        end = position + 1
        if text[position + 1 : position + 3].lstrip(" ")[:1] in ('"', "'"):
            entries, end = read_literal(text, position)
        yield [entry.value.placed() for entry in entries if entry.value is not None]
        position = text.find("[", end)


class ProseExtractor:
    """Install commands in sentences, comments, docstrings and string literals.

    A command ends with its line (unless a backslash continues it), at the first word that
    belongs to the sentence, or at punctuation: ``run pip install requests and then`` names
    requests only. A line that is commented out is none: one of a notebook (``# !pip install x``),
    and one right beside a line that is a command without any comment mark.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs; see ``Extractor.find``."""
        refs: list[PackageRef] = []
        words: list[Placed] = []
        start = 0
        is_script, script_end = False, 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            if start >= script_end and "#" in text:
                is_script, script_end = _commands_from(text, start)
            line = text[start:end]
            if not words and not line.rstrip().endswith("\\") and not _MAY_CALL(line):
                start = end + 1
                continue
            if not _is_commented_out(line, is_script=is_script):
                words += prose_words(text, start, end)
            start = end + 1
            if words and words[-1].value == "\\":
                words.pop()
                continue
            refs += (moved(ref, offset) for ref in installs(words, prose=True))
            words = []
        refs += (moved(ref, offset) for ref in installs(words, prose=True))
        return refs


def moved(ref: PackageRef, by: int) -> PackageRef:
    """The same ref in a text that holds this one at ``by``."""
    return replace(ref, start=ref.start + by, end=ref.end + by)


def _is_commented_out(line: str, *, is_script: bool) -> bool:
    """True for a notebook's shell line behind a ``#``; in a script for any command behind one."""
    bare = line.lstrip()
    behind = bare.lstrip("# \t")
    return bare.startswith("#") and (behind[:1] in ("!", "%") or (is_script and _calls(behind)))


def _commands_from(text: str, start: int) -> tuple[bool, int]:
    """(whether one of the lines from ``start`` up to a blank one is a command, their end)."""
    is_script = False
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end].strip()
        start = end
        if not line:
            break
        is_sentence = line.endswith((".", ":", "!", "?")) and not line.endswith(" .")
        is_script |= _calls(line) and not is_sentence
    return is_script, start


def _calls(line: str) -> bool:
    """True where a line begins with the name of an installer."""
    return line.removeprefix("$ ").partition(" ")[0] in PROGRAMS


def _index_settings(words: Sequence[Placed]) -> Iterator[IndexSetting]:
    """The indexes that the installers ask after a command."""
    values = [word.value for word in words[:8]]
    said: list[IndexSetting | None] = [setting_of_command(values)]
    if values and values[0] in _SETTING:
        for value, behind in zip(values[1:], [*values[2:], ""], strict=False):
            said.append(setting_of_variable(value if "=" in value else f"{value}={behind}"))
    elif values and values[0].startswith("$env:"):
        said.append(setting_of_variable("".join(values)))
    yield from (setting for setting in said if setting is not None)


def _target(words: Sequence[Placed]) -> str:
    """The file that a command writes to, else the program that it runs; empty for neither."""
    values = [word.value for word in words]
    for number, value in enumerate(values[:-1]):
        if value in _REDIRECTIONS and not values[number + 1].startswith("-"):
            return values[number + 1]
    glued = next((v.lstrip("1>") for v in values if v.startswith((">", "1>")) and len(v) > 2), "")
    return glued or (values[0].rpartition("/")[2] if values else "")
