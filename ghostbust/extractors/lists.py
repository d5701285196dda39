"""Package names in lists written as prose. Only for answers to a prompt that asked for a list.

An item is a line behind a bullet or number, a line of its own, a part of a comma list, or a cell
of a table below a heading such as Package. It names a package if a name stands there alone, or if
something sets it apart from its description (``list_lines.read_item``). Sentences, headings, titles
of several words and calls such as ``requests.get()`` are no items. Everything else is taken as
written: whether a listed ``matplotlib.pyplot`` is a package, the registry decides.

Sentences list names, too: behind what is needed, or behind "the packages are". Names in backticks
are taken from any such place. Without them only the sense distinguishes a name from a word, so they
must be all that the sentence ends with.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ghostbust.extractors.interface import placed_lines, word_set
from ghostbust.extractors.list_lines import (
    CATEGORIES,
    INTRODUCING,
    LABELS,
    NEED_STEMS,
    NEEDING,
    NEVER,
    Item,
    array_items,
    has_phrase,
    headed_groups,
    is_attribute,
    is_capital_word,
    is_title,
    lines_of,
    marker_of,
    name_cells,
    read_item,
    said_twice,
    speaks_of_need,
    speaks_of_packages,
    title,
    title_end,
    without_tags,
)
from ghostbust.extractors.names import (
    PACKAGE_STEMS,
    SENTENCE_WORDS,
    canonical,
    is_placeholder,
    scan_name,
)
from ghostbust.extractors.python import is_stdlib
from ghostbust.records import Ecosystem, PackageRef, RefKind

_NUMBERED_HEADING = re.compile(r"#{1,6}[ \t]+(?:\*\*)?\d{1,3}[.):](?:\*\*)?[ \t]+")
_NOWHERE = 10**9
"""an indent that no line has"""


@dataclass(frozen=True, slots=True)
class ListExtractor:
    """Names in lists of packages, of the one ecosystem that the prompt asked for."""

    ecosystem: Ecosystem

    def refs(self, text: str, offset: int) -> list[PackageRef]:
        """LIST refs. Lines that hold an install command have none."""
        if listed := array_items(text, self.ecosystem):
            return [self._ref(item, offset) for item in listed if self._is_package(item)]
        text = without_tags(text)
        markers = marker_of(text)
        refs = self._in_tables(text, offset)
        bare: list[tuple[int, list[Item]]] = []
        introduced, heads = True, False
        below, position = _NOWHERE, 0
        has_items = False
        twice, titles = said_twice(text), headed_groups(text, markers)
        is_titled = has_phrase(text, markers)
        all_named = self._is_headed(text)
        for line in lines_of(text, markers):
            marker = markers.match(line.text)
            if marker is None:
                if not (items := self._labelled(line.text)) and title(line.text) in twice:
                    continue
                if items:
                    refs += (self._ref(item, offset + line.start) for item in items)
                    continue
                items = self._bare_line(line.text, indented=heads or bool(bare))
                items = [] if has_items and is_capital_word(line.text, items) else items
                if items and not (line.is_aside and _may_be_said(items)):
                    bare.append((line.start, items))
                    position = line.start + len(line.text)
                    # a lower-case name in bold stands above its description
                    introduced |= line.text.startswith("**") and items[0].name.islower()
                    continue
            is_item = marker is not None and line.start not in titles
            items = self._items(line.text, marker.end(), is_titled) if marker and is_item else []
            if marker and marker["answer"] and is_capital_word(line.text, items):
                continue  # `A: Absolutely.`
            if marker is None or (marker["answer"] and not items):
                items = self._in_sentence(line.text, all_named=all_named)
            if bare and marker and items and position == line.start and is_title(text, bare[-1]):
                bare.pop()
            refs += self._settled(bare, offset, introduced=introduced)
            bare = []
            introduced = line.text.rstrip().rstrip("*").endswith(":")
            heads = introduced and marker is None
            indent = len(line.text) - len(line.text.lstrip())
            if marker and items and below <= indent and is_attribute(line.text, items):
                continue
            if line.is_aside and _may_be_said(items):
                continue
            if items or not indent:
                below = indent + 2 if items else _NOWHERE
            has_items |= marker is not None and bool(items)
            refs += (self._ref(item, offset + line.start) for item in items)
        refs += self._settled(bare, offset, introduced=introduced)
        return refs or list(self._said(text, offset))

    def _said(self, text: str, offset: int) -> Iterator[PackageRef]:
        """The names in a sentence without markup, where the answer has no other list."""
        if "`" not in text and not _has_install(text):
            for start, line in placed_lines(text):
                for item in self._spoken(line, is_answer=True):
                    yield self._ref(item, offset + start)

    def is_bare_list(self, text: str) -> bool:
        """True for a list in a code fence: an array, or a text of which every line is an item."""
        text = without_tags(text)
        markers = marker_of(text)
        lines = [line for line in text.splitlines() if line.strip()]
        return self.is_array(text) or (
            bool(lines) and all(self._line(line, markers) for line in lines)
        )

    def is_marked_list(self, text: str) -> bool:
        """True where each line is a name behind a bullet or number, whatever the fence's label.

        A heading such as ``packages:`` may stand in front.
        """
        markers = marker_of(text)
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].rstrip()[:-1].lower() in INTRODUCING:
            del lines[0]
        listed = (self._line(line, markers) if markers.match(line) else [] for line in lines)
        return bool(lines) and all(items and items[0].alone for items in listed)

    def is_array(self, text: str) -> bool:
        """True where ``text`` is nothing but an array of names, which no dependency file is."""
        return bool(array_items(text, self.ecosystem))

    def _line(self, line: str, markers: re.Pattern[str]) -> list[Item]:
        """Names in a line, with or without a bullet."""
        marker = markers.match(line)
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
            items = self._comma_list(text[start:end], 0) or self._single(text[start:end], 0)
            refs += [self._ref(item, offset + start) for item in items]
        return refs

    def _items(self, line: str, start: int, is_titled: bool = False) -> list[Item]:
        """Names in a line behind its bullet or number. ``is_titled``: see ``has_phrase``."""
        if _has_install(line):
            return []
        if listed := self._comma_list(line, start):
            return listed
        return self._behind_title(line, start, is_titled) or self._single(line, start)

    def _behind_title(self, line: str, start: int, is_titled: bool) -> list[Item]:
        """Names behind a title: ``Data handling: pandas, numpy``, ``Parser: `lxml```.

        None where the title itself is an item, unless it is a label or a category.
        """
        colon, value = title_end(line, start)
        if colon < 0:
            return []
        titled = read_item(line[start:], start, self.ecosystem)
        said = line[start:colon].strip(" \t*_`").lower()
        listed = self._comma_list(line, value)
        if is_titled and titled is not None and titled.name[0].isupper():
            return listed
        if titled is not None and said not in LABELS | CATEGORIES:
            return []
        is_label, is_never = said in LABELS, said in NEVER
        single = self._single(line, value)
        return listed or [
            item for item in single if item.alone and (is_label or (item.sure and not is_never))
        ]

    def _bare_line(self, line: str, *, indented: bool = False) -> list[Item]:
        """Names in a line without a bullet that is nothing but an item or a comma list.

        ``indented``: names alone may be indented like code, as right below ``Answer:``.
        """
        if _has_install(line) or line.startswith(("#", "|", "<")):
            return []
        if line.startswith(("\t", "    ")):
            if not indented:
                return []
            alone = [item for item in self._single(line, 0) if item.alone]
            return alone or self._comma_list(line, 0)
        if line.rstrip().rstrip("*_").endswith(":"):
            return []
        start = len(line) - len(line.lstrip("> ")) if line.startswith(">") else 0
        if listed := self._comma_list(line, start):
            return listed
        spans, end = next(coded_runs(line), ([], 0)) if line.startswith("`", start) else ([], 0)
        if len(spans) > 1 and not line[end:].strip(" .\n\r"):
            return self._all_packages(line, spans)
        is_marked = line.lstrip()[:1] in ("`", "*", "_", "[")
        return [
            item
            for item in self._single(line, start)
            if item.alone or not (item.name.lower() in CATEGORIES or is_marked)
        ]

    def _in_sentence(self, line: str, *, all_named: bool) -> list[Item]:
        """Names in a numbered heading, or in a list that ends a sentence.

        ``You need: requests, numpy and rich.``, ``It needs `requests` and `numpy`.``
        ``all_named``: each numbered heading is a name, so a capital word is one, too.
        """
        if _has_install(line):
            return self._coded(line)
        if heading := _NUMBERED_HEADING.match(line):
            return [
                item
                for item in self._single(line, heading.end())
                if item.sure or item.name[0].islower() or all_named
            ]
        colon = max(line.rfind(": "), line.rfind("："))
        head = line[: max(colon, 0)]
        about = {word.strip("`*_") for word in head.lower().split()}
        is_about = about & INTRODUCING or speaks_of_packages(head) or speaks_of_need(head)
        if is_about and (listed := self._comma_list(line, colon + 1)):
            return listed
        colon, value = title_end(line, 0)
        if colon > 0 and line[:colon].strip(" \t*_").lower() in CATEGORIES:
            return self._comma_list(line, value)
        return self._coded(line) or self._spoken(line, is_answer=False)

    def _is_headed(self, text: str) -> bool:
        """True where the numbered headings are two or more, each a name with text below it."""
        lines = [line for line in text.splitlines() if line.strip()]
        numbers = [_NUMBERED_HEADING.match(line) for line in lines]
        for number, line, below in zip(numbers, lines, [*lines[1:], "#"], strict=False):
            if number and (below[0] in "#`-*+~" or not self._single(line, number.end())):
                return False
        return sum(number is not None for number in numbers) > 1

    def _labelled(self, line: str) -> list[Item]:
        """The name behind ``Package:``, ``Library 2:`` or ``Answer:``."""
        colon, value = title_end(line, 0)
        said = line[: max(colon, 0)].strip(" \t*_>").rstrip("0123456789#").rstrip().lower()
        if not said.isalpha() or not (said in INTRODUCING or speaks_of_packages(said)):
            return []
        if listed := self._comma_list(line, value):
            return listed
        is_word = said not in LABELS and not speaks_of_packages(said) and line[value:].istitle()
        return [] if is_word else self._single(line, value)

    def _spoken(self, line: str, *, is_answer: bool) -> list[Item]:
        """The names between commas that a sentence about packages ends with.

        Unless these are said to be the packages, one must be written as no word is:
        ``These packages are fast, small and neat.``
        """
        if "`" in line and any(part.isupper() for part in line.split("`")[1::2]):
            return []  # constants
        for start, may_be_words in spoken_starts(line, is_answer=is_answer):
            items = self._comma_list(line, start)
            is_named = any(_is_no_word(item, "-_." if is_answer else "_.") for item in items)
            if items and (may_be_words or is_named):
                return items
        mark = SEPARATOR.search(line)
        start = line[: mark.start()].rstrip().rfind(" ") + 1 if mark else 0
        before = line[:start].lower().split()
        if not before or not (before[-1] in NEEDING or speaks_of_packages(line[:start])):
            return []
        items = self._comma_list(line, start)
        return items if any(_is_no_word(item) for item in items) else []

    def _coded(self, line: str) -> list[Item]:
        """The names in backticks that a sentence says are needed, or are the packages."""
        rows = (spans for spans, end in coded_runs(line) if is_listing(line, spans, end))
        return [item for spans in rows for item in self._all_packages(line, spans)]

    def _all_packages(self, line: str, spans: list[tuple[int, int]]) -> list[Item]:
        """The names at these places, none unless all are packages."""
        named = [item for span in spans for item in self._single(line, *span) if item.alone]
        is_all = len(named) == len(spans) and not any(item.name.isupper() for item in named)
        return named if is_all else []

    def _comma_list(self, line: str, start: int) -> list[Item]:
        """Names between commas from ``start`` on; none unless they are two, and all parts names."""
        end = len(line.rstrip().rstrip(".;,。；，、"))
        begin = start + len(line[start:end]) - len(line[start:end].lstrip())
        if line[begin : begin + 1] in ("[", "(") and line[end - 1 : end] in ("]", ")"):
            begin, end = begin + 1, end - 1
        items: list[Item] = []
        for at, stop in _parts(line, begin, end):
            single = self._single(line, at, stop)
            if not (single and single[0].alone):
                return []
            items += single
        return items if len(items) > 1 else []

    def _single(self, line: str, start: int, end: int | None = None) -> list[Item]:
        """The package that ``line[start:end]`` begins with, if there is one."""
        item = read_item(line[start:end], start, self.ecosystem)
        return [item] if item is not None and self._is_package(item) else []

    def _is_package(self, item: Item) -> bool:
        """False for words that stand in lists and are no package names."""
        plain = item.name.lower()
        if plain in NEVER or keyword.iskeyword(item.name) or is_placeholder(item.name):
            return False
        is_next = self.ecosystem is Ecosystem.NPM and item.name == "next"  # the framework
        return item.sure or is_next or plain not in SENTENCE_WORDS


def _parts(line: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The places between commas and conjunctions, or between semicolons where there are none."""
    if ";" in line[start:end] and "," not in line[start:end]:
        for part in re.finditer(r"[^;]+", line[start:end]):
            yield start + part.start(), start + part.end()
        return
    for mark in SEPARATOR.finditer(line, start, end):
        yield start, mark.start()
        start = mark.end()
    yield start, end


def _is_no_word(item: Item, marks: str = "_.") -> bool:
    """True where a name holds a digit or one of these marks."""
    return any(char in marks or char.isdigit() for char in item.name)


def _may_be_said(items: list[Item]) -> bool:
    """True for words that may be said of a package: plain, and alone or capitalised."""
    return all(not item.sure and (item.alone or item.name[0].isupper()) for item in items)


def _has_install(line: str) -> bool:
    return "install " in line.lower()


# Names in sentences

_AND = r"(?:and|or|und|oder|sowie|y|et|ou|e|o|&)(?=[ \t])"
SEPARATOR = re.compile(rf"[,、，](?:[ \t]{{1,3}}{_AND})?|(?<=[ \t]){_AND}|以及|和|及|与|或")
"""what stands between the names of a list in a sentence"""
_CODE = re.compile(r"[ \t]*(?P<code>`[^`\n]+`)(?:[ \t]*\([^()\n]*\))?[ \t]*")
_LETTERS_ONLY = re.compile(r"[^\W\d_]+")
_PROGRAM = re.compile(r"\b(?:pip3?|npm|yarn|pnpm|bun|uv|poetry|pipx|conda)[ \t]+\S*[ \t]*$", re.I)
_CLAUSE = re.compile(r"[.;!?,:][ \t]")
_BEING = word_set("is are be est sont être ist sind sein es son ser è sono são")
_MANY = word_set("are sont sind son sono são")
_BETWEEN = word_set("only just the nur seulement uniquement solo sólo solamente")
_ARTICLES = word_set("the die das le la les el los las il i gli os as my your")
_INSTALLING = "instal"
_NEED = (*NEED_STEMS, _INSTALLING)
_REACH = 200
"""characters in front of a name that are read"""


def coded_runs(line: str) -> Iterator[tuple[list[tuple[int, int]], int]]:
    """Rows of names in backticks with commas or a conjunction between: (their places, the end).

    A remark in parentheses may stand behind each.
    """
    position = line.find("`")
    while position >= 0:
        spans: list[tuple[int, int]] = []
        while code := _CODE.match(line, position):
            spans.append(code.span("code"))
            position = code.end()
            mark = SEPARATOR.match(line, position)
            if mark is None:
                break
            position = mark.end()
        if spans:
            yield spans, position
        else:
            position += 1
        position = line.find("`", position)


def is_listing(line: str, spans: list[tuple[int, int]], end: int) -> bool:
    """True where the words around a row of names in backticks say that these are needed."""
    before = line[max(spans[0][0] - _REACH, 0) : spans[0][0]]
    if _PROGRAM.search(before):
        return False
    words = _LETTERS_ONLY.findall(_CLAUSE.split(before.lower())[-1])
    while words and words[-1] in _BETWEEN:
        words.pop()
    if words and (words[-1] in NEEDING or words[-1].startswith(_NEED)):
        return True
    if words and words[-1] in _BEING and _is_about(words[:-1]):
        is_word = line[spans[0][0] + 1 : spans[0][0] + 2].isupper()
        return words[-1] in _MANY or not is_word
    behind = _LETTERS_ONLY.findall(line[end : end + _REACH].partition(".")[0].lower())[:3]
    named = (*_NEED, *PACKAGE_STEMS)
    return len(spans) > 1 and any(word.startswith(named) for word in [*words[-1:], *behind])


def spoken_starts(line: str, *, is_answer: bool) -> Iterator[tuple[int, bool]]:
    """Places where names without backticks may begin, and whether these may be any words.

    ``is_answer``: nothing else in the answer names a package, so a sentence that begins with
    "the packages are" does. Elsewhere it says what they are like.
    """
    words = [
        word
        for word in _LETTERS_ONLY.finditer(line[:_REACH].lower())
        if word[0] in _BEING or word[0].startswith(_NEED)
    ]
    for word in words[:-4:-1]:
        before = _LETTERS_ONLY.findall(_CLAUSE.split(line[: word.start()].lower())[-1])
        if word[0] not in _BEING:
            yield word.end(), False
        elif is_answer and word[0] in _MANY and _is_about(before):
            yield word.end(), before[0] in _ARTICLES or any(w.startswith(_NEED) for w in before)


def _is_about(subject: list[str]) -> bool:
    """True for a subject such as "the packages", "les paquets utilisés", "what you need".

    "The functions you need" are none.
    """
    is_owner = "s" in subject  # the package's methods
    about = speaks_of_packages(" ".join(subject[:4])) and not is_owner
    is_definite = bool(subject) and subject[0] in _ARTICLES
    is_other = is_definite and not speaks_of_packages(" ".join(subject))
    return about or (not is_other and any(word.startswith(_NEED) for word in subject))


# Whose names a list holds, where the prompt doesn't say

_AROUND = "`*_\"'()[]{}<>|,;:.-+"
_WORD = re.compile(r"[a-z0-9\u00df-\u024f]+(?:\.[a-z0-9]+)*|[^\W\u0000-\u024f]+")
_PYTHON = word_set("python python3 pip pip3 pypi conda")
_NPM = word_set("npm npx pnpm yarn node.js nodejs package.json")
_JAVASCRIPT = word_set("javascript typescript js node")


def listed_ecosystem(text: str) -> Ecosystem:
    """The registry that the names listed in ``text`` belong to.

    npm's where a name has a scope, or where the text around the list speaks of npm, or of
    packages for JavaScript, and not of Python; else PyPI's. The description of an item doesn't
    count.
    """
    for word in text.split():
        name = word.lstrip(_AROUND) if "@" in word[:4] else ""
        if name.startswith("@") and scan_name(name, Ecosystem.NPM):
            return Ecosystem.NPM
    lines = [_WORD.findall(line.lower()) for line in _around(text)]
    if not any(_PYTHON.intersection(words) for words in lines) and any(map(_is_npm, lines)):
        return Ecosystem.NPM
    return Ecosystem.PYPI


def _around(text: str) -> Iterator[str]:
    """The lines around the items."""
    in_table = False
    for line in text.splitlines():
        is_row, in_table = in_table, line.startswith("|")
        if not (is_row and in_table) and line[:1].strip() and not _is_item(line):
            yield line


def _is_item(line: str) -> bool:
    if line[0] in "#|":
        return False
    is_marked = line[1:2].isspace() or not (line[0].isalnum() or line[0] in "*_`\"'(<[")
    if is_marked or line[0].isdigit():
        return True
    item = None if line.rstrip("*_ ").endswith(":") else read_item(line[:200], 0, Ecosystem.PYPI)
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
