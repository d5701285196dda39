"""The packages that a ``package.json`` names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement

from ghostbust.extractors.installers import few, index_of_option, with_indexes, without_usual
from ghostbust.extractors.interface import Placed, plain, word_set
from ghostbust.extractors.literals import Entry, read_literal, read_object
from ghostbust.extractors.names import canonical, read_requirement
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind

# --- requirement_lines
# Requirements files: one requirement, option or comment a line, as pip reads them.

_PYPI = Ecosystem.PYPI
_FILE_OPTIONS = word_set("-r --requirement -c --constraint")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 2_000
"""characters of a requirement that ``packaging`` is asked about"""


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """A logical line that says something: comments gone, continuations joined."""

    number: int
    """of its first line in the file, from 1"""
    words: Placed

    @property
    def option(self) -> str:
        """The option that the line begins with; empty for a requirement."""
        value = self.words.value
        is_option = value.startswith("-") and value.lstrip("-")[:1].isalpha()
        return value.replace("=", " ").split()[0] if is_option else ""

    def options(self) -> Iterator[tuple[str, Placed]]:
        """The options of a line that begins with one, each with its value, empty for none.

        As pip reads them: ``-r x``, ``-rx``, ``--requirement x``, ``--requirement=x``, and several.
        """
        words = _words(self.words) if self.option else []
        for word, behind in zip(words, [*words[1:], self.words.part(0, 0)], strict=False):
            name, joined, _ = word.value.partition("=")
            if joined:
                yield name, _unquoted(word.part(len(name) + 1, len(word.value)))
            elif name.startswith("-") and not name.startswith("--") and len(name) > 2:
                yield name[:2], _unquoted(word.part(2, len(name)))
            elif name.startswith("-"):
                is_value = not behind.value.startswith("-")
                yield name, _unquoted(behind) if is_value else behind.part(0, 0)

    @property
    def is_elsewhere(self) -> bool:
        """True for a path or an address, which no registry answers for."""
        value = self.words.value
        is_file = value.partition(" ")[0].endswith((".whl", ".zip", ".tar.gz"))
        return value.startswith((".", "/", "~")) or "://" in value.partition("@")[0] or is_file

    @property
    def is_requirement(self) -> bool:
        """True where ``packaging`` takes the line for a requirement."""
        spec = self.words.value[:_LONGEST].partition(" --")[0]
        try:
            address = Requirement(spec).url
        except InvalidRequirement:
            return False
        return address is None or "/" in address or ":" in address  # not somebody@example.test


class RequirementsExtractor:
    """Requirements and constraints files; their options and the files they name are passed over.

    A line that is none is passed over too, the rest of the file is read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        lines = list(requirement_lines(text))
        indexes = indexes_of(lines)
        for line in lines:
            if not line.option:
                yield from manifest_ref(line.words, _PYPI, offset, indexes=indexes)


def indexes_of(lines: Iterable[RequirementLine]) -> tuple[NamedIndex, ...]:
    """The indexes that the lines' options name, for the whole file."""
    options = [option for line in lines for option in line.options()]
    found = [index_of_option(_PYPI, name, value.value) for name, value in options]
    indexes = few(index for index in found if index is not None)
    return without_usual(indexes) if any(name == "--no-index" for name, _ in options) else indexes


def files_of(lines: Iterable[RequirementLine]) -> Iterator[tuple[int, str]]:
    """(line, path or address) of each requirements or constraints file that the lines name.

    Long options may be cut short, as pip allows: ``--requirem``, ``--cons``.
    """
    for line in lines:
        for name, value in line.options():
            if value.value and (name in _FILE_OPTIONS or _is_cut_short(name)):
                yield line.number, value.value


def looks_like_requirements(text: str, *, named: bool) -> bool:
    """True where every line can stand in a requirements file.

    Without a name that says so (``named``), one of them must say more than a bare name.
    """
    says_more = named
    empty = True
    for line in requirement_lines(text):
        is_requirement = not line.option and line.is_requirement
        if not (line.option or is_requirement or line.is_elsewhere):
            return False
        says_more |= is_requirement and not _NAME.issuperset(line.words.value)
        empty = False
    return says_more and not empty


def manifest_ref(
    spec: Placed,
    ecosystem: Ecosystem,
    offset: int,
    *,
    indexes: Sequence[NamedIndex] = (),
    cut: bool = False,
) -> Iterator[PackageRef]:
    """The ref of a requirement that stands in a file; none for a path, an address or no name.

    ``cut``: the file ends within it, so that the name may be longer.
    """
    lead = len(spec.value) - len(spec.value.lstrip())
    found = read_requirement(_requirement(spec.value[lead:]), ecosystem)
    if found is None:
        return
    span = spec.span(lead + found.start, lead + found.end)
    if span is None:
        return
    flags = {Flag.TRUNCATED} if cut and lead + found.end == len(spec.value) else set()
    start, end = span[0] + offset, span[1] + offset
    name = canonical(ecosystem, found.name)
    ref = PackageRef(
        ecosystem, RefKind.MANIFEST, found.name, start, end, name, flags=frozenset(flags)
    )
    yield with_indexes(ref, indexes)


def _requirement(spec: str) -> str:
    """The part of a line that is the requirement: no options, no old ``(>=1)`` brackets."""
    spec = spec.partition(" --")[0].partition(";")[0].rstrip()
    return spec.partition("(")[0].rstrip() if spec.endswith(")") else spec


def _is_cut_short(name: str) -> bool:
    """True for the beginning of ``--requirement`` or ``--constraint`` that no other option has."""
    return ("--requirement".startswith(name) and len(name) > len("--require")) or (
        "--constraint".startswith(name) and len(name) > len("--co")
    )


def _words(line: Placed) -> list[Placed]:
    """The words of a line between white space; quotes hold one together."""
    words: list[Placed] = []
    start, mark = -1, ""
    for at, char in enumerate(line.value):
        if char.isspace() and not mark:
            words += [line.part(start, at)] if start >= 0 else []
            start = -1
            continue
        start = at if start < 0 else start
        mark = (char if char in "\"'" else "") if not mark else ("" if char == mark else mark)
    return words + ([line.part(start, len(line.value))] if start >= 0 else [])


def _unquoted(word: Placed) -> Placed:
    value = word.value
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return word.part(1, len(value) - 1) if is_quoted else word


def requirement_lines(text: str) -> Iterator[RequirementLine]:
    """The logical lines of a requirements file."""
    value: list[str] = []
    at: list[int] = []
    first = position = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        first = first if at else number
        body = line.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
        is_comment = body.lstrip("\ufeff \t").startswith("#")
        kept = "" if is_comment else body
        continues = body.endswith("\\") and not is_comment
        kept = kept[:-1] if continues else kept
        value.append(kept)
        at.extend(range(position, position + len(kept)))
        position += len(line)
        if continues:
            continue
        yield from _said(first, "".join(value), at)
        value, at = [], []
    yield from _said(first, "".join(value), at)


def _said(number: int, value: str, at: list[int]) -> Iterator[RequirementLine]:
    """The line without its comment, if it says anything."""
    start = len(value) - len(value.lstrip("\ufeff \t\x0c"))
    comment = value.find(" #")
    comment = comment if comment >= 0 else value.find("\t#")
    end = len(value[: comment if comment >= 0 else len(value)].rstrip())
    if start < end:
        yield RequirementLine(number, Placed(value[start:end], tuple(at[start:end])))


# --- setup_files
# The packages that ``setup.py`` and ``setup.cfg`` name.

_KEYWORD = re.compile(
    r"\b(?:install_requires|setup_requires|tests_require|extras_require)[\"']?[ \t]*[=:][ \t]*"
    r"(?=[\[{(])"
)
_OPTIONS = word_set("install_requires setup_requires tests_require")


class SetupPyExtractor:
    """Requirements in the lists of a ``setup(install_requires=[…])``, as they are written.

    Lists that are put together at run time are not followed.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        position = 0
        while (keyword := _KEYWORD.search(text, position)) is not None:
            entries, position = read_literal(text, keyword.end())
            before = text[max(keyword.start() - 200, 0) : keyword.start()].rpartition("\n")[2]
            if "#" in before:
                continue
            for entry in entries:
                if entry.value is not None:
                    cut = not entry.value.closed
                    spec = entry.value.placed()
                    yield from manifest_ref(spec, Ecosystem.PYPI, offset, cut=cut)


class SetupCfgExtractor:
    """Requirements under ``[options]`` and ``[options.extras_require]``."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        for start, end in _values(text):
            yield from manifest_ref(plain(text, start, end), Ecosystem.PYPI, offset)


def is_setup_cfg(text: str) -> bool:
    """True where an INI text names requirements as setuptools reads them."""
    return any(_values(text))


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Places of the requirements, one a line."""
    section, wanted, position = "", False, 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            continue
        lead = len(line) - len(line.lstrip())
        if not lead:
            if bare.startswith("["):
                section, wanted = bare.strip("[] "), False
                continue
            key, _, value = bare.partition("=")
            is_option = section == "options" and key.strip() in _OPTIONS
            wanted = is_option or section == "options.extras_require"
            lead = line.find("=") + 1 if value.strip() else len(line)
        if wanted and line[lead:].strip() and not bare.startswith("file:"):
            yield start + lead, start + len(line[: _comment(line)].rstrip())


def _comment(line: str) -> int:
    found = line.find(" #")
    return len(line) if found < 0 else found


# --- environment_file
# The packages that a conda environment file (``environment.yml``) names.


class EnvironmentExtractor:
    """Items of the list ``dependencies:``, and of the list ``pip:`` in it, which are PyPI's.

    Read line by line, so a cut-off file is no trouble. Lists in one line are not read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        items = list(environment_items(text))
        indexes = indexes_of(RequirementLine(0, item) for _, item in items)
        for ecosystem, item in items:
            named = indexes if ecosystem is Ecosystem.PYPI else ()
            yield from manifest_ref(item, ecosystem, offset, indexes=named)


def is_environment(text: str) -> bool:
    """True where a YAML text is such a file, or the part of one that lists pip's packages."""
    keys = {line.partition(":")[0].strip() for line in text.splitlines() if ":" in line}
    is_named = "dependencies" in keys and ("channels" in keys or "- pip" in keys)
    return is_named and any(environment_items(text))


def environment_items(text: str) -> Iterator[tuple[Ecosystem, Placed]]:
    """The items of the lists, without their dashes, comments and quotes."""
    within, pip_indent, position = False, -1, 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if not bare or bare.startswith("#"):
            continue
        if not bare.startswith("- "):
            within, pip_indent = indent == 0 and bare.startswith("dependencies:"), -1
            continue
        lead = indent + len("- ")
        if within and bare.replace(" ", "") == "-pip:":
            pip_indent = indent
        elif within:
            pip_indent = pip_indent if indent > pip_indent else -1
            end = len(line[: _yaml_comment(line, lead)].rstrip())
            while lead < end and line[lead] in " '\"":
                lead += 1
            end -= line[lead:end].endswith(("'", '"'))
            ecosystem = Ecosystem.PYPI if pip_indent >= 0 else Ecosystem.CONDA
            item = line[lead:end]
            if item.startswith("-") or (item and ":" not in item.replace("::", "")):
                yield ecosystem, plain(text, start + lead, start + end)


def _yaml_comment(line: str, start: int) -> int:
    found = line.find(" #", start)
    return len(line) if found < 0 else found


# --- package_json
# The packages that a ``package.json`` names.

GROUPS = word_set("dependencies devDependencies peerDependencies optionalDependencies")
"""the keys of a ``package.json`` under which packages stand"""
_NPM = Ecosystem.NPM
_NPM_NAME = re.compile(r"(?:@[A-Za-z0-9!~*'()_.-]+/)?[A-Za-z0-9!~*'()_-][A-Za-z0-9!~*'()_.-]*")
"""what the registry has ever taken for a name"""
_FROM_REGISTRY = ("catalog:", "npm:")


class PackageJsonExtractor:
    """Dependencies that come from the registry, also in cut-off, broken or partly quoted files.

    What a value takes from a workspace, a path, a repository or an address is none. Of an alias
    (``"x": "npm:y@1"``) the ref is ``y``. Lock files are not read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        for entry in read_object(text):
            if _is_dependency(entry):
                yield from _ref(entry, offset)


def is_package_json(text: str) -> bool:
    """True where a JSON text has dependencies as a ``package.json`` writes them."""
    return any(_is_dependency(entry) and entry.value is not None for entry in read_object(text))


def _is_dependency(entry: Entry) -> bool:
    return len(entry.path) == 2 and entry.path[0].value in GROUPS and not entry.scalar


def _ref(entry: Entry, offset: int) -> Iterator[PackageRef]:
    key = entry.path[1]
    wanted = entry.value.placed() if entry.value else None
    version = wanted.value if wanted else ""
    cut = entry.value is not None and not entry.value.closed
    if wanted is not None and version.startswith("npm:"):
        yield from manifest_ref(wanted, _NPM, offset, cut=cut)
        return
    if (":" in version or "/" in version) and not version.startswith(_FROM_REGISTRY):
        return
    yield from _of_key(key, offset, cut=not entry.key_closed)


def _of_key(key: Placed, offset: int, *, cut: bool) -> Iterator[PackageRef]:
    """The ref of a key that is a package name as a whole."""
    name = key.value
    span = key.span(0, len(name))
    if span is None or not _NPM_NAME.fullmatch(name):
        return
    ref = PackageRef(_NPM, RefKind.MANIFEST, name, span[0] + offset, span[1] + offset, name)
    yield replace(ref, flags=frozenset({Flag.TRUNCATED})) if cut else ref
