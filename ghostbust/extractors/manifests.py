"""Dependency files that people write, and the packages they name.

Each reader takes cut-off and broken files as well, since answers hold many: a part that is no
requirement is passed over, the rest is read. Lock files are in ``locks``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ghostbust.extractors.installers import few, index_of_option, with_indexes, without_usual
from ghostbust.extractors.interface import Extractor, Placed, placed_lines, plain, word_set
from ghostbust.extractors.literals import Entry, read_literal, read_object, toml_entries
from ghostbust.extractors.names import canonical, read_requirement, scan_name
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind

_PYPI = Ecosystem.PYPI
_NO_FLAGS: frozenset[Flag] = frozenset()
_CUT = frozenset({Flag.TRUNCATED})


def name_ref(
    name: Placed,
    ecosystem: Ecosystem,
    offset: int,
    flags: frozenset[Flag] = _NO_FLAGS,
    wanted: str = "",
) -> Iterator[PackageRef]:
    """The ref of a name in a file; none where escapes tear it apart, so that no span is its own."""
    span = name.span(0, len(name.value))
    if span is not None:
        start, end = span[0] + offset, span[1] + offset
        registered = canonical(ecosystem, name.value)
        yield PackageRef(
            ecosystem, RefKind.MANIFEST, name.value, start, end, registered, flags=flags,
            wanted=wanted,
        )  # fmt: skip


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
    bare = spec.value[lead:].partition(" --")[0].partition(";")[0].rstrip()
    if bare.endswith(")"):  # the old form: `name (>=1)`
        bare = bare.partition("(")[0].rstrip()
    found = read_requirement(bare, ecosystem)
    if found is None:
        return
    start, end = lead + found.start, lead + found.end
    flags = _CUT if cut and end == len(spec.value) else _NO_FLAGS
    wanted = "" if cut else found.wanted
    for ref in name_ref(spec.part(start, end), ecosystem, offset, flags, wanted):
        yield with_indexes(ref, indexes)


# Requirements files: one requirement, option or comment a line, as pip reads them.

_WORD = re.compile(r"(?:[^\s\"']|\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))+")
_FILE_OPTIONS = word_set("-r --requirement -c --constraint")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 2_000
"""characters of a requirement that ``packaging`` is asked about"""


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """A logical line that isn't blank: comments removed, continuations joined."""

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
        """True for a path or an address: its package comes from no registry."""
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


def requirements_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of requirements and constraints files, but not of files that those name."""
    lines = list(requirement_lines(text))
    indexes = indexes_of(lines)
    for line in lines:
        if not line.option:
            yield from manifest_ref(line.words, _PYPI, offset, indexes=indexes)


def requirement_lines(text: str) -> Iterator[RequirementLine]:
    """The logical lines of a requirements file, blank ones and comments left out."""
    value: list[str] = []
    at: list[int] = []
    first = 0
    for number, (start, line) in enumerate([*placed_lines(text), (len(text), "")], start=1):
        first = first if at else number
        body = line.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
        is_comment = body.lstrip("\ufeff \t").startswith("#")
        continues = body.endswith("\\") and not is_comment
        kept = "" if is_comment else body.removesuffix("\\") if continues else body
        value.append(kept)
        at.extend(range(start, start + len(kept)))
        if continues:
            continue
        joined = "".join(value)
        lead = len(joined) - len(joined.lstrip("\ufeff \t\x0c"))
        comment = joined.find(" #")
        comment = comment if comment >= 0 else joined.find("\t#")
        end = len(joined[: comment if comment >= 0 else len(joined)].rstrip())
        if lead < end:
            yield RequirementLine(first, Placed(joined[lead:end], tuple(at[lead:end])))
        value, at = [], []


def indexes_of(lines: Iterable[RequirementLine]) -> tuple[NamedIndex, ...]:
    """The indexes that the lines' options name, for the whole file."""
    options = [option for line in lines for option in line.options()]
    found = [index_of_option(_PYPI, name, value.value) for name, value in options]
    indexes = few(index for index in found if index is not None)
    return without_usual(indexes) if any(name == "--no-index" for name, _ in options) else indexes


def files_of(lines: Iterable[RequirementLine]) -> Iterator[tuple[int, str]]:
    """(line, path or address) of each requirements or constraints file that the lines name.

    pip takes a beginning that no other option has for the option: ``--requirem``, ``--cons``.
    """
    cut = (("--requirement", "--require"), ("--constraint", "--co"))
    for line in lines:
        for name, value in line.options():
            is_cut = any(long.startswith(name) and len(name) > len(most) for long, most in cut)
            if value.value and (name in _FILE_OPTIONS or is_cut):
                yield line.number, value.value


def looks_like_requirements(text: str, *, named: bool) -> bool:
    """True where every line can stand in a requirements file.

    Unless the text is named as one (``named``), a line must hold more than a bare name.
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


def _words(line: Placed) -> list[Placed]:
    """The words of a line between white space; quotes hold one together."""
    return [line.part(*word.span()) for word in _WORD.finditer(line.value)]


def _unquoted(word: Placed) -> Placed:
    value = word.value
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return word.part(1, len(value) - 1) if is_quoted else word


# setup.py and setup.cfg

_KEYWORD = re.compile(
    r"\b(?:install_requires|setup_requires|tests_require|extras_require)[\"']?[ \t]*[=:][ \t]*"
    r"(?=[\[{(])"
)
_OPTIONS = word_set("install_requires setup_requires tests_require")


def setup_py_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of the lists in ``setup(install_requires=[…])``, as they are written.

    Lists that the script puts together at run time are not read.
    """
    position = 0
    while (keyword := _KEYWORD.search(text, position)) is not None:
        entries, position = read_literal(text, keyword.end())
        before = text[max(keyword.start() - 200, 0) : keyword.start()].rpartition("\n")[2]
        if "#" not in before:
            for entry in entries:
                yield from _string_ref(entry, offset)


def _string_ref(entry: Entry, offset: int) -> Iterator[PackageRef]:
    """The ref of a requirement that is written as a string."""
    if entry.value is not None:
        cut = not entry.value.closed
        yield from manifest_ref(entry.value.placed(), _PYPI, offset, cut=cut)


def setup_cfg_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs under ``[options]`` and ``[options.extras_require]``."""
    for start, end in _setup_cfg_values(text):
        yield from manifest_ref(plain(text, start, end), _PYPI, offset)


def is_setup_cfg(text: str) -> bool:
    """True where an INI text names requirements as setuptools reads them."""
    return any(_setup_cfg_values(text))


def _setup_cfg_values(text: str) -> Iterator[tuple[int, int]]:
    """Places of the requirements, one a line."""
    section, wanted = "", False
    for start, line in placed_lines(text):
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
            yield start + lead, start + len(line.partition(" #")[0].rstrip())


# environment.yml of conda. Read line by line, so a cut-off file is no trouble.


def environment_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of the list ``dependencies:``, and of the list ``pip:`` in it: PyPI's.

    Lists in one line are not read.
    """
    items = list(environment_items(text))
    indexes = indexes_of(RequirementLine(0, item) for _, item in items)
    for ecosystem, item in items:
        yield from manifest_ref(
            item, ecosystem, offset, indexes=indexes if ecosystem is _PYPI else ()
        )


def is_environment(text: str) -> bool:
    """True where a YAML text is such a file, or the part of one that lists pip's packages."""
    keys = {line.partition(":")[0].strip() for line in text.splitlines() if ":" in line}
    is_named = "dependencies" in keys and ("channels" in keys or "- pip" in keys)
    return is_named and any(environment_items(text))


def environment_items(text: str) -> Iterator[tuple[Ecosystem, Placed]]:
    """The items of the lists, without their dashes, comments and quotes."""
    within, pip_indent = False, -1
    for start, line in placed_lines(text):
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
            comment = line.find(" #", lead)
            end = len(line[: comment if comment >= 0 else len(line)].rstrip())
            while lead < end and line[lead] in " '\"":
                lead += 1
            end -= line[lead:end].endswith(("'", '"'))
            ecosystem = _PYPI if pip_indent >= 0 else Ecosystem.CONDA
            item = line[lead:end]
            if item.startswith("-") or (item and ":" not in item.replace("::", "")):
                yield ecosystem, plain(text, start + lead, start + end)


# package.json

GROUPS = word_set("dependencies devDependencies peerDependencies optionalDependencies")
"""the keys of a ``package.json`` under which packages stand"""
_NPM_NAME = re.compile(r"(?:@[A-Za-z0-9!~*'()_.-]+/)?[A-Za-z0-9!~*'()_-][A-Za-z0-9!~*'()_.-]*")
"""what the registry has ever taken for a name"""
_FROM_REGISTRY = ("catalog:", "npm:")


def package_json_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of the dependencies that come from the registry.

    A value may take its package from a workspace, a path, a repository or an address instead. Of an
    alias (``"x": "npm:y@1"``) the ref is ``y``.
    """
    for entry in read_object(text):
        if not _is_dependency(entry):
            continue
        key = entry.path[1]
        wanted = entry.value.placed() if entry.value else None
        version = wanted.value if wanted else ""
        if entry.value is not None and wanted is not None and version.startswith("npm:"):
            yield from manifest_ref(wanted, Ecosystem.NPM, offset, cut=not entry.value.closed)
            continue
        is_elsewhere = (":" in version or "/" in version) and not version.startswith(_FROM_REGISTRY)
        if not is_elsewhere and _NPM_NAME.fullmatch(key.value):
            flags = _NO_FLAGS if entry.key_closed else _CUT
            exact = version if entry.value is not None and entry.value.closed else ""
            yield from name_ref(key, Ecosystem.NPM, offset, flags, exact)


def is_package_json(text: str) -> bool:
    """True where a JSON text has dependencies as a ``package.json`` writes them."""
    return any(_is_dependency(entry) and entry.value is not None for entry in read_object(text))


def _is_dependency(entry: Entry) -> bool:
    return len(entry.path) == 2 and entry.path[0].value in GROUPS and not entry.scalar


# pyproject.toml and Pipfile

_Path = tuple[str, ...]
_ANY = "*"


def _paths(text: str) -> tuple[_Path, ...]:
    return tuple(tuple(path.split("/")) for path in text.split())


_LISTS = _paths(
    # PEP 621, 735, 518; PEP 723 and quoted parts of files; tools
    """
    project/dependencies project/optional-dependencies/* dependency-groups/*
    build-system/requires dependencies optional-dependencies/*
    tool/uv/dev-dependencies tool/uv/constraint-dependencies tool/uv/override-dependencies
    tool/pdm/dev-dependencies/* tool/rye/dev-dependencies tool/hatch/envs/*/dependencies
    tool/hatch/envs/*/extra-dependencies tool/flit/metadata/requires
    tool/flit/metadata/requires-extra/*
    """
)
"""paths of lists of requirements"""
_TABLES = _paths(
    "tool/poetry/dependencies tool/poetry/dev-dependencies tool/poetry/group/*/dependencies "
    "packages dev-packages"
)
"""paths of tables whose keys are packages"""
_SOURCES = _paths("tool/uv/index tool/poetry/source tool/pdm/source source")
_ELSEWHERE = word_set("git hg svn bzr path url file workspace")
_SIGNS = word_set("project build-system dependency-groups packages dev-packages")


@dataclass(slots=True)
class _Package:
    """A package that a table names by a key."""

    key: Placed
    key_closed: bool
    text: str = ""
    """what is written behind the key, where that is no table"""
    said: dict[str, str] = field(default_factory=dict)
    """what the table behind the key says, by its keys"""

    def places(self, urls: Mapping[str, str]) -> tuple[NamedIndex, ...]:
        """Where the entry takes it from, instead of the usual index.

        ``urls``: the addresses of the indexes that the file defines, by their names.
        """
        places = [f"{word} {said}" for word, said in self.said.items() if _is_place(word, said)]
        others = [self.said[word] for word in ("index", "source") if word in self.said]
        places += [urls.get(other, other) for other in others if other.lower() != "pypi"]
        return tuple(NamedIndex(place, replaces=True) for place in places)

    @property
    def wanted(self) -> str:
        """The version or range, as pip writes it; empty for one of another form (``^1``)."""
        said = self.said.get("version", self.text).strip()
        return f"=={said}" if said[:1].isdigit() else said

    def refs(self, offset: int) -> Iterator[PackageRef]:
        """The ref of the key; none for ``python`` itself and what comes from elsewhere.

        An entry that has a version beside its place is a ref: pip asks the index for it.
        """
        name = self.key.value
        is_foreign = "version" not in self.said and any(_is_place(*x) for x in self.said.items())
        if scan_name(name, _PYPI) == len(name) > 0 and name != "python" and not is_foreign:
            flags = _NO_FLAGS if self.key_closed else _CUT
            yield from name_ref(self.key, _PYPI, offset, flags, self.wanted)


def _is_place(word: str, said: str) -> bool:
    return word in _ELSEWHERE and said != "false"


def pyproject_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of the requirements in TOML, spans as they are written.

    The project's own name is no ref, nor is a name whose own entry takes it from a repository, a
    path or an address, whatever tool reads the file. ``[tool.uv.sources]`` or a table of poetry may
    redirect a name in another list, but for that tool only: such a name is marked (`NamedIndex`),
    since pip asks the index for it. Tables of other tools are not read.
    """
    entries = list(toml_entries(text))
    names = {one.keys: one.text for one in entries if one.value is not None}
    own = names.get(("project", "name")) or names.get(("tool", "poetry", "name"))
    own_name = canonicalize_name(own or "")
    packages = _packages(entries, _TABLES)
    sources = _source_tables(entries)
    urls = {said["name"]: said["url"] for _, said in sources if {"name", "url"} <= said.keys()}
    redirected = {
        str(canonicalize_name(package.key.value)): places
        for package in (*packages, *_packages(entries, _paths("tool/uv/sources")))
        if (places := package.places(urls))
    }
    indexes = _file_indexes(sources)
    refs = [
        ref for one in entries if _matches(one.keys, _LISTS) for ref in _string_ref(one, offset)
    ]
    refs += [ref for package in packages for ref in package.refs(offset)]
    for ref in refs:
        if ref.name != own_name:
            yield with_indexes(ref, (*redirected.get(str(ref.name), ()), *indexes))


def is_pyproject(text: str) -> bool:
    """True where a TOML text holds a table in which packages are named."""
    return any(
        len(keys) > 1
        and (keys[0] in _SIGNS or _matches(keys, _LISTS) or _table_of(keys, _TABLES) is not None)
        for keys in (entry.keys for entry in toml_entries(text))
    )


def hidden_names(text: str) -> list[str]:
    """The dependencies in TOML whose names are written with escapes, so that no span is theirs."""
    entries = list(toml_entries(text))
    specs = [one.value.placed() for one in entries if one.value and _matches(one.keys, _LISTS)]
    specs += [package.key for package in _packages(entries, _TABLES)]
    return [
        spec.value
        for spec in specs
        if not any(manifest_ref(spec, _PYPI, 0))
        and any(manifest_ref(plain(spec.value, 0, len(spec.value)), _PYPI, 0))
    ]


def _matches(path: _Path, patterns: Iterable[_Path]) -> bool:
    return any(
        len(path) == len(pattern)
        and all(want in (_ANY, part) for want, part in zip(pattern, path, strict=True))
        for pattern in patterns
    )


def _table_of(path: _Path, tables: Iterable[_Path]) -> _Path | None:
    """The table that a path leads into; None for any other."""
    return next((table for table in tables if _matches(path[: len(table)], (table,))), None)


def _packages(entries: Iterable[Entry], tables: tuple[_Path, ...]) -> list[_Package]:
    """The keys of tables, each with what stands behind it."""
    found: dict[tuple[_Path, int], _Package] = {}
    for entry in entries:
        path = entry.keys
        table = _table_of(path, tables)
        if table is None or len(path) == len(table):
            continue
        key = entry.path[len(table)]
        is_last = len(path) == len(table) + 1
        place = key.at[0] if key.at else -1
        package = found.setdefault(
            (path[: len(table) + 1], place), _Package(key, entry.key_closed or not is_last)
        )
        if is_last:
            package.text = entry.text
        else:
            package.said[path[len(table) + 1]] = entry.text
    return list(found.values())


def _source_tables(entries: Iterable[Entry]) -> list[tuple[_Path, dict[str, str]]]:
    """(path, what it says) of each table that defines an index."""
    tables: dict[int, tuple[_Path, dict[str, str]]] = {}
    for entry in entries:
        *table, word = entry.keys or ("",)
        if tuple(table) in _SOURCES:
            tables.setdefault(entry.holder, (tuple(table), {}))[1][word] = entry.text
    return list(tables.values())


def _file_indexes(tables: Sequence[tuple[_Path, Mapping[str, str]]]) -> tuple[NamedIndex, ...]:
    """The indexes that the file names besides PyPI, without those for chosen packages only.

    uv asks PyPI for what its indexes lack, unless one is the default; pdm asks both. Poetry asks
    PyPI no more once there is a primary source, and pipenv only the first one that the file has.
    """
    of_pypi = [said.get("name", "").lower() == "pypi" for _, said in tables]
    beside_pypi = {path for (path, _), is_pypi in zip(tables, of_pypi, strict=True) if is_pypi}
    found: list[NamedIndex] = []
    seen: set[_Path] = set()
    for (path, said), is_pypi in zip(tables, of_pypi, strict=True):
        priority, is_first = said.get("priority"), path not in seen
        seen.add(path)
        if is_pypi or said.get("explicit") == "true" or priority == "explicit":
            continue
        replaces = False
        match path:
            case ("tool", "uv", "index"):
                replaces = said.get("default") == "true"
            case ("tool", "poetry", "source"):
                is_second = priority in ("supplemental", "secondary")
                is_second |= said.get("secondary") == "true"
                replaces = not is_second and path not in beside_pypi
            case ("source",):
                replaces = is_first
        found.append(NamedIndex(said.get("url") or said.get("name", ""), replaces))
    return few(found)


# Cargo.toml

_CRATE_TABLES = tuple(
    (*above, group)
    for group in (
        "dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies",
        "build_dependencies",
    )
    for above in ((), ("target", _ANY), ("workspace",))
)  # fmt: skip


def cargo_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of the crates that come from a registry; of a renamed one its real name.

    What an entry takes from a path, a repository or the workspace's own list is no ref; the last
    stands in the root's file. A registry that an entry names is marked (`NamedIndex`).
    """
    for crate in _crates(text):
        said = crate.said
        if {"path", "git", "workspace"} & said.keys():
            continue
        wanted = said["version"].text if "version" in said else crate.text
        named = (said[word].text for word in ("registry", "registry-index") if word in said)
        indexes = [NamedIndex(place, replaces=True) for place in named]
        flags = _NO_FLAGS if crate.key_closed else _CUT
        key, real = crate.key, said.get("package")
        if real is not None and real.value is not None:
            key, flags = real.value.placed(), _NO_FLAGS if real.value.closed else _CUT
        if scan_name(key.value, _PYPI) == len(key.value) > 0:
            for ref in name_ref(key, Ecosystem.CARGO, offset, flags, wanted):
                yield with_indexes(ref, indexes)


@dataclass(frozen=True, slots=True)
class ManifestCrates:
    """The names that code may import where a Cargo.toml counts, canonical."""

    own: frozenset[str]
    """the package and its library, and entries that a path, a repository or a rename explains"""
    listed: frozenset[str]
    """all other entries: names of a registry"""


def manifest_crates(text: str) -> ManifestCrates:
    """What a Cargo.toml calls the crates that it makes and takes. Never raises."""
    own: set[str] = set()
    listed: set[str] = set()
    for crate in _crates(text):
        name = canonical(Ecosystem.CARGO, crate.key.value)
        is_own = bool({"path", "git", "package"} & crate.said.keys())
        (own if is_own else listed).add(name)
    for entry in toml_entries(text):
        if entry.keys in (("package", "name"), ("lib", "name")):
            own.add(canonical(Ecosystem.CARGO, entry.text))
    return ManifestCrates(frozenset(own), frozenset(listed))


def is_cargo(text: str) -> bool:
    """True where a TOML text names crates as a Cargo.toml does."""
    return any(_crates(text))


@dataclass(slots=True)
class _Crate:
    """An entry of a table of crates."""

    key: Placed
    key_closed: bool
    text: str = ""
    """what is written behind the key, where that is no table"""
    said: dict[str, Entry] = field(default_factory=dict)


def _crates(text: str) -> list[_Crate]:
    found: dict[_Path, _Crate] = {}
    for entry in toml_entries(text):
        path = entry.keys
        table = _table_of(path, _CRATE_TABLES)
        if table is None or len(path) == len(table):
            continue
        key, rest = entry.path[len(table)], path[len(table) + 1 :]
        crate = found.setdefault(
            path[: len(table) + 1], _Crate(key, entry.key_closed or bool(rest))
        )
        if not rest:
            crate.text = entry.text
        elif len(rest) == 1:
            crate.said[rest[0]] = entry
    return list(found.values())


# PEP 723 headers of Python scripts

_OPENING, _CLOSING = "# /// script", "# ///"


def script_header_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """MANIFEST refs of ``dependencies`` in the TOML of a ``# /// script`` block.

    A block that nothing closes ends with its comment.
    """
    header = _header(text)
    if header is None:
        return
    for ref in pyproject_refs(header.value, 0):
        span = header.span(ref.start, ref.end)
        if span is not None:
            yield replace(ref, start=span[0] + offset, end=span[1] + offset)


def has_header(text: str) -> bool:
    """True for a script with a header, which is Python whatever else it looks like."""
    return _header(text) is not None


def _header(text: str) -> Placed | None:
    """The TOML of the first header, comment marks removed; None where there is none."""
    if _OPENING not in text:
        return None
    value: list[str] = []
    at: list[int] = []
    within = False
    for start, line in placed_lines(text):
        if not within:
            within = line.rstrip() == _OPENING
            continue
        if not line.startswith("#") or line.rstrip() == _CLOSING:
            break
        lead = 2 if line.startswith("# ") else 1
        value.append(line[lead:])
        at.extend(range(start + lead, start + len(line)))
    return Placed("".join(value), tuple(at)) if within else None


MANIFESTS: Mapping[str, Extractor] = MappingProxyType(
    {
        "requirements.txt": requirements_refs,
        "pyproject.toml": pyproject_refs,
        "pipfile": pyproject_refs,
        "package.json": package_json_refs,
        "cargo.toml": cargo_refs,
        "environment.yml": environment_refs,
        "setup.cfg": setup_cfg_refs,
    }
)
"""the readers of dependency files by their names, in lower case"""
