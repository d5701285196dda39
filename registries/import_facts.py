"""Which modules a distribution provides, read from its own metadata and list of files.

In this order: what it declares (PEP 794: Import-Name, Import-Namespace); the files that its
wheel or its RECORD lists; top_level.txt. Reads wheels by path and installed distributions; runs
no code of theirs, and reads no source archive.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path, PurePosixPath

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem
from ghostbust.registries.names import canonical_name

_INIT = "__init__.py"
_CODE = (".py", ".so", ".pyd")
# Folders that many distributions leave at the top of site-packages by mistake.
_NOBODYS = frozenset(
    """benchmarks doc docs example examples script scripts src test testing tests
    tools""".split()  # noqa: SIM905
)
_SHARED_INIT = ("extend_path(", "declare_namespace(")
"""by these an ``__init__.py`` says that others put modules beside it"""


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
    top_level.txt tells of it"""


def facts_of_wheel(path: Path) -> list[ImportFact]:
    """The modules of a wheel. Raises UsageError for a file that is none, or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            metadata = next(n for n in names if n.endswith(".dist-info/METADATA"))
            headers = HeaderParser().parsestr(archive.read(metadata).decode("utf-8", "replace"))
            found = _found(
                headers, names, lambda name: archive.read(name).decode("utf-8", "replace")
            )
            return [_fact(headers, "wheel", *one) for one in found]
    except StopIteration as exc:
        raise UsageError(f"{path}: is no wheel; it has no METADATA") from exc
    except (OSError, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as exc:
        raise UsageError(f"{path}: can't be read as a wheel ({exc})") from exc


def facts_of_installed(folders: Sequence[Path] | None = None) -> list[ImportFact]:
    """The modules of everything installed in the folders; None: where this interpreter looks."""
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

    found = list(_found(headers, files, read))
    if not found and isinstance(installed, PathDistribution):
        tops = (installed.read_text("top_level.txt") or "").split()
        found = [(top, False, False) for top in tops if _usable(top)]
    for one in found:
        yield _fact(headers, "installed", *one)


def _fact(headers: Message, source: str, module: str, shared: bool, regular: bool) -> ImportFact:
    name = canonical_name(Ecosystem.PYPI, str(headers["Name"]))
    return ImportFact(module, name, str(headers["Version"]), source, shared, regular)


def _found(
    headers: Message, files: Iterable[str], read: Callable[[str], str]
) -> Iterator[tuple[str, bool, bool]]:
    """Module, whether it is shared, whether it is a regular package; by what tells it best."""
    declared = headers.get_all("Import-Name"), headers.get_all("Import-Namespace")
    if declared != (None, None):
        for shared, values in zip((False, True), declared, strict=True):
            for value in values or ():
                name, _, private = str(value).partition(";")
                if name.strip() and "private" not in private:
                    yield name.strip(), shared, True
        return
    own, shares = _modules(_importable(files), read)
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
    """True for a module that somebody may import by this name."""
    parts = dotted.removesuffix(".__init__").split(".")
    if parts[0] in _NOBODYS or not all(part.isidentifier() for part in parts):
        return False
    return parts[0] == "_pytest" or not any(part.startswith("_") for part in parts)


def _modules(
    files: Mapping[tuple[str, ...], str], read: Callable[[str], str]
) -> tuple[dict[str, bool], set[str]]:
    """Own modules, the outermost ones, with whether each is regular; and shared namespaces."""
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
