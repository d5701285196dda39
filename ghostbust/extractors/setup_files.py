"""The packages that ``setup.py`` and ``setup.cfg`` name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ghostbust.extractors.literals import read_literal
from ghostbust.extractors.placed import plain
from ghostbust.extractors.requirement_lines import manifest_ref
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, PackageRef

_KEYWORD = re.compile(
    r"\b(?:install_requires|setup_requires|tests_require|extras_require)[\"']?[ \t]*[=:][ \t]*"
    r"(?=[\[{(])"
)
_OPTIONS = word_set("install_requires setup_requires tests_require")


class SetupPyExtractor:
    """Requirements in the lists of a ``setup(install_requires=[…])``, as they are written.

    Lists that are put together at run time are not followed.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        position = 0
        while (keyword := _KEYWORD.search(text, position)) is not None:
            entries, position = read_literal(text, keyword.end())
            before = text[max(keyword.start() - 200, 0) : keyword.start()].rpartition("\n")[2]
            if "#" in before:
                continue
            for entry in entries:
                if entry.value is not None:
                    cut = not entry.value.closed
                    spec = entry.value.placed()
                    yield from manifest_ref(spec, Ecosystem.PYPI, offset, cut=cut)


class SetupCfgExtractor:
    """Requirements under ``[options]`` and ``[options.extras_require]``."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        for start, end in _values(text):
            yield from manifest_ref(plain(text, start, end), Ecosystem.PYPI, offset)


def is_setup_cfg(text: str) -> bool:
    """True where an INI text names requirements as setuptools reads them."""
    return any(_values(text))


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Places of the requirements, one a line."""
    section, wanted, position = "", False, 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            continue
        lead = len(line) - len(line.lstrip())
        if not lead:
            if bare.startswith("["):
                section, wanted = bare.strip("[] "), False
                continue
            key, _, value = bare.partition("=")
            is_option = section == "options" and key.strip() in _OPTIONS
            wanted = is_option or section == "options.extras_require"
            lead = line.find("=") + 1 if value.strip() else len(line)
        if wanted and line[lead:].strip() and not bare.startswith("file:"):
            yield start + lead, start + len(line[: _comment(line)].rstrip())


def _comment(line: str) -> int:
    found = line.find(" #")
    return len(line) if found < 0 else found
