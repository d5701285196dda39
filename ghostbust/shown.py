"""How text that others wrote is shown: harmless where it stands, useless to a squatter."""

from __future__ import annotations

from ghostbust.records import Hallucination

_FORMULA = tuple("=+-@|%＝＋－＠")
"""what a formula begins with, also in full width"""


def visible(text: str) -> str:
    """The text with control, direction and other unprintable characters as ``\\x1b`` and alike."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def no_formula(text: str) -> str:
    """The text made `visible`, with an apostrophe in front where a spreadsheet would compute it.

    Spreadsheets take the apostrophe for "this is text" and hide it (OWASP, "CSV Injection").
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA else shown


def redact(name: str) -> str:
    """Enough of the name to recognise it in one's own data, too little to register it.

    Unregistered names are a shopping list for squatters: shown in full only when asked for.
    """
    scope, slash, bare = name.rpartition("/")
    kept = bare[: min(3, len(bare) // 2)]
    return f"{scope}{slash}{kept}…({len(bare)})"


def came_back(name: Hallucination) -> str:
    """How often an invention came back, never without the number of tries; ``-`` without one."""
    return f"{name.came_back} of {name.asked_again}" if name.asked_again else "-"
