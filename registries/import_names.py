"""Which distribution to look up for an imported module: a table made from distributions' facts.

A fact is a module that one distribution provides: what it declares (PEP 794: Import-Name,
Import-Namespace), else the files that its wheel or its RECORD lists, else top_level.txt. Reads
wheels by path and installed distributions; runs no code of theirs, and reads no source archive.

A row of the table settles which distribution a module means. No row is needed for a module with
its distribution's name, a built-in one, and one whose own name is a popular distribution's.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path, PurePosixPath

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Verdict
from ghostbust.registries.names import canonical_name, is_builtin
from ghostbust.registries.snapshot import POPULAR, Snapshot

HEADER = (
    "# import name, distribution (empty for a namespace that many share), version and kind of the"
    " source, day it was read, note.\n"
    "# Made by `ghostbust registry imports`; what import_names.tsv says comes before it.\n"
)
_INIT = "__init__.py"
_CODE = (".py", ".so", ".pyd")
# Folders that many distributions leave at the top of site-packages by mistake.
_NOBODYS = frozenset(
    """benchmarks doc docs example examples script scripts src test testing tests
    tools""".split()  # noqa: SIM905
)
_SHARED_INIT = ("extend_path(", "declare_namespace(")
"""in an ``__init__.py``: others put modules beside it"""
_UNRANKED = 10**9


@dataclass(frozen=True, slots=True)
class ImportFact:
    """A module that a distribution provides, or a namespace that it shares with others."""

    module: str
    """dotted, as it is imported"""
    distribution: str
    """canonical"""
    version: str
    source: str
    """``wheel`` or ``installed``"""
    shared: bool = False
    """True for a namespace"""
    regular: bool = True
    """False where others may share the module: it is a folder without ``__init__.py``, or only
    top_level.txt names it"""


def facts_of_wheel(path: Path) -> list[ImportFact]:
    """The modules of a wheel. Raises UsageError for any other file, and a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            metadata = next(n for n in names if n.endswith(".dist-info/METADATA"))

            def read(name: str) -> str:
                return archive.read(name).decode("utf-8", "replace")

            headers = HeaderParser().parsestr(read(metadata))
            return [_fact(headers, "wheel", *one) for one in _modules_of(headers, names, read)]
    except StopIteration as exc:
        raise UsageError(f"{path}: is no wheel; it has no METADATA") from exc
    except (OSError, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as exc:
        raise UsageError(f"{path}: can't be read as a wheel ({exc})") from exc


def facts_of_installed(folders: Sequence[Path] | None = None) -> list[ImportFact]:
    """The modules of everything installed in the folders; None: on this interpreter's path."""
    found = distributions() if folders is None else distributions(path=[str(f) for f in folders])
    facts = (fact for one in found if one.metadata["Name"] for fact in _facts_of(one))
    return list(dict.fromkeys(facts))


def _facts_of(installed: Distribution) -> Iterator[ImportFact]:
    headers = installed.metadata
    assert isinstance(headers, Message)
    files = [str(PurePosixPath(file)) for file in installed.files or ()]

    def read(name: str) -> str:
        place = Path(str(installed.locate_file(name)))
        return place.read_text("utf-8", "replace") if place.is_file() else ""

    found = list(_modules_of(headers, files, read))
    if not found and isinstance(installed, PathDistribution):
        tops = (installed.read_text("top_level.txt") or "").split()
        found = [(top, False, False) for top in tops if _usable(top)]
    for one in found:
        yield _fact(headers, "installed", *one)


def _fact(headers: Message, source: str, module: str, shared: bool, regular: bool) -> ImportFact:
    name = canonical_name(Ecosystem.PYPI, str(headers["Name"]))
    return ImportFact(module, name, str(headers["Version"]), source, shared, regular)


def _modules_of(
    headers: Message, files: Iterable[str], read: Callable[[str], str]
) -> Iterator[tuple[str, bool, bool]]:
    """Module, whether it is shared, whether it is a regular package; declared ones first of all."""
    declared = headers.get_all("Import-Name"), headers.get_all("Import-Namespace")
    if declared != (None, None):
        for shared, values in zip((False, True), declared, strict=True):
            for value in values or ():
                name, _, private = str(value).partition(";")
                if name.strip() and "private" not in private:
                    yield name.strip(), shared, True
        return
    own, shares = _owned_and_shared(_importable(files), read)
    for module, regular in own.items():
        yield module, False, regular
    for module in shares:
        yield module, True, False


def _importable(files: Iterable[str]) -> dict[tuple[str, ...], str]:
    """The files that can be imported, by the parts of their path below site-packages."""
    found = {}
    for name in files:
        parts = PurePosixPath(name).parts
        if len(parts) > 2 and parts[0].endswith(".data") and parts[1] in ("purelib", "platlib"):
            parts = parts[2:]
        module = (*parts[:-1], parts[-1].partition(".")[0]) if parts else ()
        if parts and parts[-1].endswith(_CODE) and _usable(".".join(module)):
            found[parts] = name
    return found


def _usable(dotted: str) -> bool:
    """Whether somebody may import a module by this name."""
    parts = dotted.removesuffix(".__init__").split(".")
    if parts[0] in _NOBODYS or not all(part.isidentifier() for part in parts):
        return False
    return parts[0] == "_pytest" or not any(part.startswith("_") for part in parts)


def _owned_and_shared(
    files: Mapping[tuple[str, ...], str], read: Callable[[str], str]
) -> tuple[dict[str, bool], set[str]]:
    """The outermost own modules, each with whether it is regular; and shared namespaces."""
    inits = {parts[:-1] for parts in files if parts[-1] == _INIT and len(parts) > 1}
    open_ = {
        folder
        for folder in inits
        if any(word in read(files[(*folder, _INIT)]) for word in _SHARED_INIT)
    }
    closed = inits - open_
    own: dict[str, bool] = {}
    shared: set[str] = set()
    for parts in files:
        folders = [parts[:n] for n in range(1, len(parts))]
        owner = next((folder for folder in folders if folder in closed), None)
        if owner is not None:
            own[".".join(owner)] = True
        elif parts[-1] != _INIT:
            loose = len(parts) > 1 and parts[:-1] not in open_
            owner = parts[:-1] if loose else (*parts[:-1], parts[-1].partition(".")[0])
            own.setdefault(".".join(owner), not loose)
        above = folders if owner is None else folders[: len(owner) - 1]
        shared |= {".".join(folder) for folder in above}
    outermost = {
        module: regular
        for module, regular in own.items()
        if not any(module.startswith(f"{other}.") for other in own)
    }
    return outermost, shared - set(own)


# The table.


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of the table."""

    module: str
    distribution: str
    """canonical; empty for a namespace that many distributions share"""
    version: str
    """of the distribution that was read; empty for a namespace"""
    source: str
    """``wheel`` or ``installed``"""
    day: str
    """when it was read, ISO 8601"""
    note: str = ""
    """who else provides the module, if anybody"""


def import_rows(facts: Iterable[ImportFact], snapshot: Snapshot, day: date) -> list[ImportRow]:
    """The rows that the facts need; of several providers the most popular one in the snapshot."""
    ranks = {name: n for n, name in enumerate(snapshot.popular(POPULAR), start=1)}
    claims: dict[str, list[ImportFact]] = defaultdict(list)
    spaces: dict[str, str] = {}
    """namespace to the source that showed it"""
    for fact in facts:
        is_real = snapshot.look_up(fact.distribution).verdict is Verdict.REAL
        if is_builtin(Ecosystem.PYPI, fact.module) or not is_real:
            continue
        if fact.shared:
            spaces.setdefault(fact.module, fact.source)
        else:
            claims[fact.module].append(fact)
    # Only now, since a folder is shared if any other fact, also a later one, claims a part of it.
    for module, rivals in claims.items():
        if _is_shared(module, rivals, claims):
            spaces.setdefault(module, rivals[0].source)
    rows = []
    for module, rivals in claims.items():
        best, *others = sorted(
            rivals, key=lambda fact: (ranks.get(fact.distribution, _UNRANKED), fact.distribution)
        )
        own = canonical_name(Ecosystem.PYPI, module)
        says_nothing = "." not in module and (own == best.distribution or own in ranks)
        if module in spaces or says_nothing:
            continue
        names = dict.fromkeys(fact.distribution for fact in others)
        note = ", ".join(name for name in names if name != best.distribution)
        rows.append(
            ImportRow(
                module, best.distribution, best.version, best.source, day.isoformat(),
                f"also {note}" if note else "",
            )
        )  # fmt: skip
    spread = [ImportRow(one, "", "", source, day.isoformat()) for one, source in spaces.items()]
    return rows + spread


def _is_shared(module: str, rivals: Sequence[ImportFact], claims: Iterable[str]) -> bool:
    """Whether it is a folder without ``__init__.py`` in which several have modules."""
    if any(fact.regular for fact in rivals):
        return False
    several = len({fact.distribution for fact in rivals}) > 1
    return several or any(other.startswith(f"{module}.") for other in claims)


def read_table(path: Path) -> list[ImportRow]:
    """The rows of a table; none where there is no file. Raises UsageError for another file."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: can't be read ({exc})") from exc
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    if any(len(line) != len(fields(ImportRow)) for line in lines):
        raise UsageError(f"{path}: isn't a table that `ghostbust registry imports` made")
    return [ImportRow(*line) for line in lines]


def extended(rows: Iterable[ImportRow], by: Iterable[ImportRow]) -> list[ImportRow]:
    """Both, sorted by module; a later row wins, but no namespace replaces an owner."""
    found = {row.module: row for row in rows}
    for row in by:
        if row.distribution or not found.get(row.module):
            found[row.module] = row
    return sorted(found.values(), key=lambda row: (row.module.lower(), row.module))


def table_text(rows: Iterable[ImportRow]) -> str:
    """The table as the text of its file."""
    return HEADER + "".join("\t".join(astuple(row)) + "\n" for row in rows)
