"""A snapshot's manifest and the files that it vouches for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from ghostbust.errors import SnapshotError
from ghostbust.parsing import parse_json
from ghostbust.records import Ecosystem

FORMAT = 1
"""raised with every change that an older ghostbust couldn't read"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot claims to be."""

    format: int
    ecosystem: str
    date: str
    """the day the names were listed, ISO 8601"""
    complete: bool
    """True when the registry held no other name on that day"""
    count: int
    """names in the trie"""
    popular: int
    suspects: int
    files: dict[str, dict[str, int | str]]
    """file name to ``bytes`` and ``sha256``"""

    def to_json(self) -> str:
        """The manifest as the text of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_manifest(path: Path) -> Manifest:
    """The manifest at ``path``, of the format this version writes."""
    try:
        told = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise broken(path, "there is no such file") from exc
    except (OSError, ValueError) as exc:
        raise broken(path, f"it can't be read ({exc})") from exc
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise broken(path, f"its format isn't {FORMAT}")
    try:
        manifest = Manifest(**told)
        date.fromisoformat(manifest.date)
        if path.stem != f"registry-{Ecosystem(manifest.ecosystem)}":
            raise broken(path, f"it is of {manifest.ecosystem}")
        if not isinstance(manifest.complete, bool) or not isinstance(manifest.count, int):
            raise broken(path, "its fields 'complete' and 'count' are of the wrong type")
        if {part(path, "marisa").name, part(path, "tsv").name} != set(manifest.files):
            raise broken(path, "it doesn't name the files beside it")
        told_of = manifest.files.values()
        if not all(isinstance(told.get("bytes"), int) and told.get("sha256") for told in told_of):
            raise broken(path, "it doesn't say size and SHA-256 of its files")
    except (TypeError, ValueError, AttributeError) as exc:
        raise broken(path, f"its fields are wrong ({exc})") from exc
    return manifest


def part(path: Path, suffix: str) -> Path:
    """The snapshot's file of that suffix, beside the manifest ``path``."""
    return path.with_name(f"{path.stem}.{suffix}")


def replace_file(path: Path, content: bytes) -> None:
    """Writes aside, then replaces, so that a reader never sees half a file."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(content)
    aside.replace(path)


def sha256_of(path: Path) -> str:
    """The file's SHA-256; raises SnapshotError where it can't be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise SnapshotError(f"{path}: can't be read ({exc})") from exc


def broken(path: Path, what: str) -> SnapshotError:
    """The error for a snapshot that can't be used, with what to do about it."""
    return SnapshotError(
        f"registry snapshot {path}: {what}; build it anew with `ghostbust registry build`"
    )
