"""What was entered in a session of Python's or IPython's console that a text quotes."""

from __future__ import annotations

import re

_PROMPT = re.compile(r"[ \t]*(?:> )?[ \t]*(?:>>>(?!>)|In ?\[[ \d*]*\]:)")
_MORE = re.compile(r"[ \t]*(?:> )?[ \t]*\.\.\.(?::|(?=\s|$))")
_LONG_QUOTES = ('"""', "'''")


def entered(text: str) -> str:
    """The code behind the prompts (``>>>``, ``In [1]:``), as long as ``text``; empty for none.

    All else, answers included, is overwritten by spaces, so that each character keeps its place.
    What a docstring quotes was entered by nobody.
    """
    if ">>>" not in text and "In[" not in text and "In [" not in text:
        return ""
    lines = []
    is_session = continues = in_docstring = False
    for line in text.splitlines(keepends=True):
        prompt = None if in_docstring else _PROMPT.match(line)
        prompt = prompt or (_MORE.match(line) if continues else None)
        continues = prompt is not None
        is_session |= continues
        if not continues:
            in_docstring ^= sum(line.count(mark) for mark in _LONG_QUOTES) % 2 == 1
        lines.append(_blank(line, prompt.end() if prompt else len(line)))
    return "".join(lines) if is_session else ""


def _blank(line: str, end: int) -> str:
    return "".join(char if char.isspace() else " " for char in line[:end]) + line[end:]
