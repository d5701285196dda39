"""The packages that the PEP 723 header of a Python script names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ghostbust.extractors.placed import Placed
from ghostbust.extractors.pyproject import PyprojectExtractor
from ghostbust.records import PackageRef

_OPENING, _CLOSING = "# /// script", "# ///"


class ScriptHeaderExtractor:
    """``dependencies`` in the TOML of a ``# /// script`` block; a block that nothing closes ends
    with its comment. Elsewhere in comments nothing is read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        header = _header(text) if _OPENING in text else None
        if header is None:
            return
        for ref in PyprojectExtractor().find(header.value, 0):
            span = header.span(ref.start, ref.end)
            if span is not None:
                yield replace(ref, start=span[0] + offset, end=span[1] + offset)


def has_header(text: str) -> bool:
    """True for a script with a header, which is Python whatever else it looks like."""
    return _OPENING in text and _header(text) is not None


def _header(text: str) -> Placed | None:
    """The TOML of the first header, comment marks removed; None where there is none."""
    value: list[str] = []
    at: list[int] = []
    position, within = 0, False
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        if not within:
            within = line.rstrip() == _OPENING
            continue
        if not line.startswith("#") or line.rstrip() == _CLOSING:
            break
        lead = 2 if line.startswith("# ") else 1
        value.append(line[lead:])
        at.extend(range(start + lead, position))
    return Placed("".join(value), tuple(at)) if within else None
