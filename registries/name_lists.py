"""Lists of registry names, read from files, as the snapshot builder takes them."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.suspects import known_decoys, suspect_reason

RANKED = 15_000
"""how many of the most downloaded names count as popular"""
NPM_SECURITY_HOLD = re.compile(r"-security(?:\.\d+)?$")
"""npm replaces the versions of a malicious package by one such as ``0.0.1-security.1``"""
# What a cut, damaged or binary file raises while it is read.
_UNREADABLE = (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error)
_USED_COLUMNS = frozenset(
    ("download_rank_top15000", "downloads_a_month", "summary_class", "newest_version")
)
# Classes of a list without summaries that say enough by themselves; "placeholder" and "decoy"
# were read off a word, so they need the summary to be believed.
_CLASSES = {
    "slopsquat-research": SuspectReason.RESEARCH_SQUAT,
    "security-hold": SuspectReason.SECURITY_HOLDING,
}


@dataclass(frozen=True, slots=True)
class NameRow:
    """One registered name."""

    name: str
    """canonical"""
    rank: int | None = None
    """1 for the most downloaded; None outside the popular ones, or where not known"""
    reason: SuspectReason | None = None
    """why the name is suspect; None for a real one"""
    other: str = ""
    """the package that a decoy or placeholder points to; empty for none"""


def read_names(
    path: Path, ecosystem: Ecosystem, *, summaries: Path | None = None
) -> Iterator[NameRow]:
    """The names of a list, each once, with rank and suspicion where the list tells.

    ``path``: ``.txt`` with one name a line, or ``.tsv`` with a header, either also as ``.gz``.
    Columns: ``name``; ``download_rank_top15000`` or ``downloads_a_month``; ``summary_class``
    or ``newest_version``; others are skipped. ``summaries``: ``.tsv`` of name, class and
    one-line summary, without a header. Raises UsageError for a file that can't be read or a
    name that the registry couldn't hold.
    """
    rows = _rows(path, ecosystem)
    try:
        ranks = _ranks(rows)
    except ValueError as exc:
        raise UsageError(f"{path}: a rank or a count isn't a whole number ({exc})") from exc
    said = _summaries(summaries, ecosystem) if summaries else {}
    decoys = known_decoys(ecosystem)
    for name, row in rows.items():
        rank = ranks.get(name)
        reason, other = None, ""
        if name in decoys:
            reason, other = SuspectReason.DECOY, decoys[name]
        elif name in said:
            found = suspect_reason(
                ecosystem, name, said[name], ranked=rank is not None, registered=rows
            )
            reason, other = found or (None, "")
        elif row.get("summary_class") in _CLASSES:
            reason = _CLASSES[row["summary_class"]]
        elif NPM_SECURITY_HOLD.search(row.get("newest_version", "")):
            reason = SuspectReason.SECURITY_HOLDING
        yield NameRow(name, rank, reason, other)


def read_fakes(path: Path, ecosystem: Ecosystem) -> list[str]:
    """The names that a file of name, class and summary classes as squat or security hold.

    Raises UsageError for a file that can't be read.
    """
    try:
        with _open(path) as file:
            parts = (line.rstrip("\n").split("\t") for line in file)
            return [
                canonical_name(ecosystem, part[0])
                for part in parts
                if len(part) > 1 and part[1] in _CLASSES
            ]
    except _UNREADABLE as exc:
        raise UsageError(f"{path}: can't be read as a list of summaries ({exc})") from exc


def _rows(path: Path, ecosystem: Ecosystem) -> dict[str, Mapping[str, str]]:
    """Canonical name to the other columns that say something, in the order of the file."""
    rows: dict[str, Mapping[str, str]] = {}
    try:
        with _open(path) as file:
            plain = path.name.removesuffix(".gz").endswith(".txt")
            lines = csv.DictReader(
                file, delimiter="\t", quoting=csv.QUOTE_NONE, fieldnames=["name"] if plain else None
            )
            if "name" not in (lines.fieldnames or ()):
                raise UsageError(f"{path}: no column 'name' in its first line; give .txt or .tsv")
            for number, row in enumerate(lines, start=1 if plain else 2):
                name = canonical_name(ecosystem, row["name"])
                if not is_valid_name(ecosystem, name):
                    raise UsageError(f"{path}, line {number}: {name!r} is no {ecosystem} name")
                rows[name] = {
                    key: value for key, value in row.items() if value and key in _USED_COLUMNS
                }
    except _UNREADABLE as exc:
        raise UsageError(f"{path}: can't be read as a name list ({exc})") from exc
    return rows


def _ranks(rows: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Name to download rank for the popular ones; from counts where the list has no ranks."""
    given = {
        name: int(row["download_rank_top15000"])
        for name, row in rows.items()
        if row.get("download_rank_top15000")
    }
    if given:
        return given
    counts = [
        (-int(row["downloads_a_month"]), name)
        for name, row in rows.items()
        if row.get("downloads_a_month")
    ]
    return {name: rank for rank, (_, name) in enumerate(sorted(counts)[:RANKED], start=1)}


def _summaries(path: Path, ecosystem: Ecosystem) -> dict[str, str]:
    """Canonical name to its one-line summary."""
    try:
        with _open(path) as file:
            parts = (line.rstrip("\n").split("\t") for line in file)
            return {canonical_name(ecosystem, part[0]): part[-1] for part in parts if len(part) > 1}
    except _UNREADABLE as exc:
        raise UsageError(f"{path}: can't be read as a list of summaries ({exc})") from exc


def _open(path: Path) -> IO[str]:
    """The file as UTF-8 text, unpacked where its name ends in ``.gz``."""
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8", newline="")
