"""Package names in lists written as prose. Only for answers to a prompt that asked for a list.

An item is a line behind a bullet or number, a line of its own, or a part of a comma list. It
names a package if a name stands there alone, or if a delimiter or markup sets the name apart
from what is said about it: ``name: …``, ``name - …``, ``name (…)``, `` `name` …``, ``**name** …``,
``[name](…)``, ``name==1.2``. Sentences, headings, titles of several words and calls such as
``requests.get()`` are no items. Everything else is taken as written: whether a listed
``matplotlib.pyplot`` is a package is the registry's to say.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ghostbust.extractors.package_names import canonical, is_placeholder, scan_name
from ghostbust.extractors.stdlib import is_stdlib
from ghostbust.extractors.vocabulary import SENTENCE_WORDS, word_set
from ghostbust.records import Ecosystem, PackageRef, RefKind

_MARKER = re.compile(
    r"[ \t>]*(?:[-*+–](?=[ \t])|[•·]|\(?\d{1,3}(?:[.):](?=[ \t]|[A-Za-z`*\[])|\)))[ \t]*"
)
_VERSION_TAIL = re.compile(r"-v?\d+(?:\.\d+)+$")
_LABELS = word_set(
    "pypi pip package packages name names library libraries module modules install python"
)
_INTRODUCING = _LABELS | word_set(
    "dependency dependencies need needs needed require requires required requirements use"
)
_NO_PACKAGES = SENTENCE_WORDS | word_set(
    "python python2 python3 pypi task output input note notes example examples answer question "
    "code explanation description summary overview introduction conclusion usage features title "
    "prelude purpose link links url version license author documentation docs website homepage "
    "repository github source type pros cons benefits advantages alternatives optional core "
    "step steps import imports function class true false none n/a e.g i.e etc"
)
_PAIRS = {"**`": "`**", "`": "`", "**": "**", "__": "__", "*": "*", '"': '"', "'": "'", "[": "]"}
_VERSIONS = ("==", ">=", "<=", "~=", "!=", "===", ">", "<", "^", "@")
_DASHES = ("- ", "– ", "— ", "—", "-> ", "=> ")


@dataclass(frozen=True, slots=True)
class Item:
    """A name in a line."""

    start: int
    """offset in the line"""
    name: str
    alone: bool
    """True where nothing but a version or a delimiter stands behind it"""


@dataclass(frozen=True, slots=True)
class ListExtractor:
    """Names in lists of packages, of the one ecosystem that the prompt asked for."""

    ecosystem: Ecosystem

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """LIST refs; see ``Extractor.find``. Lines that hold an install command have none."""
        refs: list[PackageRef] = []
        bare: list[tuple[int, list[Item]]] = []
        introduced = True
        position = 0
        for line in text.splitlines(keepends=True):
            start, position = position, position + len(line)
            if not line.strip():
                continue
            marker = _MARKER.match(line)
            if marker is None:
                items = self._bare_line(line)
                if items:
                    bare.append((start, items))
                    continue
            refs += self._settled(bare, offset, introduced=introduced)
            bare = []
            introduced = line.rstrip().rstrip("*").endswith(":")
            items = self._items(line, marker.end()) if marker else self._named_after_colon(line)
            refs += (self._ref(item, offset + start) for item in items)
        return refs + self._settled(bare, offset, introduced=introduced)

    def is_bare_list(self, text: str) -> bool:
        """True where every line that isn't blank is an item: a list in a code fence."""
        lines = [line for line in text.splitlines() if line.strip()]
        return bool(lines) and all(self._line(line) for line in lines)

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

    def _items(self, line: str, start: int) -> list[Item]:
        """Names in a line behind its bullet or number."""
        if _has_install(line):
            return []
        listed = self._comma_list(line, start)
        if listed:
            return listed
        item = self._item(line, start)
        if item is not None and item.name.lower() in _LABELS and not item.alone:
            colon = line.find(":", start)
            labelled = self._item(line, colon + 1) if colon >= 0 else None
            item = labelled if labelled is not None and labelled.alone else item
        if item is None and (colon := line.find(": ", start)) >= 0:
            return self._comma_list(line, colon + 1)
        return [item] if item is not None and self._is_package(item.name) else []

    def _bare_line(self, line: str) -> list[Item]:
        """Names in a line without a bullet that is nothing but an item or a comma list."""
        if _has_install(line) or line.startswith(("#", "|", "<", "\t", "    ")):
            return []
        listed = self._comma_list(line, 0)
        if listed:
            return listed
        item = self._item(line, 0)
        if item is None or not self._is_package(item.name):
            return []
        return [item] if item.alone or line.lstrip()[0] not in "`*_[" else []

    def _named_after_colon(self, line: str) -> list[Item]:
        """Names of a comma list that ends a sentence: ``You need: requests, numpy and rich.``"""
        colon = line.rfind(": ")
        about = {word.strip("`*_") for word in line[: max(colon, 0)].lower().split()}
        if _has_install(line) or about.isdisjoint(_INTRODUCING):
            return []
        return self._comma_list(line, colon + 1)

    def _comma_list(self, line: str, start: int) -> list[Item]:
        """Names between commas from ``start`` on; none unless they are two, and all parts names."""
        end = len(line.rstrip().rstrip(".;"))
        begin = start + len(line[start:end]) - len(line[start:end].lstrip())
        if line[begin : begin + 1] in ("[", "(") and line[end - 1 : end] in ("]", ")"):
            begin, end = begin + 1, end - 1
        items: list[Item] = []
        position = begin
        for part in line[begin:end].split(","):
            lead = len(part) - len(part.lstrip())
            words = part.split(None, 1)
            if items and len(words) == 2 and words[0] in ("and", "or", "&"):
                lead = part.index(words[1], lead + len(words[0]))
            halves = self._last_two(line, position + lead, position + len(part))
            for at, stop in halves:
                item = self._item(line[:stop], at)
                if item is None or not item.alone or not self._is_package(item.name):
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
        """The name at ``start`` of a line if it is set apart from what follows; else None."""
        start += len(line[start:]) - len(line[start:].lstrip())
        rest = line[start:].rstrip()
        for opening, closing in _PAIRS.items():
            if rest.startswith(opening):
                return self._marked(rest, start, (opening, closing))
        end = scan_name(rest, self.ecosystem)
        if not end or not _is_delimiter(rest[end:]):
            return None
        return self._cut(rest[:end], start, alone=_is_alone(rest[end:]))

    def _marked(
        self, rest: str, start: int, marks: tuple[str, str], *, inner: bool = False
    ) -> Item | None:
        """The name inside markup, which may hold its version, colon or description as well.

        Markup may stand in markup (``[`name`](…)``), but not deeper: ``inner`` is that level.
        """
        opening, closing = marks
        lead = len(opening)
        lead += len(rest[lead:]) - len(rest[lead:].lstrip())
        end = scan_name(rest[lead:], self.ecosystem)
        if not end:
            nested = next((pair for pair in _PAIRS.items() if rest.startswith(pair[0], lead)), None)
            if nested is None or inner:
                return None
            return self._marked(rest[lead:], start + lead, nested, inner=True)
        behind = rest[lead + end :]
        inside, closed, after = behind.partition(closing)
        if not _is_delimiter(inside.strip() if closed else behind):
            return None
        if closed and opening == "[" and after.startswith("("):
            after = after.partition(")")[2]
        if closed and after[:1].isalnum():
            return None
        alone = _is_alone(inside) and (_is_alone(after.lstrip("*`_")) if closed else True)
        return self._cut(rest[lead : lead + end], start + lead, alone=alone)

    def _cut(self, name: str, start: int, *, alone: bool) -> Item:
        """The item without a version glued to its name as in a file name (``x-1.2.3``)."""
        if self.ecosystem is Ecosystem.PYPI and not name.startswith("@"):
            tail = _VERSION_TAIL.search(name)
            name = name[: tail.start()] if tail and tail.start() else name
        return Item(start, name, alone)

    def _is_package(self, name: str) -> bool:
        """False for words that stand in lists and are no package names."""
        plain = name.lower()
        return not (plain in _NO_PACKAGES or keyword.iskeyword(name) or is_placeholder(name))


def _has_install(line: str) -> bool:
    return "install " in line.lower()


def _is_alone(rest: str) -> bool:
    """True where what follows a name is nothing, a version, extras or closing punctuation."""
    rest = rest.strip()
    if rest.startswith("["):
        rest = rest.partition("]")[2].strip()
    if rest.startswith(_VERSIONS):
        return len(rest.split()) <= 2
    return rest.strip(".,;:*`_\"'") == ""


def _is_delimiter(rest: str) -> bool:
    """True where what follows a name sets it apart: nothing, colon, dash, bracket or version."""
    if _is_alone(rest):
        return True
    if rest.startswith("["):
        rest = rest.partition("]")[2]
    behind = rest.lstrip()
    if rest.startswith((":", "—", ",")) and not rest.startswith("::"):
        return rest[1:2].isspace() and not rest.startswith(",")
    has_space = rest[:1].isspace()
    return behind.startswith(_VERSIONS) or (
        has_space and behind.startswith((*_DASHES, "(", ": ", "#"))
    )
