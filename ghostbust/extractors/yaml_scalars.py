"""Joins the lines of commands that YAML spreads over several: ``run: >`` and plain scalars.

Blocks behind ``|`` stay as they are, since there each line is a command of its own.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_ITEM = re.compile(r"(?P<lead>[ \t]*)(?:- +)*(?:[\w.\"'-]+[ \t]*:[ \t]+|(?<=- ))(?P<value>\S)")
_BLOCK = re.compile(r"[|>][-+\d]*[ \t]*(?:#.*)?$")
_OTHERWISE = frozenset("|>&*[{\"'#!%@`")
_NEXT = re.compile(r"[ \t]*(?:- |-$|#|[\w.\"'-]+[ \t]*:(?:\s|$))")


class _Scalar(Enum):
    """What the lines below a key are, as long as they are indented more."""

    NONE = auto()
    PLAIN = auto()
    FOLDED = auto()
    KEPT = auto()


def folded(text: str) -> str:
    """``text`` with spaces for the line breaks that YAML reads as such; of the same length.

    In a block a line that is indented more than the first one keeps its breaks, as in YAML.
    """
    lines = text.splitlines(keepends=True)
    scalar, outer, inner, before = _Scalar.NONE, 0, 0, -1
    for number, line in enumerate(lines):
        bare = line.rstrip()
        indent = len(line) - len(line.lstrip())
        if not bare:
            before = -1
            continue
        is_within = scalar is not _Scalar.NONE and indent > outer
        if not is_within or (scalar is _Scalar.PLAIN and _NEXT.match(bare)):
            scalar, outer = _opened(bare), indent
            inner, before = 0, indent if scalar is _Scalar.PLAIN else -1
            continue
        inner = inner or indent
        is_joined = scalar is _Scalar.PLAIN or (
            scalar is _Scalar.FOLDED and before == indent == inner
        )
        if is_joined and before >= 0:
            kept = lines[number - 1].rstrip("\r\n")
            lines[number - 1] = kept + " " * (len(lines[number - 1]) - len(kept))
        before = indent
    return "".join(lines)


def _opened(line: str) -> _Scalar:
    """The scalar that a line with a key or a dash begins."""
    item = _ITEM.match(line)
    if item is None:
        return _Scalar.NONE
    value = line[item.start("value") :]
    if _BLOCK.match(value):
        return _Scalar.FOLDED if value[0] == ">" else _Scalar.KEPT
    return _Scalar.NONE if value[0] in _OTHERWISE else _Scalar.PLAIN
