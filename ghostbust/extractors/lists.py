"""Package names in lists written as prose. Only for answers to a prompt that asked for a list.

An item is a line behind a bullet or number, a line of its own, a part of a comma list, or a cell
of a table below a heading such as Package. It names a package if a name stands there alone, or is
set apart from what is said about it (``list_items``). Sentences, headings, titles of several words
and calls such as ``requests.get()`` are no items. Everything else is taken as written: whether a
listed ``matplotlib.pyplot`` is a package is the registry's to say.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ghostbust.extractors.list_arrays import array_items
from ghostbust.extractors.list_items import Item, read_item
from ghostbust.extractors.list_tables import name_cells
from ghostbust.extractors.package_names import canonical, is_placeholder
from ghostbust.extractors.stdlib import is_stdlib
from ghostbust.extractors.vocabulary import SENTENCE_WORDS, word_set
from ghostbust.records import Ecosystem, PackageRef, RefKind

_MARKER = re.compile(
    r"[ \t>]*(?:[-*+–](?=[ \t])|[•·]|\(?\d{1,3}(?:[.):](?=[ \t]|[A-Za-z`*\[])|\))"
    r"|[a-z][.)](?=[ \t])|\d{1,2}\ufe0f?\u20e3|[^\x00-\x7f\w\s]{1,4}(?=[ \t]))"  # a) or 1️⃣ or ✅
    r"[ \t]*(?:\[[ xX]\][ \t]+)?"
)
_NUMBERED_HEADING = re.compile(r"#{1,6}[ \t]+\d{1,3}[.):][ \t]+")
_LABELS = word_set(
    "pypi pip package packages name names library libraries module modules install python"
)
_INTRODUCING = _LABELS | word_set(
    "dependency dependencies need needs needed require requires required requirements use answer"
)
_NEEDING = word_set("need needs require requires install packages libraries dependencies")
_NOWHERE = 10**9
"""an indent that no line has"""
_CATEGORIES = word_set(
    "web http api backend frontend server client networking network database databases db data "
    "orm plotting plots charts visualization visualisation graphics image images imaging audio "
    "video math maths statistics ml ai nlp llm vision parsing parser scraping testing tests test "
    "linting formatting typing validation serialization security cryptography crypto auth "
    "authentication logging monitoring async concurrency caching messaging queue utilities utils "
    "development dev production deployment gui ui ux cli state styling routing forms build "
    "bundler tooling misc other others extras additional required core optional"
)
"""titles that a list of names may stand behind: ``Testing: pytest, tox``"""
_SCRIPTS = word_set(
    "main.py app.py utils.py util.py config.py models.py views.py urls.py setup.py server.py "
    "client.py test.py tests.py script.py run.py manage.py settings.py index.py example.py "
    "helpers.py cli.py index.js app.js main.js server.js script.js config.js utils.js test.js"
)
_NEVER = _SCRIPTS | word_set(
    "python python2 python3 pypi task output input note notes example examples answer question "
    "code explanation description summary overview introduction conclusion usage features title "
    "prelude purpose link links url version license author documentation docs website homepage "
    "repository github source type pros cons benefits advantages alternatives optional core "
    "step steps import imports function class true false none n/a e.g i.e etc todo prerequisites"
)


@dataclass(frozen=True, slots=True)
class ListExtractor:
    """Names in lists of packages, of the one ecosystem that the prompt asked for."""

    ecosystem: Ecosystem

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """LIST refs; see ``Extractor.find``. Lines that hold an install command have none."""
        if listed := array_items(text, self.ecosystem):
            return [self._ref(item, offset) for item in listed if self._is_package(item)]
        refs = self._in_tables(text, offset)
        bare: list[tuple[int, list[Item]]] = []
        introduced = True
        position, below = 0, _NOWHERE
        for line in text.splitlines(keepends=True):
            start, position = position, position + len(line)
            if not line.strip():
                continue
            marker = _MARKER.match(line)
            if marker is None:
                items = self._bare_line(line)
                if items:
                    bare.append((start, items))
                    # a lower-case name in bold heads what is said of it below
                    introduced |= line.startswith("**") and items[0].name.islower()
                    continue
            refs += self._settled(bare, offset, introduced=introduced)
            bare = []
            introduced = line.rstrip().rstrip("*").endswith(":")
            items = self._items(line, marker.end()) if marker else self._in_sentence(line)
            indent = len(line) - len(line.lstrip())
            if marker and items and below <= indent and _is_attribute(line, items):
                continue
            if items or not indent:
                below = indent + 2 if items else _NOWHERE
            refs += (self._ref(item, offset + start) for item in items)
        return refs + self._settled(bare, offset, introduced=introduced)

    def is_bare_list(self, text: str) -> bool:
        """True for a list in a code fence: an array, or a text of which every line is an item."""
        if self.is_array(text):
            return True
        lines = [line for line in text.splitlines() if line.strip()]
        return bool(lines) and all(self._line(line) for line in lines)

    def is_array(self, text: str) -> bool:
        """True where ``text`` is nothing but an array of names, which no dependency file is."""
        return bool(array_items(text, self.ecosystem))

    def _line(self, line: str) -> list[Item]:
        """Names in a line, with or without a bullet."""
        marker = _MARKER.match(line)
        return self._items(line, marker.end()) if marker else self._bare_line(line)

    def _settled(
        self, bare: list[tuple[int, list[Item]]], offset: int, *, introduced: bool
    ) -> list[PackageRef]:
        """Refs of lines without a bullet: a run of them, or one behind a colon or at the start."""
        items = [item for _, line in bare for item in line]
        if len(items) < 2 and not (introduced and all(item.alone for item in items)):
            return []
        return [self._ref(item, offset + start) for start, line in bare for item in line]

    def _ref(self, item: Item, offset: int) -> PackageRef:
        start = offset + item.start
        return PackageRef(
            self.ecosystem, RefKind.LIST, item.name, start, start + len(item.name),
            name=canonical(self.ecosystem, item.name),
            builtin=self.ecosystem is Ecosystem.PYPI and is_stdlib(item.name),
        )  # fmt: skip

    def _in_tables(self, text: str, offset: int) -> list[PackageRef]:
        refs = []
        for start, end in name_cells(text):
            cell = text[start:end]
            item = self._item(cell, 0)
            items = self._comma_list(cell, 0) or ([item] if item and self._is_package(item) else [])
            refs += [self._ref(item, offset + start) for item in items]
        return refs

    def _items(self, line: str, start: int) -> list[Item]:
        """Names in a line behind its bullet or number."""
        if _has_install(line):
            return []
        listed = self._comma_list(line, start)
        if listed:
            return listed
        item = self._item(line, start)
        behind = self._behind_title(line, start, item)
        if behind:
            return behind
        return [item] if item is not None and self._is_package(item) else []

    def _behind_title(self, line: str, start: int, titled: Item | None) -> list[Item]:
        """Names behind a title: ``Data handling: pandas, numpy``, ``Parser: `lxml```.

        None where the title itself is an item, unless it is a label or a category.
        """
        colon, value = _title_end(line, start)
        title = line[start:colon].strip(" \t*_`").lower()
        if colon < 0 or (titled is not None and title not in _LABELS | _CATEGORIES):
            return []
        listed = self._comma_list(line, value)
        single = self._item(line, value)
        if listed or single is None or not single.alone or not self._is_package(single):
            return listed
        is_label = title in _LABELS
        return [single] if is_label or (single.sure and title not in _NEVER) else []

    def _bare_line(self, line: str) -> list[Item]:
        """Names in a line without a bullet that is nothing but an item or a comma list."""
        if _has_install(line) or line.startswith(("#", "|", "<", "\t", "    ")):
            return []
        if line.rstrip().rstrip("*_").endswith(":"):
            return []
        start = len(line) - len(line.lstrip("> ")) if line.startswith(">") else 0
        listed = self._comma_list(line, start)
        if listed:
            return listed
        item = self._item(line, start)
        if item is None or not self._is_package(item):
            return []
        if item.name.lower() in _CATEGORIES and not item.alone:
            return []
        return [item] if item.alone or line.lstrip()[0] not in "`*_[" else []

    def _in_sentence(self, line: str) -> list[Item]:
        """Names in a numbered heading, or in a list that ends a sentence.

        ``You need: requests, numpy and rich.``, ``It needs `requests` and `numpy`.``
        """
        if _has_install(line):
            return []
        if heading := _NUMBERED_HEADING.match(line):
            item = self._item(line, heading.end())
            is_name = item is not None and self._is_package(item)
            return [item] if item and is_name and (item.sure or item.name[0].islower()) else []
        colon = line.rfind(": ")
        about = {word.strip("`*_") for word in line[: max(colon, 0)].lower().split()}
        if not about.isdisjoint(_INTRODUCING):
            return self._comma_list(line, colon + 1)
        colon, value = _title_end(line, 0)
        if colon > 0 and line[:colon].strip(" \t*_").lower() in _CATEGORIES:
            return self._comma_list(line, value)
        return self._coded(line)

    def _coded(self, line: str) -> list[Item]:
        """The names in backticks at the end of a sentence that says what is needed."""
        before, is_there, _ = line.partition("`")
        words = before.lower().split()
        if not is_there or not words or words[-1] not in _NEEDING:
            return []
        item = self._item(line, len(before))
        items = self._comma_list(line, len(before))
        single = [item] if item is not None and item.alone and self._is_package(item) else []
        return items or single

    def _comma_list(self, line: str, start: int) -> list[Item]:
        """Names between commas from ``start`` on; none unless they are two, and all parts names."""
        end = len(line.rstrip().rstrip(".;,"))
        begin = start + len(line[start:end]) - len(line[start:end].lstrip())
        if line[begin : begin + 1] in ("[", "(") and line[end - 1 : end] in ("]", ")"):
            begin, end = begin + 1, end - 1
        items: list[Item] = []
        position = begin
        mark = "," if "," in line[begin:end] else ";"
        for part in line[begin:end].split(mark):
            lead = len(part) - len(part.lstrip())
            words = part.split(None, 1)
            if items and len(words) == 2 and words[0] in ("and", "or", "&"):
                lead = part.index(words[1], lead + len(words[0]))
            halves = self._last_two(line, position + lead, position + len(part))
            for at, stop in halves:
                item = read_item(line[at:stop], at, self.ecosystem)
                if item is None or not item.alone or not self._is_package(item):
                    return []
                items.append(item)
            position += len(part) + 1
        return items if len(items) > 1 else []

    def _last_two(self, line: str, start: int, end: int) -> list[tuple[int, int]]:
        """``numpy and rich`` as two places; anything else as one."""
        words = line[start:end].split()
        if len(words) == 3 and words[1] in ("and", "or", "&"):
            second = line.index(words[2], start + len(words[0]) + len(words[1]) + 1)
            return [(start, start + len(words[0])), (second, second + len(words[2]))]
        return [(start, end)]

    def _item(self, line: str, start: int) -> Item | None:
        return read_item(line[start:], start, self.ecosystem)

    def _is_package(self, item: Item) -> bool:
        """False for words that stand in lists and are no package names."""
        plain = item.name.lower()
        if plain in _NEVER or keyword.iskeyword(item.name) or is_placeholder(item.name):
            return False
        is_next = self.ecosystem is Ecosystem.NPM and item.name == "next"  # the framework
        return item.sure or is_next or plain not in SENTENCE_WORDS


def _is_attribute(line: str, items: list[Item]) -> bool:
    """True for what is said of the item above: ``- Language: Python``, ``- License: MIT``."""
    item = items[0]
    colon = line.startswith(":", item.start + len(item.name))
    return colon and len(items) == 1 and item.name[0].isupper() and not item.alone


def _title_end(line: str, start: int) -> tuple[int, int]:
    """(place of the first colon that ends a title, place behind it and its markup); else -1, -1."""
    colon = line.find(":", start)
    while colon >= 0:
        value = colon + 1
        while line[value : value + 1] in ("*", "_"):
            value += 1
        if line[value : value + 1].isspace():
            return colon, value
        colon = line.find(":", value)
    return -1, -1


def _has_install(line: str) -> bool:
    return "install " in line.lower()
