"""Reads one item of a list: the name, if something sets it apart from what is said about it.

That is markup, a delimiter or a version: ``name: …``, ``name - …``, ``name (…)``, `` `name` …``,
``**name** …``, ``[name](…)``, ``name==1.2``. ``requests for web pages`` has no item.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ghostbust.extractors.package_names import scan_name
from ghostbust.records import Ecosystem

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
