"""Unregistered names are a shopping list for squatters: shown shortened unless asked for."""

from __future__ import annotations


def redact(name: str) -> str:
    """Enough of the name to recognise it in one's own data, too little to register it."""
    scope, slash, bare = name.rpartition("/")
    kept = bare[: min(3, len(bare) // 2)]
    return f"{scope}{slash}{kept}…({len(bare)})"
