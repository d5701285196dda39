"""Whose names a list holds, where the prompt doesn't say: PyPI's, unless the list shows npm."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ghostbust.extractors.list_items import read_item
from ghostbust.extractors.package_names import scan_name
from ghostbust.extractors.vocabulary import PACKAGE_STEMS, word_set
from ghostbust.records import Ecosystem

_AROUND = "`*_\"'()[]{}<>|,;:.-+"
_WORD = re.compile(r"[a-z0-9\u00df-\u024f]+(?:\.[a-z0-9]+)*|[^\W\u0000-\u024f]+")
_PYTHON = word_set("python python3 pip pip3 pypi conda")
_NPM = word_set("npm npx pnpm yarn node.js nodejs package.json")
_JAVASCRIPT = word_set("javascript typescript js node")


def listed_ecosystem(text: str) -> Ecosystem:
    """The registry that the names listed in ``text`` belong to.

    npm's where a name has a scope, or where the text around the list speaks of npm, or of
    packages for JavaScript, and not of Python. What is said of an item decides nothing.
    """
    if any(_is_scoped(word) for word in text.split() if "@" in word[:4]):
        return Ecosystem.NPM
    lines = [_WORD.findall(line.lower()) for line in _around(text)]
    if not any(_PYTHON.intersection(words) for words in lines) and any(map(_is_npm, lines)):
        return Ecosystem.NPM
    return Ecosystem.PYPI


def _is_scoped(word: str) -> bool:
    """True for ``@scope/name``, which no other registry has."""
    name = word.lstrip(_AROUND)
    return name.startswith("@") and scan_name(name, Ecosystem.NPM) > 0


def _around(text: str) -> Iterator[str]:
    """The lines that are no items and say nothing of one."""
    in_table = False
    for line in text.splitlines():
        is_row, in_table = in_table, line.startswith("|")
        if (is_row and in_table) or not line[:1].strip() or _is_item(line):
            continue
        yield line


def _is_item(line: str) -> bool:
    if line[0] in "#|":
        return False
    is_marked = line[1:2].isspace() or not (line[0].isalnum() or line[0] in "*_`\"'(<[")
    is_title = line.rstrip("*_ ").endswith(":")
    return is_marked or line[0].isdigit() or (not is_title and _names_one(line))


def _names_one(line: str) -> bool:
    item = read_item(line[:200], 0, Ecosystem.PYPI)
    return item is not None and item.name.lower() not in _JAVASCRIPT | _NPM


def _is_npm(words: list[str]) -> bool:
    """True for words that speak of npm, or of JavaScript beside a word for packages."""
    if not _NPM.isdisjoint(words):
        return True
    places = [place for place, word in enumerate(words) if word in _JAVASCRIPT]
    beside = (word for at in places for word in words[max(at - 2, 0) : at + 3])
    return bool(places) and (
        len(words) == 1 or any(word.startswith(PACKAGE_STEMS) for word in beside)
    )
