"""The cells of a Jupyter notebook, as texts that know where they stand in its JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ghostbust.extractors.interface import Language
from ghostbust.extractors.literals import Entry, Quoted, read_object
from ghostbust.extractors.placed import Placed

_LANGUAGES = {
    "": Language.PYTHON, "python": Language.PYTHON, "ipython": Language.PYTHON,
    "javascript": Language.JAVASCRIPT, "typescript": Language.JAVASCRIPT,
    "bash": Language.SHELL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is read: code, or Markdown."""

    source: Placed
    """its text, escapes resolved; ``at`` are offsets in the notebook's file"""
    language: Language
    """AUTO for Markdown, and for a kernel of another language"""


@dataclass(slots=True)
class _Raw:
    kind: str = "code"
    parts: list[Quoted] = field(default_factory=list)


def is_notebook(text: str) -> bool:
    """True where a text can only be a notebook's JSON, perhaps cut off."""
    return text.lstrip("\ufeff \t\r\n").startswith("{") and '"cell_type"' in text


def cells(text: str) -> Iterator[Cell]:
    """The code and Markdown cells in order. Outputs and raw cells aren't read. Never raises."""
    found: dict[int, _Raw] = {}
    kernel = ""
    for entry in read_object(text):
        path = tuple(part.value for part in entry.path)
        if entry.value is None:
            continue
        if path[-2:-1] == ("cells",):
            cell = found.setdefault(entry.holder, _Raw())
            if path[-1] in ("source", "input"):
                cell.parts.append(entry.value)
            elif path[-1] == "cell_type":
                cell.kind = _text(entry)
        elif path in (
            ("metadata", "kernelspec", "language"),
            ("metadata", "language_info", "name"),
        ):
            kernel = _text(entry).lower()
    code = _LANGUAGES.get(kernel, Language.AUTO)
    for cell in found.values():
        if cell.parts and cell.kind in ("code", "markdown"):
            yield Cell(_joined(cell.parts), code if cell.kind == "code" else Language.AUTO)


def _text(entry: Entry) -> str:
    return entry.value.placed().value if entry.value else ""


def _joined(parts: list[Quoted]) -> Placed:
    pieces = [part.placed() for part in parts]
    at = [index for piece in pieces for index in piece.at]
    return Placed("".join(piece.value for piece in pieces), tuple(at))
