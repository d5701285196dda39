"""The parts of a list: items, what stands in front of them, titles, tables, arrays, sections.

Markup, and words in the languages that answers come in, distinguish items from titles. No list
holds all such words, so the rules also use capitals, repetition and indentation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ghostbust.extractors.interface import placed_lines, word_set
from ghostbust.extractors.literals import Entry, read_literal
from ghostbust.extractors.names import PACKAGE_STEMS, WORDS, read_requirement, scan_name
from ghostbust.records import Ecosystem

# Items. A name is one if something sets it apart from its description, that is markup, a delimiter
# or a version: ``name: …``, ``name - …``, ``name (…)``, `` `name` …``, ``**name** …``,
# ``[name](…)``, ``name==1.2``. ``requests for web pages`` has no item.

_VERSION_TAIL = re.compile(r"-v?\d+(?:\.\d+)+$")
_PAIRS = {
    "**`": "`**", "`": "`", "**": "**", "__": "__", "*": "*", "_": "_", '"': '"', "'": "'",
    "[": "]",
}  # fmt: skip
_VERSIONS = ("==", ">=", "<=", "~=", "!=", "===", ">", "<", "^", "@")
_DASHES = ("- ", "– ", "— ", "—", "-> ", "=> ", "..")
_WORDED_VERSION = re.compile(
    r"[ \t]*(?:(?:[vV]|[vV]ersion[ \t])\d+(?:\.[\dx]+)*|\d+(?:\.[\dx]+)+)\+?(?=[\s:,;)*_]|$)"
)
"""``v5``, ``version 2.1``, ``3.0``; not a number alone, which may count anything"""


@dataclass(frozen=True, slots=True)
class Item:
    """A name in a line."""

    start: int
    """offset in the line"""
    name: str
    alone: bool
    """True where nothing but a version or a delimiter stands behind it"""
    sure: bool
    """True where it is marked as code or has a version, so that it is no word of a sentence"""


def read_item(piece: str, start: int, ecosystem: Ecosystem) -> Item | None:
    """The name at the start of ``piece`` if it is set apart from what follows; else None.

    ``start`` is the place of the piece in its line.
    """
    start += len(piece) - len(piece.lstrip())
    rest = piece.strip()
    for opening, closing in _PAIRS.items():
        if rest.startswith(opening):
            return _marked(rest, start, (opening, closing), ecosystem)
    end = scan_name(rest, ecosystem)
    behind = rest[end:].removeprefix("**")  # of `**1. name**`
    if not end or not _is_delimiter(behind):
        return None
    sure = behind.lstrip().startswith(_VERSIONS)
    return _cut(rest[:end], start, ecosystem, alone=_is_alone(behind), sure=sure)


def _marked(
    rest: str, start: int, marks: tuple[str, str], ecosystem: Ecosystem, *, inner: bool = False
) -> Item | None:
    """The name inside markup, which may hold its version, colon or description as well.

    Markup may stand in markup (``[`name`](…)``), but not deeper: ``inner`` is that level.
    """
    opening, closing = marks
    lead = len(opening)
    lead += len(rest[lead:]) - len(rest[lead:].lstrip())
    end = scan_name(rest[lead:], ecosystem)
    if not end:
        nested = next((pair for pair in _PAIRS.items() if rest.startswith(pair[0], lead)), None)
        if nested is None or inner:
            return None
        return _marked(rest[lead:], start + lead, nested, ecosystem, inner=True)
    behind = rest[lead + end :]
    inside, closed, after = behind.partition(closing)
    if not _is_delimiter(inside.strip() if closed else behind):
        return None
    if closed and opening == "[" and after.startswith("("):
        after = after.partition(")")[2]
    if closed and after[:1].isalnum():
        return None
    alone = _is_alone(inside) and (_is_alone(after.lstrip("*`_")) if closed else True)
    sure = "`" in opening or inside.lstrip().startswith(_VERSIONS)
    return _cut(rest[lead : lead + end], start + lead, ecosystem, alone=alone, sure=sure)


def _cut(name: str, start: int, ecosystem: Ecosystem, *, alone: bool, sure: bool) -> Item:
    """The item without a version glued to its name as in a file name (``x-1.2.3``)."""
    if ecosystem is Ecosystem.PYPI and not name.startswith("@"):
        tail = _VERSION_TAIL.search(name)
        name = name[: tail.start()] if tail and tail.start() else name
    return Item(start, name, alone, sure)


def _is_alone(rest: str) -> bool:
    """True where what follows a name is nothing, a version, extras, symbols or punctuation."""
    rest = rest.strip()
    if rest.startswith("["):
        rest = rest.partition("]")[2].strip()
    if rest.startswith(_VERSIONS):
        return len(rest.split()) <= 2
    if version := _WORDED_VERSION.match(rest):
        rest = rest[version.end() :]
    rest = rest.strip(".,;:*`_\"'-")
    return not any(char.isascii() or char.isalnum() for char in rest.replace(" ", ""))  # ⭐⭐


def _is_delimiter(rest: str) -> bool:
    """True where what follows a name sets it apart: nothing, colon, dash, bracket or version.

    A colon with a bare number behind it doesn't: ``Total: 42`` is a result.
    """
    if _is_alone(rest):
        return True
    if rest.startswith("["):
        rest = rest.partition("]")[2]
    if version := _WORDED_VERSION.match(rest):
        rest = rest[version.end() :]
    behind = rest.lstrip()
    if behind.startswith(("：", "（", "，", "…", "→", "｜")) or rest.startswith("\t"):
        return True
    if rest.startswith((":", "—", ",")) and not rest.startswith("::"):
        is_number = behind[1:].strip("* \t").isdigit()
        return rest[1:2].isspace() and not rest.startswith(",") and not is_number
    if rest.startswith("; "):
        return True
    has_space = rest[:1].isspace()
    return behind.startswith(_VERSIONS) or (
        has_space and (behind.startswith((*_DASHES, "(", ": ", "#")) or _is_column(behind))
    )


def _is_column(rest: str) -> bool:
    """True for ``| what it is``, and for ``= what it is`` in several words, which no code is."""
    mark, _, said = rest.partition(" ")
    is_said = " " in said.strip() and all(char.isalpha() or char in " ,-\n" for char in said)
    return (mark == "=" and is_said) or (mark == "|" and "|" not in said)


# What stands in front of an item: a bullet, number, letter or check box

_QUOTES = "“”„‘’‚«»‹›「」『』（）【】《》〈〉、。，：；！？…"
_FORMS = (
    r"[-*+](?=[ \t])|[-=]>(?=[ \t])|\(?\d{1,3}(?:[.):](?=[ \t]|[A-Za-z`*\[])|[)、．])"
    r"|(?:\*\*|__)\d{1,3}[.)](?:\*\*|__)?(?=[ \t])"  # **1. name**
    r"|[a-z][.)](?=[ \t])|\d{1,2}\ufe0f?\u20e3|[①-⑳❶-❿]"  # a) 1️⃣
    rf"|[^\x00-\x7f\w\s{_QUOTES}]{{1,4}}"  # ✅ ・
)
_GLUED = r"-(?=[A-Za-z@])"
_ANSWER = r"[*_]*(?:A|Answer|Antwort|Respuesta|Réponse|答|回答)\d*[*_]*[:：][*_]*(?=\s)"
_QUESTION = re.compile(
    r"^[ \t>*_]*(?:Q|Question|Frage|Pregunta|问|問|質問)\d*[*_]*[:：]", re.M | re.I
)
_DASHED = re.compile(r"^[ \t>]*-(?!-)(?P<item>[^\n]*)", re.M)
_ITEM = re.compile(r"[A-Za-z@][\w./-]+")
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[a-z]+\d?)\b[^<>]*>", re.I)
_MARKS = {"code": "`", "b": "**", "strong": "**", "em": "**", "i": "**"}


def marker_of(text: str) -> re.Pattern[str]:
    """Matches what an item of a list in ``text`` begins with; ``answer`` is its ``A:``, if any.

    ``A:`` counts in a text that has a ``Q:``, and ``-name`` without a blank in one that has two
    or more items and all of them so.
    """
    dashed = [line["item"] for line in _DASHED.finditer(text)]
    is_glued = len(dashed) > 1 and all(map(_ITEM.match, dashed))
    return _pattern(is_glued=is_glued, is_asked=_QUESTION.search(text) is not None)


@cache
def _pattern(*, is_glued: bool, is_asked: bool) -> re.Pattern[str]:
    forms = f"{_FORMS}|{_GLUED}" if is_glued else _FORMS
    answer = f"(?P<answer>{_ANSWER})" if is_asked else "(?P<answer>(?!))"
    return re.compile(rf"[ \t>]*(?:{forms}|{answer})[ \t]*(?:\[[ xX]\][ \t]+)?")


def without_tags(text: str) -> str:
    """A text with a list in HTML as Markdown has it, as long as before; any other text itself."""
    return _TAG.sub(_markdown, text) if "<li" in text.lower() else text


def _markdown(tag: re.Match[str]) -> str:
    """What stands for a tag, of its length."""
    name, is_closing, length = tag["name"].lower(), bool(tag["close"]), len(tag[0])
    if name in ("li", "ul", "ol"):
        return ("\n - " if name == "li" and not is_closing else "\n").ljust(length)
    if name == "a":
        return "]".ljust(length) if is_closing else "[".rjust(length)
    mark = _MARKS.get(name, "")
    return mark.ljust(length) if is_closing else mark.rjust(length)


# Words in and around lists of packages

_WORD = re.compile(r"[^\W\d_]+")
_LAST_STEMS = tuple(stem for stem in PACKAGE_STEMS if not stem.isascii())
"""stems that stand at the end of what is written without blanks"""
NEED_STEMS = tuple(sorted(WORDS["need_stems"]))
LABELS, NEEDING, CATEGORIES = WORDS["labels"], WORDS["needing"], WORDS["categories"]
INTRODUCING, NEVER = LABELS | WORDS["introducing"], WORDS["never"] | WORDS["scripts"]


def speaks_of_need(text: str) -> bool:
    """True for ``You need``, ``Du brauchst``, ``可以使用`` and the like."""
    words = _WORD.findall(text.lower())
    return any(word.startswith(NEED_STEMS) for word in words)


def speaks_of_packages(text: str) -> bool:
    """True for ``npm packages``, ``Benötigte Pakete``, ``需要安装的库`` and the like."""
    words = _WORD.findall(text.lower())
    return any(word.startswith(PACKAGE_STEMS) or word.endswith(_LAST_STEMS) for word in words)


# Titles, which head names or say something about them, and are no names themselves


def headed_groups(text: str, marker: re.Pattern[str]) -> frozenset[int]:
    """Places of the items ``1. **Forms**`` that head names indented below them.

    All items on their level must be capital words or phrases and head items of their own that
    begin with no capital and come once: ``small`` below each of two describes them.
    """
    found: set[int] = set()
    group: list[int] = []
    below: list[list[str]] = []
    is_group = True
    for position, line in [*placed_lines(text), (len(text), "end")]:
        marked = marker.match(line)
        if marked and not line[0].isspace():
            group.append(position)
            below.append([])
            is_group &= _may_head(line[marked.end() :])
        elif marked and below:
            name = _lower_name(line[marked.end() :])
            is_group &= bool(name)
            below[-1].append(name)
        elif line.strip() and not line[0].isspace():
            names = [name for child in below for name in child]
            if is_group and len(group) > 1 and all(below) and len(set(names)) == len(names):
                found.update(group)
            group, below, is_group = [], [], True
    return frozenset(found)


def _may_head(said: str) -> bool:
    """True for a capital word, and for a phrase, with nothing behind."""
    item = read_item(said[:200], 0, Ecosystem.NPM)
    if item is None:
        return "`" not in said and "." not in said
    return item.alone and not item.sure and item.name[0].isupper()


def _lower_name(said: str) -> str:
    item = read_item(said[:200], 0, Ecosystem.NPM)
    return item.name if item and (item.sure or not item.name[0].isupper()) else ""


def has_phrase(text: str, marker: re.Pattern[str]) -> bool:
    """True where an item of a list is names behind a phrase: ``- Standard library: json, re``.

    Then a word in front of names is a title as well: ``- Third-party: httpx, respx``.
    """
    for line in text.splitlines():
        if marked := marker.match(line):
            colon, value = title_end(line, marked.end())
            phrase = line[marked.end() : max(colon, 0)].strip(" *_")
            if " " in phrase and phrase[0].isupper() and _are_names(line[value:]):
                return True
    return False


def _are_names(said: str) -> bool:
    parts = said.strip(" *_.").split(",")
    items = [read_item(part, 0, Ecosystem.NPM) for part in parts]
    return len(items) > 1 and all(item is not None and item.alone for item in items)


def is_capital_word(line: str, items: list[Item]) -> bool:
    """True for a line without markup that begins with a word such as ``Gracias``, ``Note:``."""
    return len(items) == 1 and not items[0].sure and _is_capital(items[0], line)


def _is_capital(item: Item, line: str) -> bool:
    is_plain = line[item.start - 1 : item.start] not in ("*", "_", "`", "[")
    return is_plain and item.name[0].isupper() and item.name.isalpha()


def is_title(text: str, bare: tuple[int, list[Item]]) -> bool:
    """True for a capital word on a line of its own, which heads the list right below it."""
    start, items = bare
    line = text[start : start + items[0].start + 1]
    return len(items) == 1 and items[0].alone and _is_capital(items[0], line)


def said_twice(text: str) -> frozenset[str]:
    """Titles that come more than once (``Lizenz: MIT``): an attribute of each package."""
    titles = Counter(title(line) for line in text.splitlines())
    return frozenset(title for title, count in titles.items() if title and count > 1)


def title(line: str) -> str:
    """The capital word in front of a line's colon; empty where there is none."""
    word, is_title, _ = line[:60].partition(":")
    word = word.rstrip()
    return word if is_title and word[:1].isupper() and word.isalpha() else ""


def is_attribute(line: str, items: list[Item]) -> bool:
    """True for an attribute of the item above: ``- Language: Python``, ``- License: MIT``."""
    item = items[0]
    colon = line.startswith(":", item.start + len(item.name))
    return colon and len(items) == 1 and item.name[0].isupper() and not item.alone


def title_end(line: str, start: int) -> tuple[int, int]:
    """(place of the first colon that ends a title, place behind it and its markup); else -1, -1."""
    colon, wide = line.find(":", start), line.find("：", start)
    if wide >= 0 and not 0 <= colon < wide:
        return wide, wide + 1
    while colon >= 0:
        value = colon + 1
        while line[value : value + 1] in ("*", "_"):
            value += 1
        if line[value : value + 1].isspace():
            return colon, value
        colon = line.find(":", value)
    return -1, -1


# Markdown tables

_HEADINGS = word_set(
    "package packages library libraries module modules name names dependency dependencies pypi "
    "pip npm framework frameworks distribution distributions requirement requirements"
)
_RULE = frozenset("|-: \t\r\n")


def name_cells(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each cell below a heading such as Package or Library.

    Only the first such column of a table counts, and a table has a rule below its headings.
    """
    previous: list[tuple[int, int]] = []
    column = -1
    for position, line in placed_lines(text):
        cells = _cells(line, position)
        if not cells:
            column = -1
        elif _RULE.issuperset(line) and "-" in line:
            column = _naming(text, previous)
        elif 0 <= column < len(cells):
            yield cells[column]
        previous = cells


def _cells(line: str, offset: int) -> list[tuple[int, int]]:
    """Places of a row's cells, none where the line doesn't begin with a bar."""
    if not line.lstrip().startswith("|"):
        return []
    bars = [index for index, char in enumerate(line) if char == "|"]
    ends = [*bars[1:], len(line)] if line.rstrip()[-1] != "|" else bars[1:]
    return [(offset + bar + 1, offset + end) for bar, end in zip(bars, ends, strict=False)]


def _naming(text: str, headings: list[tuple[int, int]]) -> int:
    """Number of the first column whose heading speaks of packages; -1 where there is none."""
    for number, (start, end) in enumerate(headings):
        words = {word.strip("*_`") for word in text[start:end].lower().split()}
        if not words.isdisjoint(_HEADINGS):
            return number
    return -1


# Lists as JSON and Python write them. Answers to a prompt that asked for JSON are arrays of names,
# arrays of objects that have a name, or an object that holds such an array. A
# ``package.json`` is none of them.

_HOLDING = word_set(
    "packages libraries modules dependencies requirements package_names packageNames"
)
_NAMING = word_set("name package package_name packageName library pip_name npm_name")


def array_items(text: str, ecosystem: Ecosystem) -> list[Item]:
    """Names in an array that is all of ``text``; empty where there is none.

    Of a plain array every part must be a name: ``["pip", "install", "x"]`` is a command. What
    an object says of a package besides its name is passed over.
    """
    start = len(text) - len(text.lstrip())
    if not text.startswith(("[", "{"), start):
        return []
    entries, end = read_literal(text, start)
    is_command = any(one.value and not one.path and one.text == "install" for one in entries)
    if text[end:].strip() or is_command:
        return []
    items = []
    for entry in entries:
        if _holds_name(entry, in_array=text[start] == "["):
            item = _item(entry, ecosystem)
            if item is None and not _is_named(entry):
                return []
            items += [item] if item else []
    return items


def _holds_name(entry: Entry, *, in_array: bool) -> bool:
    """True where a package stands by the keys that lead to it. ``in_array``: all is an array."""
    keys = entry.keys[:-1] if _is_named(entry) else entry.keys
    return in_array if not keys else len(keys) == 1 and keys[0] in _HOLDING


def _is_named(entry: Entry) -> bool:
    return bool(entry.path) and entry.path[-1].value in _NAMING


def _item(entry: Entry, ecosystem: Ecosystem) -> Item | None:
    """The name that a string holds as a whole, a version aside."""
    placed = entry.value.placed() if entry.value else None
    found = read_requirement(placed.value, ecosystem) if placed else None
    span = placed.span(found.start, found.end) if placed and found else None
    if found is None or span is None or found.ends_sentence:
        return None
    return Item(span[0], found.name, alone=True, sure=True)


# Sections. ``Vorteile:``, ``Steps:``, ``Remarques :`` head remarks about packages, in short words
# that may look like names. A heading that speaks of packages as well (``Notes on the packages:``)
# heads packages. Behind a list of packages, a list of nothing but capital words (``1. Einlesen``,
# ``2. Speichern``) holds no names either, unless its heading speaks of packages or of a purpose.

_CAPITAL = re.compile(r"[A-Z][^\W\d_A-Z]+[.!]?")


@dataclass(frozen=True, slots=True)
class ListLine:
    """A line that isn't blank."""

    start: int
    text: str
    """with its line break"""
    is_aside: bool
    """True below a heading that lists no packages"""


def lines_of(text: str, marker: re.Pattern[str]) -> Iterator[ListLine]:
    """All lines but blank ones. ``marker`` matches what a list item begins with.

    A heading without a marker holds up to the next one, an item that heads others for those that
    are indented more.
    """
    aside = -1  # indent of the item that heads remarks; below any for a heading
    is_aside = False
    other = _other_lists(text.splitlines(keepends=True), marker)
    for number, (start, line) in enumerate(placed_lines(text)):
        if not line.strip():
            continue
        marked = marker.match(line)
        indent = len(line) - len(line.lstrip()) if marked else -1
        if is_aside and (indent <= aside if marked else _is_heading(line)):
            is_aside = False
        yield ListLine(start, line, is_aside or number in other)
        if not is_aside and _is_heading(line) and _heads_remarks(line):
            is_aside, aside = True, indent


def _other_lists(lines: Sequence[str], marker: re.Pattern[str]) -> frozenset[int]:
    """Numbers of the lines of lists behind the first that hold nothing but capital words."""
    found: set[int] = set()
    heading, run, capitals, is_named = "", list[int](), 0, False
    has_names = has_capitals = False
    for number, line in enumerate([*lines, "end"]):
        if not line.strip():
            continue
        if item := marker.match(line):
            run.append(number)
            capitals += _CAPITAL.fullmatch(line[item.end() :].strip()) is not None
            is_named |= read_item(line[item.end() :][:200], 0, Ecosystem.NPM) is not None
            continue
        is_other = has_names and not has_capitals and not _heads_packages(heading)
        if run and capitals == len(run) and is_other:
            found.update(run)
        elif is_named:
            has_names, has_capitals = True, has_capitals or capitals > 0
        heading, run, capitals, is_named = line, [], 0, False
        has_names |= not _is_heading(line) and ":" in line and speaks_of_packages(line)
    return frozenset(found)


def _heads_packages(line: str) -> bool:
    return speaks_of_packages(line) or not CATEGORIES.isdisjoint(_WORD.findall(line.lower()))


def _is_heading(line: str) -> bool:
    bare = line.strip()
    return bare.startswith("#") or bare.rstrip("*_ ").endswith((":", "："))


def _heads_remarks(line: str) -> bool:
    words = _WORD.findall(line.lower())
    return len(words) < 8 and not WORDS["aside"].isdisjoint(words) and not speaks_of_packages(line)
