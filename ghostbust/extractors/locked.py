"""One entry of a lock file."""

from __future__ import annotations

from dataclasses import dataclass

from ghostbust.extractors.placed import Placed


@dataclass(frozen=True, slots=True)
class Locked:
    """A package that a lock file names."""

    name: Placed
    """as the registry knows it, where the entry has an alias"""
    place: str = ""
    """the index, or the place elsewhere, that the entry names; empty where it names none"""
    is_elsewhere: bool = False
    """True where it comes from a repository, a path or an address: from no index"""


def checked(found: list[Locked], text: str) -> list[Locked]:
    """The entries. Raises ValueError for a name that ``text`` doesn't hold as it is."""
    for one in found:
        span = one.name.span(0, len(one.name.value))
        if span is None or text[slice(*span)] != one.name.value:
            raise ValueError(f"it has escapes in the name {one.name.value!r}, which no tool writes")
    return found
