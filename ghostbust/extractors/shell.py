"""Install commands in shell scripts and in prose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ghostbust.extractors.install_commands import installs
from ghostbust.extractors.shell_words import prose_words, read_script
from ghostbust.records import PackageRef


class ShellExtractor:
    """Install commands of a script, a terminal session, a Dockerfile or a notebook line.

    Comments are read as prose, quoted texts (``sh -c "pip install x"``) as scripts of their own.
    Here-documents and variables are not followed.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs; see ``Extractor.find``."""
        if "install" not in text and " add " not in text and " i " not in text:
            return []
        return [_moved(ref, offset) for ref in self._script(text)]

    def _script(self, text: str) -> Iterator[PackageRef]:
        script = read_script(text)
        for command in script.commands:
            yield from installs(command, prose=False)
            for word in command:
                if " " in word.value and (span := word.span(0, len(word.value))) is not None:
                    inner = text[slice(*span)]
                    yield from self.find(inner, span[0])
        for start, end in script.comments:
            yield from ProseExtractor().find(text[start:end], start)


class ProseExtractor:
    """Install commands in sentences, comments, docstrings and string literals.

    A command ends with its line, at the first word that belongs to the sentence, or at
    punctuation: ``run pip install requests and then`` names requests only.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs; see ``Extractor.find``."""
        refs: list[PackageRef] = []
        start = 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            words = prose_words(text, start, end)
            refs += (_moved(ref, offset) for ref in installs(words, prose=True))
            start = end + 1
        return refs


def _moved(ref: PackageRef, by: int) -> PackageRef:
    """The same ref in a text that holds this one at ``by``."""
    return replace(ref, start=ref.start + by, end=ref.end + by)
