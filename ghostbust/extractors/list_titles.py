"""Titles in lists: what heads names or says something of them, and is no name itself."""

from __future__ import annotations

import re
from collections import Counter

from ghostbust.extractors.list_items import Item, read_item
from ghostbust.records import Ecosystem


def headed_groups(text: str, marker: re.Pattern[str]) -> frozenset[int]:
    """Places of the items ``1. **Forms**`` that head names indented below them.

    All items on their level must be capital words or phrases and head items of their own that
    begin with no capital and come once: ``small`` below each of two is said of them.
    """
    found: set[int] = set()
    group: list[int] = []
    below: list[list[str]] = []
    is_group, position = True, 0
    for line in [*text.splitlines(keepends=True), "end"]:
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
        position += len(line)
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
    """Titles that come more than once (``Lizenz: MIT``): what is said of each package."""
    titles = Counter(title(line) for line in text.splitlines())
    return frozenset(title for title, count in titles.items() if title and count > 1)


def title(line: str) -> str:
    """The capital word in front of a line's colon; empty where there is none."""
    word, is_title, _ = line[:60].partition(":")
    word = word.rstrip()
    return word if is_title and word[:1].isupper() and word.isalpha() else ""


def is_attribute(line: str, items: list[Item]) -> bool:
    """True for what is said of the item above: ``- Language: Python``, ``- License: MIT``."""
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
