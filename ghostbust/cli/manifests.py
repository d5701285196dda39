"""The dependencies of a requirements file and of a ``package.json``, each with its place.

Does not follow ``-r other.txt`` and does not read lock files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from ghostbust.cli.names import manifest_ref, ref_of
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, PackageRef

_NPM_GROUPS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")
_GROUP_DEPTH, _NAME_DEPTH = 1, 2


def requirement_lines(source: str, text: str) -> Iterator[PackageRef]:
    """The names in lines as pip reads them; ``name@npm`` too. Raises UsageError."""
    private = False
    for number, (start, end), line in _logical_lines(text):
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
            ref = manifest_ref(ref.ecosystem, ref.raw, private=private)
            yield _placed(ref, text, start, end)


def package_json(source: str, text: str) -> Iterator[PackageRef]:
    """The dependencies of a ``package.json`` that come from the registry. Raises UsageError."""
    try:
        manifest = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{source}: isn't valid JSON ({exc})") from exc
    groups = manifest if isinstance(manifest, dict) else {}
    if not all(isinstance(groups.get(group, {}), dict) for group in _NPM_GROUPS):
        raise UsageError(f"{source}: its dependencies aren't objects of names and versions")
    if not isinstance(manifest, dict):
        raise UsageError(f"{source}: isn't a JSON object")
    for name, wanted, (start, end) in _dependencies(text):
        if wanted.startswith("npm:"):
            name = wanted.removeprefix("npm:")
            name = name[: name.rfind("@")] if "@" in name[1:] else name
        elif ":" in wanted or "/" in wanted:
            continue  # a repository, a path, a workspace
        yield _placed(manifest_ref(Ecosystem.NPM, name), text, start, end)


def _placed(ref: PackageRef, text: str, start: int, end: int) -> PackageRef:
    """The ref where its name stands within a stretch of text, else with the whole stretch."""
    at = text.find(ref.raw, start, end)
    if at >= 0:
        return replace(ref, start=at, end=at + len(ref.raw))
    return replace(ref, start=start, end=end, raw=text[start:end])


def _logical_lines(text: str) -> Iterator[tuple[int, tuple[int, int], str]]:
    """The lines that say something, with their (last) number and their span; comments gone,
    continuations joined.
    """
    begun, begun_at, at = "", 0, 0
    for number, whole in enumerate(text.splitlines(keepends=True), start=1):
        line_at, at = at, at + len(whole)
        line = "".join(whole.splitlines())
        if not begun:
            begun_at = line_at
        line = begun + line
        if line.endswith("\\"):
            begun = line[:-1]
            continue
        begun = ""
        plain = line.lstrip("\ufeff \t")
        bare = "" if plain.startswith("#") else plain.partition(" #")[0].strip()
        if bare:
            yield number, (begun_at + len(line) - len(plain), at), bare


def _dependencies(text: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Name, wanted version and the span of both, of each entry in a group of valid JSON.

    Walks the text from string to string, which is all that a dependency consists of.
    """
    decoder = json.JSONDecoder()
    group, depth, at = "", 0, 0
    key: tuple[str, int] | None = None
    while at < len(text):
        char, start = text[at], at
        at += 1
        if char in "{[":
            depth, key = depth + 1, None
        elif char in "}]":
            depth, key = depth - 1, None
        elif char == ",":
            key = None
        elif char == '"':
            value, at = decoder.raw_decode(text, start)
            if key is None and depth == _GROUP_DEPTH:
                group = value
            elif depth == _NAME_DEPTH and group in _NPM_GROUPS and key is not None:
                yield key[0], value, (key[1], at)
            key = key or (value, start + 1)
