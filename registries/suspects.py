"""Reads lists of registry names, and which of the names are suspect: the input of a snapshot.

A suspect is registered, but no package to recommend. The rule, in order:

1. A name in the hand-made table (``ghostbust/data/registry-pypi-decoys.tsv``) is a decoy,
   whatever its downloads: people install it by mistake, in numbers.
2. A research squat or a security hold is suspect, whatever its downloads.
3. Any other name among the most downloaded is real: a word in the summary of a
   package that thousands use ("typo squatting detection", "deprecated, use X") proves nothing.
4. A summary that calls the package a placeholder, parked or a reserved name: placeholder.
5. A summary that says "renamed to X", "use X instead" and the like, where X is itself
   registered: a decoy for X.
6. A "dummy package" that names no other: placeholder.
7. Everything else is real, deprecated packages without a named heir included.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Container, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.names import NPM_SECURITY_HOLD, canonical_name, is_valid_name
from ghostbust.registries.snapshot import POPULAR, NameRow

# What a cut, damaged or binary file raises while it is read.
_UNREADABLE = (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error)
_USED_COLUMNS = frozenset(
    ("download_rank_top15000", "downloads_a_month", "summary_class", "newest_version")
)
# Classes of a list without summaries that say enough by themselves; "placeholder" and "decoy"
# were found by a single word, so they need the summary to be believed.
_CLASSES = {
    "slopsquat-research": SuspectReason.RESEARCH_SQUAT,
    "security-hold": SuspectReason.SECURITY_HOLDING,
}
_RESEARCH = re.compile(r"slopsquatting research|dependency hallucination", re.I)
_HOLD = re.compile(r"\bsecurity hold(?:ing)?\b", re.I)
# Words by which a package says that there is nothing in it yet ...
_PLACEHOLDER = re.compile(
    r"""
      \bplaceholder\b | \b(?:is|are)\s(?:\w+\s)?parked\b | ^parked\b
    | \breserv(?:ed|ing|ation|e)\b.{0,40}\b(?:names?|namespaces?|package)\b
    | \b(?:names?|namespaces?|package)\b.{0,40}\breserv(?:ed|ing|ation|e)\b
    | \bdependency[ -]confusion\b | \bsquatted\spypi\spackage\b | \bname[ -]squatting\b
    """,
    re.I | re.X,
)
# ... and uses of the same words by tools that do something with placeholders.
_FEATURE = re.compile(
    r"""
      [{<]+\s*placeholder | \b(?:lorem|lqip|thumbhash|jinja|(?:django-?)?cms|wagtail)\b
    | \bplaceholders?[ -](?:images?|photos?|texts?\b|contents?|data\b|tests?|fields?|values?
      |variables?|notation|syntax|detect\w+|users?|replac\w+|conver\w+|inject\w+|mismatch\w*
      |floods?|tags?|functions?|samples?|drift|substitut\w+|safe\w*|resol\w+|generat\w+
      |fill\w+|secrets?|attr\w*|plugins?|warnings?|language|objects?|and\sstring|server
      |expressions?|names?\sin|keys?|parsing|engine|string|params?\b|parameters?|based)
    | \b(?:image|image\sas|better|beautiful|elegant|argument|form|entry|simple|with|of|using)\s
      placeholders?\s(?!package|release|project)
    | \b(?:detect|scan|find)\w*\s.{0,60}dependency[ -]confusion
    """,
    re.I | re.X,
)
_DUMMY = re.compile(r"\bdummy\b", re.I)
# English words, never meant as a package, that stand where a pointer's name would.
_NO_NAMES = frozenset(("a", "an", "any", "anymore", "it", "new", "that", "the", "their", "this"))
_NAME = (
    r"[`'\"*]{0,2}(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?![\w/])"
    r"(?:\[[\w,-]+\])?[`'\"*]{0,2}"
)
_POINTERS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"\brenamed\s(?:to|as):?\s(?:the\s)?{_NAME}",
        rf"\b(?:pip|pipx|uv\stool)\sinstall\s(?:--pre\s)?{_NAME}",
        rf"\b(?:use|install|prefer)\s(?:the\s)?{_NAME}\s(?:package\s|module\s|library\s)?instead"
        r"(?!\sof)",
        rf"\b(?:deprecated|legacy)\b.{{0,12}}\b(?:use|install)\s(?:the\s)?{_NAME}",
        rf"\b(?:dummy|virtual|stub|mirror)\spackage\s(?:for|of)\s(?:[\w ]+\()?{_NAME}(?=\W*$)",
        rf"\b(?:superseded|replaced)\sby\s(?:the\s)?{_NAME}",
        rf"\bmoved\sto\s{_NAME}",
        rf"\bis\snow\s(?:part\sof\s)?{_NAME}",
        rf"\bdeprecated\s(?:alias|name)\s(?:for|of)\s{_NAME}",
    )
)


def read_names(
    path: Path, ecosystem: Ecosystem, *, summaries: Path | None = None
) -> Iterator[NameRow]:
    """The names of a list, each once, with rank and suspicion where the list has them.

    ``path``: ``.txt`` with one name a line, or ``.tsv`` with a header, either also as ``.gz``.
    Columns: ``name``; ``download_rank_top15000`` or ``downloads_a_month``; ``summary_class``
    or ``newest_version``; others are skipped. ``summaries``: ``.tsv`` of name, class and
    one-line summary, without a header. Raises UsageError for a file that can't be read or a
    name that the registry couldn't hold.
    """
    rows = _read_list(path, ecosystem)
    try:
        ranks = _ranks(rows)
    except ValueError as exc:
        raise UsageError(f"{path}: a rank or a count isn't a whole number ({exc})") from exc
    by_name = (
        {canonical_name(ecosystem, columns[0]): columns[-1] for columns in _summaries(summaries)}
        if summaries
        else {}
    )
    decoys = known_decoys(ecosystem)
    for name, row in rows.items():
        rank = ranks.get(name)
        reason, other = None, ""
        if name in decoys:
            reason, other = SuspectReason.DECOY, decoys[name]
        elif name in by_name:
            found = suspect_reason(
                ecosystem, name, by_name[name], ranked=rank is not None, registered=rows
            )
            reason, other = found or (None, "")
        elif row.get("summary_class") in _CLASSES:
            reason = _CLASSES[row["summary_class"]]
        elif NPM_SECURITY_HOLD.search(row.get("newest_version", "")):
            reason = SuspectReason.SECURITY_HOLDING
        yield NameRow(name, rank, reason, other)


def known_decoys(ecosystem: Ecosystem) -> dict[str, str]:
    """Decoy name to the package it stands in for, from the hand-made table."""
    table = files("ghostbust.data") / f"registry-{ecosystem}-decoys.tsv"
    if not table.is_file():
        return {}
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:])
    return {name: other for name, other, _source in rows}


def suspect_reason(
    ecosystem: Ecosystem, name: str, summary: str, *, ranked: bool, registered: Container[str]
) -> tuple[SuspectReason, str] | None:
    """Why a name is suspect, with the package it points to ("" for none); None for a real one.

    ``ranked``: it is among the most downloaded. Doesn't read the hand-made table: see
    `known_decoys`.
    """
    if _RESEARCH.search(summary):
        return SuspectReason.RESEARCH_SQUAT, ""
    if _HOLD.search(summary):
        return SuspectReason.SECURITY_HOLDING, ""
    if ranked:
        return None
    other = other_package(ecosystem, name, summary, registered)
    if _PLACEHOLDER.search(summary) and not _FEATURE.search(summary):
        return SuspectReason.PLACEHOLDER, other or ""
    if other is not None:
        return SuspectReason.DECOY, other
    return (SuspectReason.PLACEHOLDER, "") if _DUMMY.search(summary) else None


def other_package(
    ecosystem: Ecosystem, name: str, summary: str, registered: Container[str]
) -> str | None:
    """The registered package that a summary points to; None where it points to none.

    Does not follow chains, and takes the first pointer that is registered and isn't ``name``.
    """
    for pattern in _POINTERS:
        for match in pattern.finditer(summary):
            other = canonical_name(ecosystem, match["name"])
            if other in _NO_NAMES or other == name:
                continue
            if is_valid_name(ecosystem, other) and other in registered:
                return other
    return None


def _read_list(path: Path, ecosystem: Ecosystem) -> dict[str, Mapping[str, str]]:
    """Canonical name to the other columns that are used and filled, in the order of the file."""
    rows: dict[str, Mapping[str, str]] = {}
    try:
        with _open(path) as file:
            plain = path.name.removesuffix(".gz").endswith(".txt")
            # Unquoted: a quotation mark in a column is no quoting.
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
        if "download_rank_top15000" in row
    }
    if given:
        return given
    counts = [
        (-int(row["downloads_a_month"]), name)
        for name, row in rows.items()
        if "downloads_a_month" in row
    ]
    return {name: rank for rank, (_, name) in enumerate(sorted(counts)[:POPULAR], start=1)}


def _summaries(path: Path) -> list[list[str]]:
    """The rows of a file of name, class and summary that have two columns or more."""
    try:
        with _open(path) as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
    except _UNREADABLE as exc:
        raise UsageError(f"{path}: can't be read as a list of summaries ({exc})") from exc
    return [columns for columns in rows if len(columns) > 1]


def _open(path: Path) -> IO[str]:
    """The file as UTF-8 text, unpacked where its name ends in ``.gz``."""
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8", newline="")
