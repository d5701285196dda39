"""Texts that name packages: files, standard input, a command, and the refs in each.

A file is read by what its name says (``extractors.manifests``), else as a list of names, else as
a text to extract from. A dependency file must be sound: here a part that can't be read would be
a package that isn't checked. What isn't looked at is said (`Skipped`), never passed over.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.documents import parse_json, parse_toml
from ghostbust.errors import UsageError
from ghostbust.extractors.extract import Extraction, examine
from ghostbust.extractors.installers import (
    InstallCommand,
    not_looked_up,
    read_commands,
    with_indexes,
)
from ghostbust.extractors.interface import Language, Placed, word_set
from ghostbust.extractors.labels import (
    JAVASCRIPT_LABELS,
    SHELL_LABELS,
    is_python,
    label_of_file,
)
from ghostbust.extractors.literals import Entry, read_object
from ghostbust.extractors.locks import LOCKS
from ghostbust.extractors.manifests import (
    GROUPS,
    MANIFESTS,
    RequirementLine,
    environment_items,
    files_of,
    hidden_names,
    indexes_of,
    requirement_lines,
)
from ghostbust.extractors.markdown import is_notebook
from ghostbust.extractors.names import is_placeholder, scan_name
from ghostbust.extractors.shell import read_script
from ghostbust.records import Ecosystem, Flag, Lookup, NamedIndex, PackageRef, Verdict
from ghostbust.registries.names import canonical_name, ref_of

if TYPE_CHECKING:
    from ghostbust.registries.judge import Judge


# --- named_indexes
# The verdict of ``check`` on a name for which a text names an index: the text can't vouch for it.
#
# - An index asked beside the usual one changes no verdict: pip asks the public one all the same,
# so
#   whoever registers the name there may be the one who is installed from.
# - An index asked instead of it: what is public stays as it is. A name that isn't is UNKNOWN,
#   ``private-index``, unless the user's own settings name that index; then it is asked.

_LONGEST = 120
"""characters of an address that a message shows"""


def to_be_judged(ref: PackageRef) -> PackageRef:
    """The ref as the public index is asked about it, whatever index the text names."""
    return replace(ref, flags=ref.flags - {Flag.PRIVATE_INDEX})


def by_named_indexes(judge: Judge, ref: PackageRef, public: Lookup) -> Lookup:
    """The verdict on a ref, from the ``public`` one. Raises ConfigError."""
    named = ref.indexes
    if not named and Flag.PRIVATE_INDEX in ref.flags:
        named = (NamedIndex("", replaces=True),)
    if Flag.ELSEWHERE in ref.flags or public.verdict is Verdict.BUILTIN:
        return public
    others = [one for one in named if not judge.known.is_public(ref.ecosystem, one.address)]
    foreign = [one for one in others if not _is_own(judge, one, public)]
    if len(foreign) < len(others):  # one of them is the user's own
        public = _asked_again(judge, public)
    if not foreign:
        return public
    where = ", ".join(shown_address(one.address) for one in foreign)
    is_replaced = any(one.replaces for one in foreign)
    if not is_replaced or not public.invented or public.reason == "invalid-name":
        how = "is named instead of" if is_replaced else "is asked beside"
        return replace(public, evidence=f"{public.evidence}; {where} {how} the usual index")
    evidence = f"{public.evidence}; the text names {where} instead, which wasn't asked"
    return replace(public, verdict=Verdict.UNKNOWN, reason=Flag.PRIVATE_INDEX, evidence=evidence)


def _is_own(judge: Judge, index: NamedIndex, public: Lookup) -> bool:
    return judge.known.is_own(public.ecosystem, index.address, public.name)


def _asked_again(judge: Judge, public: Lookup) -> Lookup:
    """The live verdict where a snapshot, which doesn't know the user's own index, says no."""
    if public.verdict is Verdict.ABSENT and public.source.startswith("snapshot:"):
        return judge.asked_live(public.ecosystem, public.name)
    return public


def shown_address(address: str) -> str:
    """An address, or words with one, without credentials and short enough for a line."""
    from ghostbust.registries.judge import without_credentials

    words = " ".join(without_credentials(word) for word in address.split())
    return (words[:_LONGEST] + "…" if len(words) > _LONGEST else words) or "another index"


STDIN = "-"
MOST_BYTES = 8_388_608
"""bytes of a file that is read; reading them takes minutes, and some 50 times as much memory"""
_LIST_SUFFIXES = (".txt", ".in")
_TEXT_SUFFIXES = (*_LIST_SUFFIXES, ".md", ".markdown", ".rst", ".ini")
_UNREAD_SUFFIXES = (".toml", ".lock", ".cfg")
_OTHER_MANIFESTS = word_set(
    "cargo.toml cargo.lock go.mod go.sum gemfile composer.json pom.xml build.gradle "
    "build.gradle.kts mix.exs pubspec.yaml podfile package.swift project.clj vcpkg.json "
    "conanfile.txt conanfile.py packages.config deno.json"
)
_OTHER_CODE = word_set(
    "rs go rb java kt php c cc cpp h hpp cs swift scala ex exs erl hs ml r jl lua pl dart zig clj"
)
_DEEPEST_QUOTES = 3
_MANGLED = 10
"""one character in so many that isn't UTF-8 makes a file no text"""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was given, or is named by what was given, and wasn't looked at."""

    what: str
    """a file, a command, an address"""
    why: str
    """in a few words"""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A requirements or constraints file that a text names."""

    path: str
    """as written: relative to the file that names it, or an address"""
    line: int
    """of the text; 0 where that says nothing"""
    is_certain: bool
    """False where the text may speak of another machine, as a Dockerfile does"""


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the packages that it names; no built-in imports."""

    refs: list[PackageRef]
    """in the order of the text, with spans in it"""
    text: str
    path: str | None = None
    """as the user gave it, ``-`` for standard input; None for what came as an argument"""
    skipped: Sequence[Skipped] = ()
    files: Sequence[NamedFile] = ()
    """what has to be read too"""

    @property
    def file(self) -> Path | None:
        """The file that it was read from; None for an argument and for standard input."""
        return None if self.path in (None, STDIN) else Path(self.path)


def read_text(source: str) -> str:
    """The text of a file, or of standard input for ``-``; line ends stay as they are.

    What isn't UTF-8 becomes U+FFFD. Raises UsageError for a file that can't be read, or is longer
    than ``MOST_BYTES``: no more is read, not even of a pipe or a device.
    """
    try:
        data = _bytes_of(source)
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise UsageError(f"{source}: can't be read ({why})") from exc
    if len(data) > MOST_BYTES:
        raise UsageError(f"{source}: has more than {MOST_BYTES:,} bytes; split it, or give a part")
    return _decoded(data)


def _bytes_of(source: str) -> bytes:
    """The first bytes of a file or of standard input, one more than may be."""
    if source == STDIN:
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(source).open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _decoded(content: bytes) -> str:
    """As pip reads requirements: by a byte order mark, else as UTF-8."""
    marks = {"utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
             "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)}  # fmt: skip
    encoding = next((name for name, mark in marks.items() if content.startswith(mark)), "utf-8")
    return content.decode(encoding, "replace")


def source_of_name(spec: str) -> Source:
    """A single name, as `ref_of` reads it. Raises UsageError."""
    ref = ref_of(spec)
    if ref is None:
        return Source([], spec, skipped=(Skipped(spec, "it comes from no registry"),))
    return Source([ref], spec)


def source_of_command(command: str) -> Source:
    """A shell command, the packages that it would install, and what of it isn't looked at.

    Names such as ``foo`` are no placeholders here: somebody asks about this very command.
    """
    script = _without_placeholders(command)
    refs = []
    found = examine(script, language=Language.SHELL)
    for ref in found.refs:
        raw = command[ref.start : ref.end]
        name = ref.name if raw == ref.raw else canonical_name(ref.ecosystem, raw)
        refs.append(replace(ref, raw=raw, name=name))
    files: list[NamedFile] = []
    skipped = list(_unread(found, command, "the command"))
    for words in _commands(script):
        installs = list(read_commands(words))
        if not installs and (unseen := not_looked_up(words)):
            skipped.append(Skipped(*unseen))
        for one in installs:
            files += [NamedFile(file.value, 0, True) for file in one.files]
            skipped += _passed_over(one)
    if not (refs or files or skipped):
        skipped.append(Skipped(command.strip() or "the command", "it names no package"))
    return Source(refs, command, skipped=skipped, files=files)


def _commands(script: str, depth: int = 0) -> Iterator[list[Placed]]:
    """The simple commands of a script, and of those in its quotes."""
    for words in read_script(script).commands:
        yield words
        for word in words if depth < _DEEPEST_QUOTES else ():
            if " " in word.value:
                yield from _commands(word.value, depth + 1)


def _passed_over(command: InstallCommand) -> Iterator[Skipped]:
    """What an install command takes besides packages of a registry."""
    for word in command.passed_over:
        shown = shown_address(word.value)
        yield Skipped(f"{command.names} {shown}", "no package of a registry")
    if not (command.found or command.files or command.passed_over):
        yield Skipped(command.names, "it names no package")
    elif command.elsewhere:
        yield Skipped(command.names, "its packages come from no registry")


def _without_placeholders(command: str) -> str:
    """The command with another name, of the same length, in the place of each placeholder."""
    words = ["".join(letters) for _, letters in groupby(command, str.isspace)]
    for at, word in enumerate(words):
        length = scan_name(word, Ecosystem.NPM)
        if length and is_placeholder(word[:length]):
            words[at] = "q" * length + word[length:]
    return "".join(words)


def is_read(path: str) -> bool:
    """True for a file that is looked into when its folder is checked, by its name."""
    label, suffix = label_of_file(path), Path(path).suffix.lower()
    if label in MANIFESTS or label in LOCKS:
        return True
    if Path(path).name.lower() in _OTHER_MANIFESTS:
        return False
    return is_python(label) or label in JAVASCRIPT_LABELS | SHELL_LABELS or suffix in _TEXT_SUFFIXES


def read_source(source: str, *, is_given: bool = True, is_requirements: bool = False) -> Source:
    """A file, or standard input for ``-``, with the packages that it names.

    ``is_given``: the user named the file, so one that is empty is said to be so, and a text may be
    a list of names. ``is_requirements``: whatever its name, it is a requirements file. Raises
    UsageError for a file that can't be read, or not as what its name says.
    """
    label = "requirements.txt" if is_requirements else label_of_file(source)
    suffix = Path(source).suffix
    if suffix in _UNREAD_SUFFIXES and label not in MANIFESTS and label not in LOCKS:
        raise UsageError(
            f"{source}: such {suffix} files aren't read; give a requirements file, a"
            " pyproject.toml, a package.json, a lock file or a text"
        )
    text = read_text(source)
    if why := _why_unread(source, label, text, is_given=is_given):
        return Source([], "", source, (Skipped(source, why),))
    if is_given and _may_be_list(source, label):
        label = _label_of_open(source, text)
    found = _examined(source, label, text)
    skipped = tuple(_unread(found, text, source))
    return Source(found.refs, text, source, skipped, tuple(_named_files(label, text)))


def _unread(found: Extraction, text: str, what: str) -> Iterator[Skipped]:
    """The parts that take too much to be read, so that what they name isn't among the refs."""
    for part in found.unread:
        line = text.count("\n", 0, part.start) + 1
        yield Skipped(f"{what}, line {line}", part.reason)


def _why_unread(source: str, label: str, text: str, *, is_given: bool) -> str:
    """Why a text isn't looked at; empty where it is."""
    if not text.strip("\ufeff \t\r\n"):
        return "it is empty" if is_given else ""
    if "\0" in text or text.count("\ufffd") * _MANGLED > len(text):
        return "it isn't text in UTF-8"
    if Path(source).name.lower() in _OTHER_MANIFESTS or label in _OTHER_CODE:
        return "packages of its language aren't looked up"
    return ""


def _may_be_list(source: str, label: str) -> bool:
    """True for standard input, and for a text whose name doesn't say what it holds."""
    return source == STDIN or (Path(source).suffix in _LIST_SUFFIXES and label not in MANIFESTS)


def _label_of_open(source: str, text: str) -> str:
    """How to read such a text: as requirements if every line is a name, else by its content."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return "" if is_notebook(text) else "package.json"
    try:
        list(_requirements(source, text))
    except UsageError:
        return ""  # no list of names, so a text with names in it
    return "requirements.txt"


def _examined(source: str, label: str, text: str) -> Extraction:
    if label == "requirements.txt":
        return Extraction(list(_requirements(source, text)))
    _check_syntax(source, label, text)
    name = label if label in MANIFESTS or label in LOCKS else source
    found = examine(text, filename=name)
    return Extraction([ref for ref in found.refs if not ref.builtin], found.unread)


def _named_files(label: str, text: str) -> Iterator[NamedFile]:
    """The requirements files that a dependency file or a script names."""
    if label == "environment.yml":
        lines: Iterable[RequirementLine] = (
            RequirementLine(0, item) for _, item in environment_items(text)
        )
    elif label in SHELL_LABELS:
        for words in read_script(text).commands:
            for command in read_commands(words):
                yield from (NamedFile(file.value, 0, False) for file in command.files)
        return
    else:
        lines = requirement_lines(text) if label == "requirements.txt" else ()
    yield from (NamedFile(path, number, True) for number, path in files_of(lines))


def _requirements(source: str, text: str) -> Iterator[PackageRef]:
    """The names in lines as pip reads them; ``name@npm`` too. Raises UsageError."""
    lines = list(requirement_lines(text))
    indexes = indexes_of(lines)
    for line in lines:
        if line.option or line.is_elsewhere:
            continue
        words = line.words
        try:
            ref = ref_of(words.value.partition(" --")[0])
        except UsageError as exc:
            raise UsageError(f"{source}, line {line.number}: {exc}") from exc
        if ref is not None:
            at = words.value.find(ref.raw)
            span = words.span(at, at + len(ref.raw)) if at >= 0 else None
            # a purl, or a name on two lines, is written in another way: all of it, then
            start, end = span or (words.at[0], words.at[-1] + 1)
            ref = replace(ref, raw=text[start:end], start=start, end=end)
            yield with_indexes(ref, indexes if ref.ecosystem is Ecosystem.PYPI else ())


def _check_syntax(source: str, label: str, text: str) -> None:
    """Raises UsageError for a file that isn't what its name says."""
    text = text.removeprefix("\ufeff")
    try:
        if label in ("pyproject.toml", "pipfile"):
            parse_toml(text)
            for name in hidden_names(text):
                raise _escaped(source, name)
        elif label == "package.json":
            _check_package_json(source, text)
        elif label in LOCKS:
            _check_lock(source, label, text)
    except (ValueError, RecursionError) as exc:
        kind = "JSON" if label == "package.json" else "TOML"
        raise UsageError(f"{source}: isn't valid {kind} ({exc})") from exc


def _check_lock(source: str, label: str, text: str) -> None:
    try:
        LOCKS[label].read(text)
    except ValueError as exc:
        raise UsageError(f"{source}: can't be read as a {label} ({exc})") from exc


def _check_package_json(source: str, text: str) -> None:
    manifest = parse_json(text)
    if not isinstance(manifest, dict):
        raise UsageError(f"{source}: isn't a JSON object")
    groups = [manifest.get(group, {}) for group in GROUPS]
    if not all(isinstance(group, dict) for group in groups):
        raise UsageError(f"{source}: its dependencies aren't objects of names and versions")
    for entry in read_object(text):
        if len(entry.path) == 2 and entry.path[0].value in GROUPS and _is_escaped(entry):
            raise _escaped(source, entry.path[1].value)


def _escaped(source: str, name: str) -> UsageError:
    return UsageError(f"{source}: has escapes in the dependency {name!r}; write it plainly")


def _is_escaped(entry: Entry) -> bool:
    """True for a dependency whose name isn't in one piece in the text, so that none is found."""
    key = entry.path[1]
    wanted = entry.value.placed() if entry.value else None
    parts = [key, wanted] if wanted and wanted.value.startswith("npm:") else [key]
    return any(part.value and part.span(0, len(part.value)) is None for part in parts)
