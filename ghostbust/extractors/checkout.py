"""What the files of a checkout define: an import of it, or a dependency on it, needs no registry.

Two questions, since a registry may hold the same name:

- ``shadows``: would the import load the checkout's own code, whatever is registered? Python looks
  beside the script and beside its package, JavaScript's tools where tsconfig.json says (``paths``,
  ``baseUrl``), Rust in the crate's modules and in what its Cargo.toml takes from elsewhere. A few
  folders are listed for that, not the whole checkout.
- ``defines``: does the checkout define it anywhere? That excuses a name that no registry has, and
  says nothing of one that a registry has.

Reads names of files, and the manifests; runs and follows nothing. An install command is never
excused: it asks the registry, not the checkout.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.utils import canonicalize_name

from ghostbust.documents import ParseError, parse_json, parse_toml
from ghostbust.extractors.labels import ENDINGS
from ghostbust.extractors.literals import read_object
from ghostbust.extractors.manifests import ManifestCrates, manifest_crates
from ghostbust.records import Ecosystem, PackageRef, RefKind

LEFT_OUT: Final = (
    ".git", ".hg", ".svn", "node_modules", "bower_components", "site-packages", "__pycache__",
    ".venv", "venv", ".tox", ".nox", ".eggs", "*.egg-info", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", "build", "dist", "target", ".next", ".nuxt", ".yarn", ".pnpm-store",
)  # fmt: skip
"""patterns of names of folders that tools fill; so is one that holds a ``pyvenv.cfg``"""
MOST_FILES: Final = 200_000
"""files whose names are read; a larger checkout is known in part"""
MOST_BYTES: Final = 1 << 20
"""of a manifest"""
_SOURCE_FOLDERS: Final = ("src", "lib", "python")
"""below a folder: where its packages may lie instead"""
_PYTHON: Final = (".py", ".pyx", ".pyi", ".so", ".pyd")
_MANIFESTS: Final = ("package.json", "pyproject.toml")
_CARGO: Final = "Cargo.toml"
_FROM_HERE: Final = ("workspace ", "path ")
"""what begins the place that a manifest's entry takes a package from"""
_TSCONFIGS: Final = ("tsconfig.json", "tsconfig.app.json", "tsconfig.base.json", "jsconfig.json")


class Checkout:
    """The files below a folder, read when a question needs them. Paths in results are relative."""

    def __init__(self, root: Path, *, is_whole: bool = True) -> None:
        """``is_whole``: what lies below belongs to it, too; not so where nothing says that."""
        self.root, self._is_whole = root, is_whole
        self._listed: dict[PurePosixPath, frozenset[str]] = {}
        self._tsconfigs: dict[PurePosixPath, tuple[list[str], PurePosixPath | None]] = {}
        self._manifests: dict[PurePosixPath, ManifestCrates] = {}
        self._uv_sources: dict[PurePosixPath, frozenset[str]] = {}

    def shadows(self, ref: PackageRef, file: Path) -> str | None:
        """Where the import in ``file`` finds the checkout's own code first; None where it doesn't.

        ``file`` isn't its own module.
        """
        if ref.kind is not RefKind.IMPORT or ref.builtin or (place := self._place(file)) is None:
            return None
        if ref.ecosystem is Ecosystem.CARGO:
            return self._rust_module(ref, place)
        if ref.ecosystem is Ecosystem.NPM:
            return self._javascript_module(ref.import_name or ref.raw, place)
        return self._python_module(ref.import_name or ref.raw, place)

    def defines(self, ref: PackageRef, file: Path) -> str | None:
        """Where the checkout defines what an import or a manifest names; None where it doesn't.

        A manifest's entry only where its tool takes it from there: a member of npm's workspaces,
        or what the entry itself, or a pyproject.toml above, takes from a workspace or a path.
        ``file`` doesn't define its own entries.
        """
        if ref.kind is RefKind.IMPORT and ref.ecosystem is Ecosystem.PYPI:
            return self._modules.get((ref.import_name or ref.raw).partition(".")[0])
        if ref.kind not in (RefKind.IMPORT, RefKind.MANIFEST) or ref.name is None:
            return None
        own = self._place(file)
        places = [p for p in self._projects.get((ref.ecosystem, ref.name), ()) if p != own]
        if ref.kind is RefKind.MANIFEST:
            is_taken = any(one.address.startswith(_FROM_HERE) for one in ref.indexes)
            is_taken = is_taken or (own is not None and self._is_taken_above(ref, own))
            places = [place for place in places if is_taken or self._is_member(place)]
        return str(places[0]) if places else None

    def unlisted(self, ref: PackageRef, file: Path) -> str | None:
        """The Cargo.toml that doesn't list a crate which ``file`` imports; None for anything else.

        Cargo fetches nothing but what is listed, so it is a module, or another name that a listed
        crate's library has, or yet to be added.
        """
        is_import = ref.kind is RefKind.IMPORT and ref.ecosystem is Ecosystem.CARGO
        place = self._place(file) if is_import else None
        manifests = [] if place is None else self._cargo_manifests(place)
        if not manifests or any(ref.name in self._crates(one).listed for one in manifests):
            return None
        return str(manifests[0])

    def _rust_module(self, ref: PackageRef, place: PurePosixPath) -> str | None:
        """What a Cargo.toml above takes from elsewhere or makes itself, or a module beside."""
        manifests = self._cargo_manifests(place)
        for manifest in manifests:
            if ref.name in self._crates(manifest).own:
                return str(manifest)
        if any(ref.name in self._crates(manifest).listed for manifest in manifests):
            return None
        folders = [place.parent, *(manifest.parent / "src" for manifest in manifests[:1])]
        for folder in folders:
            names = self._names(folder)
            for name in (f"{ref.raw}.rs", ref.raw):
                if name in names and folder / name != place:
                    return str(folder / name)
        return None

    def _cargo_manifests(self, place: PurePosixPath) -> list[PurePosixPath]:
        """The Cargo.toml of a file's own crate, and those above, which may be its workspace's."""
        above = place.parents
        return [folder / _CARGO for folder in above if _CARGO in self._names(folder)]

    def _crates(self, manifest: PurePosixPath) -> ManifestCrates:
        if manifest not in self._manifests:
            self._manifests[manifest] = manifest_crates(_read(self.root / manifest))
        return self._manifests[manifest]

    def _is_taken_above(self, ref: PackageRef, manifest: PurePosixPath) -> bool:
        """True where ``[tool.uv.sources]`` of a workspace above takes the name from here.

        Members of a workspace inherit its root's sources (uv's documentation, 2026).
        """
        if manifest.name != "pyproject.toml":
            return False
        above = (folder / "pyproject.toml" for folder in manifest.parent.parents)
        return any(ref.name in self._sources(place) for place in above)

    def _sources(self, pyproject: PurePosixPath) -> frozenset[str]:
        """The names that a uv workspace's root takes from its members or from paths."""
        if pyproject.name not in self._names(pyproject.parent):
            return frozenset()
        if pyproject not in self._uv_sources:
            self._uv_sources[pyproject] = frozenset(_uv_sources(_read(self.root / pyproject)))
        return self._uv_sources[pyproject]

    def _is_member(self, manifest: PurePosixPath) -> bool:
        """True for a package.json below a folder that has npm's or pnpm's workspaces."""
        if manifest.name != "package.json":
            return False
        for folder in manifest.parent.parents:
            here = self._names(folder)
            if "pnpm-workspace.yaml" in here:
                return True
            if "package.json" in here and '"workspaces"' in _read(
                self.root / folder / "package.json"
            ):
                return True
        return False

    def _place(self, file: Path) -> PurePosixPath | None:
        """The file's path in the checkout; None where it lies elsewhere."""
        try:
            return PurePosixPath(file.resolve().relative_to(self.root).as_posix())
        except ValueError:
            return None

    def _python_module(self, dotted: str, place: PurePosixPath) -> str | None:
        folder = place.parent
        while "__init__.py" in self._names(folder) and folder != folder.parent:
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
        here, top = self._names(folder), parts[0]
        if file := next((top + end for end in _PYTHON if top + end in here), None):
            return folder / file
        if top not in here:
            return None
        if "__init__.py" in self._names(folder / top):
            return folder / top / "__init__.py"
        return self._python_in(folder / top, parts[1:]) if len(parts) > 1 else None

    def _javascript_module(self, specifier: str, place: PurePosixPath) -> str | None:
        for folder in place.parents:
            here = self._names(folder)
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
        found = sorted(names & self._names(base))
        return str(base / found[0]) if found else None

    def _tsconfig(self, config: PurePosixPath) -> tuple[list[str], PurePosixPath | None]:
        """The aliases of a tsconfig.json, and the folder that bare specifiers begin in."""
        if config not in self._tsconfigs:
            aliases, base = [], None
            for entry in read_object(_read(self.root / config)):
                keys = entry.keys
                if keys[:2] == ("compilerOptions", "paths") and len(keys) > 2:
                    aliases.append(keys[2])
                elif keys == ("compilerOptions", "baseUrl") and entry.value is not None:
                    base = PurePosixPath(os.path.normpath(config.parent / entry.text))
            self._tsconfigs[config] = aliases, base
        return self._tsconfigs[config]

    def _names(self, folder: PurePosixPath) -> frozenset[str]:
        """What lies in a folder; nothing where it isn't one."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(
                    entry.name for entry in (self.root / folder).iterdir()
                )
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]

    @cached_property
    def _folders(self) -> dict[PurePosixPath, list[str]]:
        """Each of its folders with its files' names, but for those that hold no source."""
        found: dict[PurePosixPath, list[str]] = {}
        count = 0
        for folder, inside, files in os.walk(self.root):
            inside[:] = sorted(name for name in inside if not is_filled(Path(folder) / name))
            inside[:] = inside if self._is_whole else []
            count += len(files)
            if count > MOST_FILES:
                break
            found[PurePosixPath(Path(folder).relative_to(self.root).as_posix())] = sorted(files)
        return found

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Each Python module and package of the checkout by its own name, with the first place."""
        found: dict[str, str] = {}
        for folder, names in self._folders.items():
            for name in names:
                if name.endswith(_PYTHON):
                    found.setdefault(name.partition(".")[0], str(folder / name))
                    for part in (folder, *folder.parents):
                        found.setdefault(part.name, str(part))
        return found

    @cached_property
    def _projects(self) -> dict[tuple[Ecosystem, str], list[PurePosixPath]]:
        """The projects of the checkout, with the places of their manifests."""
        found: dict[tuple[Ecosystem, str], list[PurePosixPath]] = {}
        for folder, names in self._folders.items():
            for manifest in names:
                if manifest not in _MANIFESTS:
                    continue
                path = folder / manifest
                for ecosystem, name in _projects_in(manifest, _read(self.root / path)):
                    found.setdefault((ecosystem, name), []).append(path)
        return found


class Checkouts:
    """The checkouts that files lie in, each known once."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        """``folders``: that count as checkouts where git marks none above a file."""
        self._given = [folder.resolve() for folder in folders]
        self._known: dict[Path, Checkout] = {}

    def of(self, file: Path) -> Checkout:
        """What git marks, else the first given folder that holds the file.

        Else the file's own folder, without those below: it may be anything, such as a home folder.
        """
        own = file.resolve().parent
        above = (own, *own.parents)
        root = next((one for one in above if (one / ".git").exists()), None)
        root = root or next((one for one in self._given if one in above), None)
        if (root or own) not in self._known:
            self._known[root or own] = Checkout(root or own, is_whole=root is not None)
        return self._known[root or own]


def is_filled(folder: Path) -> bool:
    """True for a folder that tools fill, whatever lies in it: no source of the checkout."""
    is_named = any(fnmatchcase(folder.name, pattern) for pattern in LEFT_OUT)
    return is_named or (folder / "pyvenv.cfg").is_file()


def _projects_in(manifest: str, text: str) -> Iterator[tuple[Ecosystem, str]]:
    try:
        data = parse_json(text) if manifest == "package.json" else parse_toml(text)
    except ParseError:
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


def _uv_sources(text: str) -> Iterator[str]:
    try:
        uv = parse_toml(text).get("tool", {}).get("uv", {})
        sources = uv["sources"].items() if "workspace" in uv else ()
    except (ParseError, AttributeError, KeyError):
        return
    for name, source in sources:
        if isinstance(source, dict) and (source.get("workspace") is True or "path" in source):
            yield canonicalize_name(name)


def _names(tables: Iterable[object]) -> Iterator[str]:
    for table in tables:
        name = table.get("name") if isinstance(table, dict) else None
        if isinstance(name, str) and name:
            yield name


def _is_under(specifier: str, alias: str) -> bool:
    """True where a pattern of ``paths`` matches; ``*`` alone matches all, so it doesn't count."""
    head, star, tail = alias.partition("*")
    if not star:
        return specifier == alias
    return bool(head) and specifier.startswith(head) and specifier.endswith(tail)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
