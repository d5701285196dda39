"""Everything that ``ghostbust check`` is given: names, files, folders, a command, and what they
name in turn.

Which argument is a name and which a path can't depend on what lies in the current folder: whoever
wrote that could make the check look elsewhere. So a word counts as a path by how it is written.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ghostbust.cli.sources import (
    STDIN,
    NamedFile,
    Skipped,
    Source,
    is_read,
    read_source,
    shown_address,
    source_of_command,
    source_of_name,
)
from ghostbust.errors import ConfigError, StoreError, UsageError
from ghostbust.extractors.checkout import Checkouts, is_filled
from ghostbust.extractors.labels import label_of_file
from ghostbust.extractors.locks import LOCKS
from ghostbust.extractors.manifests import MANIFESTS
from ghostbust.extractors.names import scan_name
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Flag, Lookup, PackageRef, Verdict, utc_now
from ghostbust.registries.names import canonical_name, is_valid_name, ref_of
from ghostbust.results import IGNORED

if TYPE_CHECKING:
    from ghostbust.cli.sources import Source


# --- folders
# The files of a folder that are looked into, in a fixed order, and what is left out.
#
# Folders that tools fill are left out by their names, whatever lies in them, as is what
# ``--exclude``
# matches. ``.gitignore`` isn't read, and git isn't run: a checkout's own settings make it run
# programs. Links to folders aren't followed, nor links to files outside of the folder.


@dataclass(slots=True)
class Walk:
    """What a folder holds."""

    files: list[str] = field(default_factory=list)
    """paths of what is looked into: the folder as given, then what is below, sorted"""
    others: Counter[str] = field(default_factory=Counter)
    """files of kinds that aren't read, counted by their suffix, or name where they have none"""
    left_out: list[str] = field(default_factory=list)
    """folders that weren't entered, links to folders among them"""
    skipped: list[Skipped] = field(default_factory=list)
    """files of kinds that are read, and folders, that can't be"""


def walk(root: str, exclude: Sequence[str] = ()) -> Walk:
    """Everything below a folder. ``exclude``: patterns of names or of paths below it."""
    found = Walk()
    base = Path(os.path.realpath(root))
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(base / folder), key=lambda entry: entry.name)
        except OSError as exc:
            found.skipped.append(Skipped(_shown(root, folder), f"can't be read ({exc.strerror})"))
            continue
        below = []
        for entry in entries:
            inner = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                if entry.is_symlink() or _matches(inner, exclude) or is_filled(Path(entry.path)):
                    found.left_out.append(_shown(root, inner))
                else:
                    below.append(inner)
            elif not _matches(inner, exclude):
                _note(found, _shown(root, inner), entry, base)
        waiting += reversed(below)
    found.files.sort(key=lambda path: path.split("/"))
    return found


def _note(found: Walk, shown: str, entry: os.DirEntry[str], base: Path) -> None:
    """Puts down a file, or a link."""
    if not is_read(entry.name):
        found.others[Path(entry.name).suffix.lower() or entry.name] += 1
        return
    target = Path(os.path.realpath(entry.path))
    try:
        is_regular = stat.S_ISREG(target.stat().st_mode)
    except OSError:
        is_regular = False
    if entry.is_symlink() and not target.is_relative_to(base):
        found.skipped.append(Skipped(shown, "a link out of the folder"))
    elif is_regular:
        found.files.append(shown)
    elif not target.is_dir():
        found.skipped.append(Skipped(shown, "no regular file"))


def _matches(inner: str, patterns: Sequence[str]) -> bool:
    """True where a pattern matches the name, or the path below the folder."""
    name = inner.rpartition("/")[2]
    stripped = (pattern.removeprefix("./").rstrip("/") for pattern in patterns)
    return any(fnmatchcase(name, one) or fnmatchcase(inner, one) for one in stripped)


def _shown(root: str, inner: str) -> str:
    """A path as the user would write it."""
    return os.path.normpath(os.path.join(root, inner))  # noqa: PTH118 (a link stays what it is)


def counted(others: Counter[str]) -> Iterator[str]:
    """``12 .png``, ``3 .rs`` …: the commonest three kinds."""
    most = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
    yield from (f"{count} {kind}" for kind, count in most[:3])
    if len(most) > 3:
        yield f"{sum(count for _, count in most[3:])} more"


_DEEPEST = 20
"""files that name each other in a row"""


@dataclass(slots=True)
class Gathered:
    """What there is to check, and what isn't looked at."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """lines for the user that change no verdict"""
    folders: list[str] = field(default_factory=list)
    """as given"""
    seen: set[str] = field(default_factory=set)
    """real paths of what was read as a requirements file: by its name, or because one names it"""

    def add(self, source: Source) -> None:
        """A source, with what it wasn't looked at of it."""
        self.sources.append(source)
        self.skipped += source.skipped


def gather(
    names: Sequence[str],
    files: Sequence[str],
    command: str | None = None,
    exclude: Sequence[str] = (),
) -> Gathered:
    """Reads it all, in the order given. Raises UsageError for what can't be read."""
    gathered = Gathered()
    for name in names:
        if name == STDIN or is_path(name):
            _add_path(gathered, name, exclude)
            continue
        if Path(name).exists():
            gathered.notes.append(f"{name}: checked as a package; -f {name} checks the file")
        gathered.add(source_of_name(name))
    for file in files:
        _add_path(gathered, file, exclude)
    if command is not None:
        source = source_of_command(command)
        gathered.add(source)
        _follow(gathered, source, 0)
    return gathered


def is_path(word: str) -> bool:
    """True for an argument that is written like a file or folder, and like no package.

    It has a separator (and is no ``@scope/name``, purl or address), or is a folder's dots, or ends
    as no package's name does (``package.json``, ``answer.md``), or is a dependency file's name.
    """
    if word in (".", ".."):
        return True
    if "/" in word:
        is_scoped = word.startswith("@") and word.count("/") == 1
        return not (is_scoped or word.startswith("pkg:") or "://" in word or " @ " in word)
    if "@" in word or not word.strip():
        return False
    label = label_of_file(word)
    is_named = label in MANIFESTS or label in LOCKS or label == "dockerfile"
    return is_named or ("." in word and not scan_name(word, Ecosystem.PYPI) and _is_plain(word))


def _is_plain(word: str) -> bool:
    return all(char.isalnum() or char in "._-" for char in word)


def _add_path(gathered: Gathered, path: str, exclude: Sequence[str]) -> None:
    """A file or folder that the user named, and what it names."""
    if path != STDIN and Path(path).is_dir():
        gathered.folders.append(path)
        _add_folder(gathered, path, exclude)
        return
    source = read_source(path)
    _note_read(gathered, path)
    gathered.add(source)
    _follow(gathered, source, 0)


def _note_read(gathered: Gathered, path: str) -> None:
    if label_of_file(path) == "requirements.txt":
        gathered.seen.add(os.path.realpath(path))


def _add_folder(gathered: Gathered, folder: str, exclude: Sequence[str]) -> None:
    """The files of a folder; one that can't be read is said, and the others are read."""
    found = walk(folder, exclude)
    gathered.skipped += found.skipped
    for path in found.files:
        if os.path.realpath(path) in gathered.seen:
            continue
        _note_read(gathered, path)
        try:
            source = read_source(path, is_given=False)
        except UsageError as exc:
            gathered.skipped.append(Skipped(path, str(exc).removeprefix(f"{path}: ")))
            continue
        gathered.add(source)
        _follow(gathered, source, 0)
    if not found.files:
        gathered.skipped.append(Skipped(folder, "it holds no file of a kind that is read"))
    gathered.notes += _said_of(folder, found.others, found.left_out)


def _said_of(folder: str, others: Counter[str], left_out: Sequence[str]) -> Iterator[str]:
    if others:
        total = sum(others.values())
        yield f"{folder}: {total} files of kinds that aren't read ({', '.join(counted(others))})"
    if left_out:
        shown = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if left_out[5:] else "")
        yield f"{folder}: folders left out: {shown}"


def _follow(gathered: Gathered, source: Source, depth: int) -> None:
    """Reads the requirements files that a source names, and those that they name."""
    for file in source.files:
        if "://" in file.path:
            gathered.skipped.append(
                Skipped(shown_address(file.path), f"{_named_by(source, file)}, not fetched")
            )
            continue
        path = _place(source, file)
        if os.path.realpath(path) in gathered.seen:
            continue
        if not Path(path).is_file() or depth >= _DEEPEST:
            if file.is_certain:
                why = "too deep" if depth >= _DEEPEST else "no such file"
                gathered.skipped.append(Skipped(path, f"{_named_by(source, file)}, {why}"))
            continue
        gathered.seen.add(os.path.realpath(path))
        try:
            inner = read_source(path, is_given=False, is_requirements=True)
        except UsageError:  # whose text may quote a file that isn't the checked folder's
            why = f"{_named_by(source, file)}, no requirements file"
            gathered.skipped.append(Skipped(path, why))
            continue
        gathered.add(inner)
        _follow(gathered, inner, depth + 1)


def _place(source: Source, file: NamedFile) -> str:
    """Where a named file lies: beside what names it; for a command, in the current folder."""
    folder = os.path.dirname(source.path) if source.path not in (None, STDIN) else ""  # noqa: PTH120
    return os.path.normpath(os.path.join(folder, file.path))  # noqa: PTH118


def _named_by(source: Source, file: NamedFile) -> str:
    who = source.path if source.path not in (None, STDIN) else "the command"
    return f"named in {who}" + (f", line {file.line}" if file.line else "")


# --- vouching
# Names that the user vouches for, and names that are the user's own: neither is looked up.
#
# Both come from the home's settings, an explicit ``--config`` or the environment, never from the
# current folder: what is checked must not vouch for itself.

ALLOWED = "allowed"
PRIVATE_SCOPE = "private-scope"
_VARIABLES = ("GHOSTBUST_CHECK__ALLOW", "GHOSTBUST_CHECK__PRIVATE")
_HERE = Path("ghostbust.toml")


@dataclass(frozen=True, slots=True)
class Vouching:
    """What isn't looked up, as canonical names and as what names begin with."""

    allowed: frozenset[tuple[Ecosystem, str]] = frozenset()
    scopes: tuple[tuple[Ecosystem, str], ...] = ()
    """``@acme/`` for an npm scope, ``acme-`` for a PyPI prefix"""
    reviewed: frozenset[tuple[Ecosystem, str]] = frozenset()
    """what a person said `ghostbust names allow` of"""

    @classmethod
    def of(cls, allow: Iterable[str], private: Iterable[str]) -> Self:
        """From the settings' texts. Raises ConfigError for one that says nothing."""
        scopes = tuple(_scope(text) for text in private)
        return cls(frozenset(_name(text) for text in allow), scopes)

    def lookup(self, ref: PackageRef) -> Lookup | None:
        """UNKNOWN for a ref that isn't to be looked up; None for any other."""
        name = ref.name or canonical_name(ref.ecosystem, ref.import_name or ref.raw)
        if (ref.ecosystem, name) in self.allowed:
            reason, said = ALLOWED, "the settings' check.allow has it"
        elif (ref.ecosystem, name) in self.reviewed:
            reason, said = ALLOWED, "a review allows it (ghostbust names show)"
        elif any(ref.ecosystem is eco and name.startswith(head) for eco, head in self.scopes):
            reason, said = PRIVATE_SCOPE, "the settings' check.private has its scope"
        else:
            return None
        evidence = f"{name}: {said}"
        return Lookup(ref.ecosystem, name, Verdict.UNKNOWN, reason, evidence, "rule", utc_now())


def trusted_vouching(config: Path | None, home: Path | None) -> Vouching:
    """What the trusted settings say; nothing where there are none. Raises ConfigError."""
    place = Home.find(home)
    asked = config is not None or place.config.is_file()
    if not asked and not any(os.environ.get(name) for name in _VARIABLES):
        return Vouching(
            reviewed=_reviewed(place)
        )  # spares the 0.2 s that it takes to load the settings
    from ghostbust.config import load_config

    settings = load_config(config, place, trust_here=False).check
    return replace(Vouching.of(settings.allow, settings.private), reviewed=_reviewed(place))


def _reviewed(home: Home) -> frozenset[tuple[Ecosystem, str]]:
    """What `ghostbust names allow` was said of; nothing where there is no database to be read."""
    if not home.database.is_file():
        return frozenset()
    from ghostbust.store.store import Store

    try:
        with Store.open(home.database, read_only=True) as store:
            return store.reviews.allowed()
    except StoreError:
        return frozenset()  # one of an older version has none, and checking needs no database


def passed_over(config: Path | None) -> bool:
    """True where the current folder's settings try to vouch and aren't heard."""
    try:
        return config is None and "[check]" in _HERE.read_text("utf-8", "replace")
    except OSError:
        return False


def _name(text: str) -> tuple[Ecosystem, str]:
    try:
        ref = ref_of(text)
    except UsageError as exc:
        raise ConfigError(f"check.allow: {exc}") from exc
    if ref is None or ref.name is None:
        raise ConfigError(f"check.allow: {text!r} is no name in a registry")
    return ref.ecosystem, ref.name


def _scope(text: str) -> tuple[Ecosystem, str]:
    if text.startswith("@"):
        scope = text.removesuffix("/*").rstrip("/")
        if is_valid_name(Ecosystem.NPM, f"{scope}/x") and not {"/", "*"} & set(scope):
            return Ecosystem.NPM, f"{scope}/"
    elif text.endswith("*"):
        head = canonical_name(Ecosystem.PYPI, text[:-1])
        if is_valid_name(Ecosystem.PYPI, head.strip("-")) and not head.startswith("-"):
            return Ecosystem.PYPI, head
    raise ConfigError(
        f"check.private: {text!r} is no scope; write @scope for npm, prefix-* for PyPI"
    )


# --- own_code
# What of a checked file needs no registry: the checkout's own code, and lines that say so.
#
# An import of a module beside the file, or a dependency on a member of the workspace, is UNKNOWN
# with the reason ``local-module`` and where it lies. A comment ``ghostbust: ignore[why]`` on the
# line
# of a name makes it UNKNOWN with the reason ``ignored``.

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
