"""What the files of a checkout define: an import of it, or a dependency on it, needs no registry.

Two questions, since a registry may hold the same name:

- ``shadows``: would the import load the checkout's own code, whatever is registered? Python looks
  beside the script and beside its package; JavaScript's tools look in workspaces, and where
  tsconfig.json says (``paths``, ``baseUrl``).
- ``defines``: does the checkout define it anywhere? That excuses a name that no registry has, and
  says nothing of one that a registry has.

Reads names of files, and the manifests; runs and follows nothing. An install command is never
excused: it asks the registry, not the checkout.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.utils import canonicalize_name

from ghostbust.extractors.javascript_specifiers import read_specifier
from ghostbust.extractors.literals import read_object
from ghostbust.extractors.local_packages import ENDINGS
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, PackageRef, RefKind

LEFT_OUT: Final = word_set(
    "node_modules bower_components site-packages __pycache__ __pypackages__ venv env virtualenv "
    "build dist target htmlcov"
)
"""folders that hold no source of the checkout, beside all that begin with a dot"""
MOST_FILES: Final = 200_000
"""files whose names are read; a larger checkout is known in part"""
MOST_BYTES: Final = 1 << 20
"""of a manifest"""
_SOURCE_FOLDERS: Final = ("src", "lib", "python")
"""below a folder: where its packages may lie instead"""
_PYTHON: Final = (".py", ".pyx", ".pyi", ".so", ".pyd")
_TSCONFIGS: Final = ("tsconfig.json", "tsconfig.app.json", "tsconfig.base.json", "jsconfig.json")


@dataclass(frozen=True)
class Checkout:
    """The files below a folder, as `checkout_of` found them. Paths are relative to it."""

    root: Path
    folders: dict[PurePosixPath, frozenset[str]] = field(repr=False)
    """each folder with what lies in it: names of files, and of folders"""

    def shadows(self, ref: PackageRef, file: Path) -> str | None:
        """Where the import in ``file`` finds the checkout's own code first; None where it doesn't.

        ``file`` isn't its own module.
        """
        if ref.kind is not RefKind.IMPORT or ref.builtin or (place := self._place(file)) is None:
            return None
        if ref.ecosystem is Ecosystem.NPM:
            return self._javascript_module(ref.import_name or ref.raw, place)
        return self._python_module(ref.import_name or ref.raw, place)

    def defines(self, ref: PackageRef) -> str | None:
        """Where the checkout defines what an import or a manifest names; None where it doesn't."""
        if ref.kind is RefKind.IMPORT and ref.ecosystem is Ecosystem.PYPI:
            return self._modules.get((ref.import_name or ref.raw).partition(".")[0])
        if ref.kind in (RefKind.IMPORT, RefKind.MANIFEST) and ref.name is not None:
            return self._projects.get((ref.ecosystem, ref.name))
        return None

    def _place(self, file: Path) -> PurePosixPath | None:
        """The file's path in the checkout; None where it lies elsewhere."""
        try:
            return PurePosixPath(file.resolve().relative_to(self.root).as_posix())
        except ValueError:
            return None

    def _python_module(self, dotted: str, place: PurePosixPath) -> str | None:
        folder = place.parent
        while "__init__.py" in self.folders.get(folder, ()) and folder != folder.parent:
            folder = folder.parent  # code of a package is imported from beside the package
        for above in (folder, *folder.parents):
            for root in (above, *(above / name for name in _SOURCE_FOLDERS)):
                found = self._python_in(root, dotted.split("."))
                if found is not None and found != place:
                    return str(found)
        return None

    def _python_in(self, folder: PurePosixPath, parts: list[str]) -> PurePosixPath | None:
        """The file or package of a dotted name below a folder.

        A folder without ``__init__.py`` gives way to an installed package, so it counts only
        where the next part of the name is found in it.
        """
        here, top = self.folders.get(folder, frozenset()), parts[0]
        if file := next((top + end for end in _PYTHON if top + end in here), None):
            return folder / file
        inside = self.folders.get(folder / top)
        if inside is None:
            return None
        if "__init__.py" in inside:
            return folder / top / "__init__.py"
        return self._python_in(folder / top, parts[1:]) if len(parts) > 1 else None

    def _javascript_module(self, specifier: str, place: PurePosixPath) -> str | None:
        package = read_specifier(specifier)
        if package is not None and (ours := self._projects.get((Ecosystem.NPM, package.name))):
            return ours
        for folder in place.parents:
            here = self.folders.get(folder, frozenset())
            for config in (folder / name for name in _TSCONFIGS if name in here):
                aliases, base = self._tsconfig(config)
                if any(_is_under(specifier, alias) for alias in aliases):
                    return str(config)
                if base is not None and (found := self._javascript_in(base, specifier)):
                    return found
        return None

    def _javascript_in(self, base: PurePosixPath, specifier: str) -> str | None:
        top = specifier.partition("/")[0]
        names = {top, *(top + end for end in ENDINGS)}
        found = sorted(names & self.folders.get(base, frozenset()))
        return str(base / found[0]) if found else None

    def _tsconfig(self, config: PurePosixPath) -> tuple[list[str], PurePosixPath | None]:
        """The aliases of a tsconfig.json, and the folder that bare specifiers begin in."""
        if config not in self._tsconfigs:
            aliases, base = [], None
            for entry in read_object(_read(self.root / config)):
                keys = [key.value for key in entry.path]
                if keys[:2] == ["compilerOptions", "paths"] and len(keys) > 2:
                    aliases.append(keys[2])
                elif keys == ["compilerOptions", "baseUrl"] and entry.value is not None:
                    base = _normal(config.parent / entry.value.placed().value)
            self._tsconfigs[config] = aliases, base
        return self._tsconfigs[config]

    @cached_property
    def _tsconfigs(self) -> dict[PurePosixPath, tuple[list[str], PurePosixPath | None]]:
        return {}

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Each Python module and package of the checkout by its own name, with the first place."""
        found: dict[str, str] = {}
        for folder, names in self.folders.items():
            for name in sorted(names):
                if name.endswith(_PYTHON):
                    found.setdefault(name.partition(".")[0], str(folder / name))
                    for part in (folder, *folder.parents):
                        found.setdefault(part.name, str(part))
        return found

    @cached_property
    def _projects(self) -> dict[tuple[Ecosystem, str], str]:
        """The projects whose manifests lie in the checkout, with the manifest's place."""
        found: dict[tuple[Ecosystem, str], str] = {}
        for folder, names in self.folders.items():
            for manifest in sorted(names & {"package.json", "pyproject.toml"}):
                path = folder / manifest
                for ecosystem, name in _projects_in(manifest, _read(self.root / path)):
                    found.setdefault((ecosystem, name), str(path))
        return found


def checkout_of(path: Path) -> Checkout:
    """The git checkout that a path lies in; without one, the folder itself, or the file's."""
    start = path.resolve()
    start = start if start.is_dir() else start.parent
    root = next((one for one in (start, *start.parents) if (one / ".git").exists()), start)
    return Checkout(root, _folders(root))


def _folders(root: Path) -> dict[PurePosixPath, frozenset[str]]:
    found: dict[PurePosixPath, frozenset[str]] = {}
    count = 0
    for folder, inside, files in os.walk(root):
        inside[:] = sorted(name for name in inside if name[0] != "." and name not in LEFT_OUT)
        count += len(files)
        if count > MOST_FILES:
            break
        place = PurePosixPath(Path(folder).relative_to(root).as_posix())
        found[place] = frozenset((*inside, *files))
    return found


def _projects_in(manifest: str, text: str) -> Iterator[tuple[Ecosystem, str]]:
    try:
        data = json.loads(text) if manifest == "package.json" else tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(data, dict):
        return
    if manifest == "package.json":
        yield from ((Ecosystem.NPM, name) for name in _names([data]))
        return
    tool = data.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    for name in _names([data.get("project"), poetry]):
        yield Ecosystem.PYPI, canonicalize_name(name)


def _names(tables: Iterable[object]) -> Iterator[str]:
    for table in tables:
        name = table.get("name") if isinstance(table, dict) else None
        if isinstance(name, str) and name:
            yield name


def _is_under(specifier: str, alias: str) -> bool:
    """True where a pattern of ``paths`` matches; ``*`` alone matches all, so it says nothing."""
    head, star, tail = alias.partition("*")
    if not star:
        return specifier == alias
    return bool(head) and specifier.startswith(head) and specifier.endswith(tail)


def _normal(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(os.path.normpath(path))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
