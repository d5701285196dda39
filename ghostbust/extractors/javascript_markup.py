"""Finds the scripts in Vue, Svelte, Astro and HTML files."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = re.compile(r"<script(?P<attributes>(?:\s[^<>]*)?)>", re.I)
_CLOSING = re.compile(r"</script\s*>", re.I)
_DATA = ("json", "importmap", "template", "speculationrules", "python", "x-shader")
_FRONTMATTER = "---"


def is_markup(text: str) -> bool:
    """True for a text with a script element that begins as a component or a page does.

    A comment may stand in front (``// App.vue``). The ``---`` of an Astro file is enough.
    """
    if _frontmatter(text) is not None:
        return True
    lines = (line.lstrip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("//", "#"))), "")
    return first.startswith("<") and _OPENING.search(text) is not None


def scripts(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each script, without its tags; one that nothing closes ends the text.

    Scripts that hold data or another language are left out. The part between the ``---`` of an
    Astro file is a script.
    """
    position = 0
    if (front := _frontmatter(text)) is not None:
        yield front
        position = front[1]
    while (opening := _OPENING.search(text, position)) is not None:
        closing = _CLOSING.search(text, opening.end())
        end = closing.start() if closing else len(text)
        kind = opening["attributes"].lower()
        if not any(word in kind for word in _DATA):
            yield opening.end(), end
        position = closing.end() if closing else len(text)


def _frontmatter(text: str) -> tuple[int, int] | None:
    """The part between ``---`` and ``---`` at the beginning; None where there is none."""
    lead = len(text) - len(text.lstrip())
    start = lead + len(_FRONTMATTER) + 1
    if not text.startswith(f"{_FRONTMATTER}\n", lead):
        return None
    end = text.find(f"\n{_FRONTMATTER}", start - 1)
    return (start, end + 1 if end >= 0 else len(text))
