"""The lines of an answer, each with whether it stands below a heading that lists no packages.

``Vorteile:``, ``Steps:``, ``Remarques :`` head what is said of packages, in short words that may
look like names. A heading that speaks of packages as well (``Notes on the packages:``) heads them.
No list holds all such words: behind a list of packages, one of nothing but capital words
(``1. Einlesen``, ``2. Speichern``) lists none either, unless its heading speaks of packages or says
what they are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ghostbust.extractors.list_items import read_item
from ghostbust.extractors.list_words import CATEGORIES, speaks_of_packages
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem

_WORD = re.compile(r"[^\W\d_]+")
_CAPITAL = re.compile(r"[A-Z][^\W\d_A-Z]+[.!]?")
_ASIDE = word_set(
    """
    note notes pro pros cons benefits advantages disadvantages limits limitations steps usage
    features remarks tips
    vorteile nachteile schritte hinweis hinweise anmerkung anmerkungen bemerkung bemerkungen
    einschränkungen merkmale tipps
    ventajas desventajas pasos nota notas características limitaciones consejos
    avantages inconvénients étapes remarque remarques limites conseils
    优点 缺点 步骤 注意 说明 特点 提示
    """
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that isn't blank."""

    start: int
    text: str
    """with its line break"""
    is_aside: bool
    """True below a heading that lists no packages"""


def lines_of(text: str, marker: re.Pattern[str]) -> Iterator[Line]:
    """All lines but blank ones. ``marker`` matches what a list item begins with.

    A heading without a marker holds up to the next one, an item that heads others for those that
    are indented more.
    """
    position = 0
    aside = -1  # indent of the item that heads what is said; below any for a heading
    is_aside = False
    lines = text.splitlines(keepends=True)
    other = _other_lists(lines, marker)
    for number, line in enumerate(lines):
        start, position = position, position + len(line)
        if not line.strip():
            continue
        marked = marker.match(line)
        indent = len(line) - len(line.lstrip()) if marked else -1
        if is_aside and (indent <= aside if marked else _is_heading(line)):
            is_aside = False
        yield Line(start, line, is_aside or number in other)
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
    return len(words) < 8 and not _ASIDE.isdisjoint(words) and not speaks_of_packages(line)
