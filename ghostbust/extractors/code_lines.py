"""The code of a block without what stands around it: quote marks, diff signs, line numbers.

What is left out is overwritten by spaces, so that every character keeps its place. Lines that a
diff removes are left out whole, as is the code that a Python traceback quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

DIFF_INFOS = ("diff", "patch", "udiff")
DIFF_SIGNS = ("+", "-", " ", "@@", "\\ No newline", "diff --git", "index ")
_FILE_HEADERS = ("+++ ", "--- ", "@@", "\\ No newline", "diff --git", "index ")


def plain_code(body: str, info: str, quotes: int) -> str:
    """The code of a fenced block, as long as ``body``; ``quotes`` counts the ``>`` in front."""
    if quotes:
        body = _each_line(body, lambda line: _unquoted(line, quotes))
    label = info.partition(" ")[0].strip("{}.").lower()
    if label in DIFF_INFOS or _is_diff(body):
        body = _each_line(body, _applied)
    elif _is_numbered(body):
        body = _each_line(body, lambda line: _blank(line, _number_end(line)))
    return without_tracebacks(body)


def without_tracebacks(body: str) -> str:
    """The text without the lines of code that a traceback quotes below ``File "…", line 3``."""
    if '", line ' not in body:
        return body
    lines = body.splitlines(keepends=True)
    quoted = {
        number + 1
        for number, line in enumerate(lines)
        if line.lstrip().startswith('File "') and '", line ' in line
    }
    return "".join(
        _blank(line, len(line)) if number in quoted else line for number, line in enumerate(lines)
    )


def _each_line(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(line) for line in text.splitlines(keepends=True))


def _blank(line: str, end: int, start: int = 0) -> str:
    """The line with all but white space overwritten from ``start`` to ``end``."""
    blanked = "".join(char if char.isspace() else " " for char in line[start:end])
    return line[:start] + blanked + line[end:]


def _unquoted(line: str, quotes: int) -> str:
    """A line without its first ``quotes`` quote marks, if nothing but these stands in front."""
    end = 0
    while quotes and end < len(line) and line[end] in " \t>":
        quotes -= line[end] == ">"
        end += 1
    return _blank(line, end)


def _is_diff(body: str) -> bool:
    """True where every line has a sign and some are added, some removed."""
    lines = [line for line in body.splitlines() if line.strip()]
    signs = {line[0] for line in lines}
    return {"+", "-"} <= signs and all(line.startswith(DIFF_SIGNS) for line in lines)


def _applied(line: str) -> str:
    """A line of a diff as the file has it afterwards: blank where it is removed."""
    removed = line.startswith(("-", *_FILE_HEADERS))
    return _blank(line, len(line) if removed else min(len(line), line.startswith("+")))


def _is_numbered(body: str) -> bool:
    """True where lines are numbered one after the other, as editors show them."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2 or not all(_number_end(line) for line in lines):
        return False
    numbers = [int(line[: _number_end(line)]) for line in lines]
    return all(later - earlier == 1 for earlier, later in pairwise(numbers))


def _number_end(line: str) -> int:
    """Offset behind the number that a line starts with; 0 where none stands there by itself."""
    number = line.split(None, 1)[0] if line.strip() else ""
    if not (number.isascii() and number.isdigit() and len(number) < 7):
        return 0
    return line.index(number) + len(number)
