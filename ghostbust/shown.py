"""How text that others wrote is shown: harmless to a terminal, useless to a squatter."""

from __future__ import annotations

from ghostbust.records import Hallucination


def visible(text: str) -> str:
    """The text with control, direction and other unprintable characters as ``\\x1b`` and alike."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


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
