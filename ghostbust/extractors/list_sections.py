"""The lines of an answer, each with whether it stands below a heading that lists no packages.

``Vorteile:``, ``Steps:``, ``Remarques :`` head what is said of packages, in short words that may
look like names. A heading that speaks of packages as well (``Notes on the packages:``) heads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ghostbust.extractors.list_words import speaks_of_packages
from ghostbust.extractors.vocabulary import word_set

_WORD = re.compile(r"[^\W\d_]+")
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
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        if not line.strip():
            continue
        marked = marker.match(line)
        indent = len(line) - len(line.lstrip()) if marked else -1
        if is_aside and (indent <= aside if marked else _is_heading(line)):
            is_aside = False
        yield Line(start, line, is_aside)
        if not is_aside and _is_heading(line) and _heads_remarks(line):
            is_aside, aside = True, indent


def _is_heading(line: str) -> bool:
    bare = line.strip()
    return bare.startswith("#") or bare.rstrip("*_ ").endswith((":", "："))


def _heads_remarks(line: str) -> bool:
    words = _WORD.findall(line.lower())
    return len(words) < 8 and not _ASIDE.isdisjoint(words) and not speaks_of_packages(line)
