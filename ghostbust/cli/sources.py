"""One text that ``ghostbust check`` reads: a file, standard input, a command or a name.

A file is read by what its name says, else as a list of names, else as a text to extract from. A
dependency file must be valid: a part that can't be read could name a package that isn't checked.
What isn't read is reported (`Unchecked`), never skipped silently.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.cli.source_text import PROSE_SUFFIXES, STDIN, NamedFile, SourceText, Unchecked
from ghostbust.documents import parse_json, parse_toml
from ghostbust.errors import UsageError
from ghostbust.extractors.installers import (
    read_commands,
    with_indexes,
)
from ghostbust.extractors.interface import word_set
from ghostbust.extractors.labels import (
    JAVASCRIPT_LABELS,
    RUST_LABELS,
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
from ghostbust.extractors.shell import read_script
from ghostbust.plugins import plugin_names
from ghostbust.records import Ecosystem, PackageRef
from ghostbust.registries.names import ref_of

if TYPE_CHECKING:
    from ghostbust.extractors.extract import Extraction

MOST_BYTES = 8_388_608
"""bytes of a file that is read; reading them takes minutes, and some 50 times as much memory"""
_LIST_SUFFIXES = (".txt", ".in")
_TEXT_SUFFIXES = (*_LIST_SUFFIXES, *PROSE_SUFFIXES, ".ini")
_UNREAD_SUFFIXES = (".toml", ".lock", ".cfg")
_OTHER_MANIFESTS = word_set(
    "go.mod go.sum gemfile composer.json pom.xml build.gradle "
    "build.gradle.kts mix.exs pubspec.yaml podfile package.swift project.clj vcpkg.json "
    "conanfile.txt conanfile.py packages.config deno.json"
)
_OTHER_CODE = word_set(
    "go rb java kt php c cc cpp h hpp cs swift scala ex exs erl hs ml r jl lua pl dart zig clj"
)
_MARKS = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
_MANGLED = 10
"""one character in so many that isn't UTF-8 makes a file no text"""


def read_source(source: str, *, is_given: bool = True, is_requirements: bool = False) -> SourceText:
    """A file, or standard input for ``-``, with the packages that it names.

    ``is_given``: the user named the file, so one that is empty is reported, and a text may be a
    list of names. ``is_requirements``: whatever its name, it is a requirements file. Raises
    UsageError for a file that can't be read, or not as what its name says.
    """
    label = "requirements.txt" if is_requirements else label_of_file(source)
    suffix = Path(source).suffix
    if suffix in _UNREAD_SUFFIXES and label not in MANIFESTS and label not in LOCKS:
        raise UsageError(
            f"{source}: such {suffix} files aren't read; give a requirements file, a"
            " pyproject.toml, a package.json, a lock file or a text"
        )
    return source_of_text(source, read_text(source), label, is_given=is_given)


def source_of_text(
    source: str, text: str, label: str = "", *, is_given: bool = False
) -> SourceText:
    """The text of a file with the packages that it names, read by the name ``source``.

    ``label``: how to read it, where its name doesn't say. Raises UsageError, as `read_source`.
    """
    # Imported here: names, which most calls give, need none of it.
    from ghostbust.extractors.extract import Extraction, examine

    label = label or label_of_file(source)
    suffix = Path(source).suffix
    if why := _why_unread(source, label, text, is_given=is_given):
        return SourceText([], "", source, (Unchecked(source, why),))
    if is_given and (source == STDIN or (suffix in _LIST_SUFFIXES and label not in MANIFESTS)):
        label = _label_of_open(source, text)  # the name doesn't say what the text holds
    # Imported here: names, which most calls give, need none of it.

    if label == "requirements.txt":
        found = Extraction(list(_requirements(source, text)))
    else:
        _check_syntax(source, label, text)
        found = examine(text, filename=label if label in MANIFESTS or label in LOCKS else source)
        found = replace(found, refs=[ref for ref in found.refs if not ref.builtin])
    skipped = tuple(unread_parts(found, text, source))
    return SourceText(found.refs, text, source, skipped, tuple(_named_files(label, text)))


def _why_unread(source: str, label: str, text: str, *, is_given: bool) -> str:
    """Why a text isn't looked at; empty where it is."""
    if not text.strip("\ufeff \t\r\n"):
        is_code = is_python(label) or label in JAVASCRIPT_LABELS  # such as __init__.py
        return "it is empty" if is_given and not is_code else ""
    if "\0" in text or text.count("\ufffd") * _MANGLED > len(text):
        return "it isn't text in UTF-8"
    is_other = is_other_manifest(source) or label in _OTHER_CODE
    if is_other and label not in plugin_names("extractors"):
        return "packages of its language aren't looked up"
    return ""


def _label_of_open(source: str, text: str) -> str:
    """How to read such a text: as requirements if every line is a name, else by its content."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        from ghostbust.extractors.markdown import is_notebook

        return "" if is_notebook(text) else "package.json"
    try:
        list(_requirements(source, text))
    except UsageError:
        return ""  # no list of names, so a text with names in it
    return "requirements.txt"


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
            # A purl, or a name on two lines, isn't in the text as it is: then the whole item.
            start, end = span or (words.at[0], words.at[-1] + 1)
            ref = replace(ref, raw=text[start:end], start=start, end=end)
            yield with_indexes(ref, indexes if ref.ecosystem is Ecosystem.PYPI else ())


def _check_syntax(source: str, label: str, text: str) -> None:
    """Raises UsageError for a file that isn't what its name says."""
    text = text.removeprefix("\ufeff")
    try:
        if label in ("pyproject.toml", "pipfile", "cargo.toml"):
            parse_toml(text)
            for name in hidden_names(text) if label != "cargo.toml" else ():
                raise _escaped(source, name)
        elif label == "package.json":
            _check_package_json(source, text)
        elif label in LOCKS:
            try:
                LOCKS[label].read(text)
            except ValueError as exc:
                raise UsageError(f"{source}: can't be read as a {label} ({exc})") from exc
    except (ValueError, RecursionError) as exc:
        kind = "JSON" if label == "package.json" else "TOML"
        raise UsageError(f"{source}: isn't valid {kind} ({exc})") from exc


def _check_package_json(source: str, text: str) -> None:
    manifest = parse_json(text)
    if not isinstance(manifest, dict):
        raise UsageError(f"{source}: isn't a JSON object")
    if not all(isinstance(manifest.get(group, {}), dict) for group in GROUPS):
        raise UsageError(f"{source}: its dependencies aren't objects of names and versions")
    for entry in read_object(text):
        if len(entry.path) == 2 and entry.path[0].value in GROUPS and _is_escaped(entry):
            raise _escaped(source, entry.path[1].value)


def _is_escaped(entry: Entry) -> bool:
    """True for a dependency whose name isn't in one piece in the text, so that none is found."""
    key = entry.path[1]
    wanted = entry.value.placed() if entry.value else None
    parts = [key, wanted] if wanted and wanted.value.startswith("npm:") else [key]
    return any(part.value and part.span(0, len(part.value)) is None for part in parts)


def _escaped(source: str, name: str) -> UsageError:
    return UsageError(f"{source}: has escapes in the dependency {name!r}; write it plainly")


def _named_files(label: str, text: str) -> Iterator[NamedFile]:
    """The requirements files that a dependency file or a script names."""
    if label in SHELL_LABELS:
        for words in read_script(text).commands:
            for command in read_commands(words):
                yield from (NamedFile(file.value, 0, False) for file in command.files)
        return
    lines: Iterable[RequirementLine] = ()
    if label == "environment.yml":
        lines = (RequirementLine(0, item) for _, item in environment_items(text))
    elif label == "requirements.txt":
        lines = requirement_lines(text)
    yield from (NamedFile(path, number, True) for number, path in files_of(lines))


def unread_parts(found: Extraction, text: str, what: str) -> Iterator[Unchecked]:
    """The parts that take too much to be read, so that what they name isn't among the refs."""
    for part in found.unread:
        line = text.count("\n", 0, part.start) + 1
        yield Unchecked(f"{what}, line {line}", part.reason)


def is_read(path: str) -> bool:
    """True for a file that is looked into when its folder is checked, by its name."""
    label, suffix = label_of_file(path), Path(path).suffix.lower()
    if label in MANIFESTS or label in LOCKS:
        return True
    if is_other_manifest(path):
        return False
    is_code = is_python(label) or label in JAVASCRIPT_LABELS | RUST_LABELS | SHELL_LABELS
    if is_code or suffix in _TEXT_SUFFIXES:
        return True
    return bool(label) and label in plugin_names("extractors")


def is_other_manifest(path: str) -> bool:
    """True for a dependency file of a language whose packages aren't looked up."""
    return Path(path).name.lower() in _OTHER_MANIFESTS


def read_text(source: str) -> str:
    """The text of a file, or of standard input for ``-``; line ends stay as they are.

    What isn't UTF-8 becomes U+FFFD. Raises UsageError for a file that can't be read, or is longer
    than ``MOST_BYTES``: no more is read, not even of a pipe or a device.
    """
    try:
        if source == STDIN:
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as exc:  # ValueError: a name with a null character
        why = getattr(exc, "strerror", None) or exc
        raise UsageError(f"{source}: can't be read ({why})") from exc
    if len(data) > MOST_BYTES:
        raise UsageError(f"{source}: has more than {MOST_BYTES:,} bytes; split it, or give a part")
    # As pip reads requirements: by a byte order mark, else as UTF-8. The mark of UTF-32 begins
    # with that of UTF-16.
    for encoding, marks in _MARKS.items():
        if data.startswith(marks):
            return data.decode(encoding, "replace")
    return data.decode("utf-8", "replace")
