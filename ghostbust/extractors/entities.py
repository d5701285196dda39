"""Undoes the escapes of HTML in an answer that went through a page: ``&lt;``, ``&#39;``."""

from __future__ import annotations

import html
import re

from ghostbust.extractors.placed import Placed

_ENTITY = re.compile(r"&(?:lt|gt|quot|apos|amp|#39|#x27|#34|#x22|#60|#62);", re.I)
_AMPERSAND = re.compile(rf"&(?!{_ENTITY.pattern[1:]})", re.I)


def unescaped(text: str) -> Placed | None:
    """The text with each entity as the character it stands for; None where nothing is escaped.

    A character that stands there as itself, too, was escaped by nobody: its entities are what the
    code is about (``text.replace("<", "&lt;")``), and stay.
    """
    entities = list(_ENTITY.finditer(text)) if "&" in text else []
    escaped = {char for char in {html.unescape(e[0]) for e in entities} if char not in text}
    if entities and not _AMPERSAND.search(text):
        escaped.add("&")
    if escaped <= {"&"}:
        return None
    value: list[str] = []
    at: list[int] = []
    position = 0
    for entity in entities:
        char = html.unescape(entity[0])
        if char in escaped:
            value += (text[position : entity.start()], char)
            at += range(position, entity.start() + 1)
            position = entity.end()
    value.append(text[position:])
    at += range(position, len(text))
    return Placed("".join(value), at)
