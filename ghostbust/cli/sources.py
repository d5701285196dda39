"""Where package names to look at come from: arguments, files, standard input.

A file is read by what its name says (``extractors.manifests``), else as a list of names, else as
a text to extract from. A dependency file must be sound: here a part that can't be read would be
a package that isn't checked. Does not follow ``-r other.txt`` and does not read lock files.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement

from ghostbust.errors import UsageError
from ghostbust.extractors import Language, extract
from ghostbust.extractors.install_tools import INDEX_OPTIONS
from ghostbust.extractors.manifests import MANIFESTS, label_of_file
from ghostbust.extractors.notebook import is_notebook
from ghostbust.extractors.package_json import GROUPS
from ghostbust.extractors.requirement_lines import requirement_lines
from ghostbust.records import ASKED, Ecosystem, Flag, PackageRef, RefKind
from ghostbust.registries.names import canonical_name, is_valid_name, purl

STDIN = "-"
_LIST_SUFFIXES = (".txt", ".in")
_UNREAD_SUFFIXES = (".toml", ".lock", ".cfg")
_ECOSYSTEMS = ", ".join(ASKED)


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
    label = label_of_file(source)
    if path.suffix in _UNREAD_SUFFIXES and label not in MANIFESTS:
        raise UsageError(
            f"{source}: such {path.suffix} files aren't read; give a requirements file, a"
            " pyproject.toml, a package.json or a text"
        )
    text = read_text(source)
    if label == "requirements.txt":
        return list(_requirement_lines(source, text))
    if source == STDIN or path.suffix in _LIST_SUFFIXES:
        label = "package.json" if text.lstrip("\ufeff \t\r\n").startswith("{") else ""
        if not label:
            try:
                return list(_requirement_lines(source, text))
            except UsageError:
                pass  # no list of names, so a text with names in it
        elif is_notebook(text):
            label = ""
    _check_syntax(source, label, text)
    return [ref for ref in extract(text, filename=label or source) if not ref.builtin]


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
    if name and ecosystem in ASKED:
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


def _ref(ecosystem: Ecosystem, name: str) -> PackageRef:
    canonical = canonical_name(ecosystem, name)
    return PackageRef(ecosystem, RefKind.MANIFEST, name, 0, len(name), canonical)


def _purl_ref(text: str) -> PackageRef:
    try:
        package = PackageURL.from_string(text)
        ecosystem = next(asked for asked in ASKED if asked == package.type)
    except (ValueError, StopIteration) as exc:
        raise UsageError(f"{text!r} is no purl of {_ECOSYSTEMS}") from exc
    scope = f"{package.namespace}/" if package.namespace else ""
    return _ref(ecosystem, scope + package.name)


def _requirement_lines(source: str, text: str) -> Iterator[PackageRef]:
    """The names in lines as pip reads them; ``name@npm`` too. Raises UsageError."""
    lines = list(requirement_lines(text))
    private = any(line.option in INDEX_OPTIONS[Ecosystem.PYPI] for line in lines)
    for line in lines:
        if line.option or line.is_elsewhere:
            continue
        try:
            ref = ref_of(line.words.value.partition(" --")[0])
        except UsageError as exc:
            raise UsageError(f"{source}, line {line.number}: {exc}") from exc
        if ref is not None:
            start = max(line.words.value.find(ref.raw), 0)  # a purl writes it in another way
            place = line.words.at[start]
            flags = frozenset({Flag.PRIVATE_INDEX} if private else ())
            yield replace(ref, start=place, end=place + len(ref.raw), flags=flags)


def _check_syntax(source: str, label: str, text: str) -> None:
    """Raises UsageError for a file that isn't what its name says."""
    text = text.removeprefix("\ufeff")
    try:
        if label in ("pyproject.toml", "pipfile"):
            tomllib.loads(text)
        elif label == "package.json":
            manifest = json.loads(text)
            groups = [manifest.get(group, {}) for group in GROUPS if isinstance(manifest, dict)]
            if not all(isinstance(group, dict) for group in groups):
                raise UsageError(f"{source}: its dependencies aren't objects of names and versions")
    except ValueError as exc:
        kind = "JSON" if label == "package.json" else "TOML"
        raise UsageError(f"{source}: isn't valid {kind} ({exc})") from exc
