"""Names in a list as JSON and Python write it, on one line or on many.

Answers to a prompt that asked for JSON are arrays of names, arrays of objects that have a name, or
an object that holds such an array. A ``package.json`` is none of these.
"""

from __future__ import annotations

from ghostbust.extractors.list_items import Item
from ghostbust.extractors.literals import Entry, read_literal
from ghostbust.extractors.package_names import read_requirement
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem

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
    if text[end:].strip() or any(_is_command(entry) for entry in entries):
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
    keys = [key.value for key in entry.path]
    if _is_named(entry):
        keys.pop()
    return in_array if not keys else len(keys) == 1 and keys[0] in _HOLDING


def _is_named(entry: Entry) -> bool:
    return bool(entry.path) and entry.path[-1].value in _NAMING


def _is_command(entry: Entry) -> bool:
    value = entry.value.placed().value if entry.value else ""
    return not entry.path and value == "install"


def _item(entry: Entry, ecosystem: Ecosystem) -> Item | None:
    """The name that a string holds as a whole, a version aside."""
    placed = entry.value.placed() if entry.value else None
    found = read_requirement(placed.value, ecosystem) if placed else None
    span = placed.span(found.start, found.end) if placed and found else None
    if found is None or span is None or found.ends_sentence:
        return None
    return Item(span[0], found.name, alone=True, sure=True)
