"""What of a checked file needs no registry: the checkout's own code, and lines that say so.

An import of a module beside the file, or a dependency on a member of the workspace, is UNKNOWN
with the reason ``local-module`` and where it lies. A comment ``ghostbust: ignore[why]`` on the line
of a name makes it UNKNOWN with the reason ``ignored``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ghostbust.extractors.checkout import Checkouts
from ghostbust.records import Flag, Lookup, PackageRef, Verdict, utc_now

if TYPE_CHECKING:
    from ghostbust.cli.sources import Source

IGNORED: Final = "ignored"
_COMMENT = re.compile(r"ghostbust: ?ignore\[([^\]\n]{1,200})\]")


class OwnCode:
    """What is settled before, and after, the registries are asked. For one command."""

    def __init__(self, folders: Iterable[str] = (), *, heed_comments: bool = True) -> None:
        """``folders``: as given to the command; ``heed_comments``: off where the files' author
        isn't trusted."""
        self._checkouts = Checkouts(Path(folder) for folder in folders)
        self._heed_comments = heed_comments

    def before(self, source: Source, ref: PackageRef) -> Lookup | None:
        """The verdict on a ref that no registry is asked about; None for any other."""
        if source.file is None:
            return None
        if self._heed_comments and (why := _comment(source.text, ref.start)):
            return _unknown(ref, IGNORED, f"ignored in its line: {why}")
        place = self._checkouts.of(source.file).shadows(ref, source.file)
        return None if place is None else _unknown(ref, Flag.LOCAL_MODULE, f"{place} is its own")

    def after(self, source: Source, ref: PackageRef, lookup: Lookup) -> Lookup:
        """The registry's verdict, or that what it doesn't have is defined in the checkout."""
        missing = lookup.invented or lookup.reason in ("not-in-snapshot", Flag.PRIVATE_INDEX)
        if source.file is None or not missing:
            return lookup
        place = self._checkouts.of(source.file).defines(ref, source.file)
        if place is None:
            return lookup
        return _unknown(ref, Flag.LOCAL_MODULE, f"{place} is in the same checkout")


def _comment(text: str, at: int) -> str:
    """Why the comment in the line says that it isn't judged; empty without one."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    found = _COMMENT.search(line) if "ghostbust" in line else None
    return found[1].strip() if found else ""


def _unknown(ref: PackageRef, reason: str, evidence: str) -> Lookup:
    name = ref.name or ref.import_name or ref.raw
    return Lookup(
        ref.ecosystem, name, Verdict.UNKNOWN, reason, f"{ref.raw}: {evidence}", "rule", utc_now()
    )
