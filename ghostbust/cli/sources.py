"""Where package names to look at come from: arguments, files, standard input.

A file is read by what it is: a requirements file or a list of names, a ``package.json``, or
else a text to extract from. Does not follow ``-r other.txt`` and does not read lock files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement

from ghostbust.errors import UsageError
from ghostbust.extractors import Language, extract
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind
from ghostbust.registries.names import canonical_name, is_valid_name, purl

STDIN = "-"
_REQUIREMENT_SUFFIXES = (".txt", ".in")
_UNREAD_SUFFIXES = (".toml", ".lock", ".cfg")
_NPM_GROUPS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")
_ECOSYSTEMS = ", ".join(Ecosystem)


def read_text(source: str) -> str:
    """The text of a file, or of standard input for ``-``; line ends stay as they are.

    What isn't UTF-8 becomes U+FFFD. Raises UsageError for a file that can't be read.
    """
    if source == STDIN:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return Path(source).read_bytes().decode("utf-8", "replace")
    except OSError as exc:
        raise UsageError(f"{source}: can't be read ({exc.strerror})") from exc


def refs_in(source: str) -> list[PackageRef]:
    """The packages that a file, or standard input, names; no built-in imports.

    Raises UsageError for a file that can't be read, or not as what its name says.
    """
    path = Path(source)
    if path.suffix in _UNREAD_SUFFIXES:
        raise UsageError(
            f"{source}: {path.suffix} files aren't read; give a requirements file, a package.json"
            " or a text"
        )
    text = read_text(source)
    if path.name == "package.json":
        return list(_package_json(source, text))
    if path.suffix in _REQUIREMENT_SUFFIXES and path.stem.startswith(
        ("requirements", "constraints")
    ):
        return list(_requirement_lines(source, text))
    if source == STDIN or path.suffix in _REQUIREMENT_SUFFIXES:
        if text.lstrip().startswith("{"):
            return list(_package_json(source, text))
        try:
            return list(_requirement_lines(source, text))
        except UsageError:
            pass  # no list of names, so a text with names in it
    return [ref for ref in extract(text) if not ref.builtin]


def refs_of_command(command: str) -> list[PackageRef]:
    """The packages that a shell command would install."""
    return extract(command, language=Language.SHELL)


def ref_of(spec: str) -> PackageRef | None:
    """The package that a name stands for; None for one that doesn't come from a registry.

    ``requests``, ``requests[socks]>=2``, ``left-pad@npm``, ``@scope/name``, ``pkg:npm/left-pad``.
    Raises UsageError for anything else.
    """
    spec = spec.strip()
    if spec.startswith("pkg:"):
        return _purl_ref(spec)
    name, _, ecosystem = spec.rpartition("@")
    if name and ecosystem in list(Ecosystem):
        return _ref(Ecosystem(ecosystem), name)
    if spec.startswith("@") and not name:
        return _ref(Ecosystem.NPM, spec)
    unclear = f"{spec!r} is no package name; write requests, or left-pad@npm ({_ECOSYSTEMS})"
    try:
        requirement = Requirement(spec)
    except InvalidRequirement as exc:
        raise UsageError(unclear) from exc
    if requirement.url is None:
        return _ref(Ecosystem.PYPI, requirement.name)
    if ":" not in requirement.url:  # ``name@word``, which packaging takes for an address
        raise UsageError(unclear)
    return None


def purl_of(ref: PackageRef) -> str | None:
    """The package's identity; None for a built-in module, an unmapped import, no valid name."""
    if ref.builtin or ref.name is None or not is_valid_name(ref.ecosystem, ref.name):
        return None
    return purl(ref.ecosystem, ref.name)


def _ref(ecosystem: Ecosystem, name: str, *, private: bool = False) -> PackageRef:
    flags = frozenset({Flag.PRIVATE_INDEX}) if private else frozenset[Flag]()
    canonical = canonical_name(ecosystem, name)
    return PackageRef(ecosystem, RefKind.MANIFEST, name, 0, len(name), canonical, flags=flags)


def _purl_ref(text: str) -> PackageRef:
    try:
        package = PackageURL.from_string(text)
        ecosystem = Ecosystem(package.type)
    except ValueError as exc:
        raise UsageError(f"{text!r} is no purl of {_ECOSYSTEMS}") from exc
    scope = f"{package.namespace}/" if package.namespace else ""
    return _ref(ecosystem, scope + package.name)


def _requirement_lines(source: str, text: str) -> Iterator[PackageRef]:
    """The names in lines as pip reads them; ``name@npm`` too. Raises UsageError."""
    private = False
    for number, line in _logical_lines(text):
        if line.startswith("-"):
            option = line.replace("=", " ").split()[0]
            private |= option in _INDEX_OPTIONS
            continue
        spec = line.partition(" --")[0].strip()
        if "://" in spec.partition("@")[0] or spec.startswith((".", "/", "~")):
            continue  # a URL or a path, which no registry answers for
        try:
            ref = ref_of(spec)
        except UsageError as exc:
            raise UsageError(f"{source}, line {number}: {exc}") from exc
        if ref is not None:
            yield _ref(ref.ecosystem, ref.raw, private=private)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers; comments gone, continuations joined."""
    begun = ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = begun + line
        if line.endswith("\\"):
            begun = line[:-1]
            continue
        begun = ""
        bare = line.strip() if not line.lstrip().startswith("#") else ""
        bare = bare.partition(" #")[0].strip()
        if bare:
            yield number, bare


def _package_json(source: str, text: str) -> Iterator[PackageRef]:
    """The dependencies of a ``package.json`` that come from the registry. Raises UsageError."""
    try:
        manifest = json.loads(text.removeprefix("\ufeff"))
    except ValueError as exc:
        raise UsageError(f"{source}: isn't valid JSON ({exc})") from exc
    groups = [manifest.get(group, {}) for group in _NPM_GROUPS] if _is_object(manifest) else []
    if not all(_is_object(group) for group in groups):
        raise UsageError(f"{source}: its dependencies aren't objects of names and versions")
    for name, version in _items(groups):
        wanted = str(version)
        if wanted.startswith("npm:"):
            name = wanted.removeprefix("npm:")
            name = name[: name.rfind("@")] if "@" in name[1:] else name
        elif ":" in wanted or "/" in wanted:
            continue  # a repository, a path, a workspace
        yield _ref(Ecosystem.NPM, name)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _items(groups: Iterable[dict[str, object]]) -> Iterator[tuple[str, object]]:
    for group in groups:
        yield from group.items()
