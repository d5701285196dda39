"""Reads TOML line by line into entries with their places, broken and cut-off files included."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ghostbust.extractors.literals import Entry, Quoted, read_literal
from ghostbust.extractors.placed import Placed, plain

_BARE_KEY = re.compile(r"[\w-]+")
_SPACE = re.compile(r"[ \t]*")


def toml_entries(text: str) -> Iterator[Entry]:
    """Every scalar of a TOML text; the path begins with the names of its table.

    The ``holder`` of an entry outside of braces is the offset of its table's header, so that
    the tables of an array (``[[name]]``) can be told apart. A line that is no TOML is passed
    over. Never raises.
    """
    table: tuple[Placed, ...] = ()
    holder = -1
    position = 0
    while position < len(text):
        position = _behind_blanks(text, position)
        line_end = text.find("\n", position)
        line_end = len(text) if line_end < 0 else line_end
        if text.startswith("[", position):
            opening = 2 if text.startswith("[[", position) else 1
            found, behind = _keys(text, position + opening)
            if found and (text.startswith("]", behind) or behind >= line_end):
                table, holder = found, position
            position = line_end
            continue
        keys, behind = _keys(text, position)
        if keys and text.startswith("=", behind):
            entries, position = read_literal(text, behind + 1, (*table, *keys), toml=True)
            for entry in entries:
                held = entry.holder if entry.holder >= 0 else holder
                yield Entry(entry.path, entry.value, entry.scalar, held, entry.key_closed)
            line_end = text.find("\n", position)
        elif keys and behind >= len(text):
            yield Entry((*table, *keys), None, "", holder, key_closed=False)
        position = len(text) if line_end < 0 else line_end


def _behind_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n\ufeff":
        position += 1
    return position


def _keys(text: str, position: int) -> tuple[tuple[Placed, ...], int]:
    """(the parts of a dotted key, offset of what follows it); no parts where there is no key."""
    parts: list[Placed] = []
    while True:
        position = _behind_space(text, position)
        mark = text[position : position + 1]
        if mark in ('"', "'") and mark:
            end = text.find(mark, position + 1, position + 200)
            if end < 0 or "\n" in text[position:end]:
                return (), position
            parts.append(Quoted(text, position + 1, end, mark == '"').placed())
            position = end + 1
        elif bare := _BARE_KEY.match(text, position):
            parts.append(plain(text, position, bare.end()))
            position = bare.end()
        else:
            return (), position
        position = _behind_space(text, position)
        if not text.startswith(".", position) or len(parts) > 24:
            return tuple(parts), position
        position += 1


def _behind_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position
