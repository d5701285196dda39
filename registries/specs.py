"""One package as a user writes it: ``requests``, ``left-pad@npm``, ``pkg:npm/left-pad``."""

from __future__ import annotations

import difflib

from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement

from ghostbust.errors import UsageError
from ghostbust.records import ASKED, Ecosystem, PackageRef, RefKind
from ghostbust.registries.names import canonical_name, is_valid_name, purl

_ECOSYSTEMS = ", ".join(ASKED)


def ref_of(spec: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> PackageRef | None:
    """The package that a name stands for; None for one that doesn't come from a registry.

    ``requests``, ``requests[socks]>=2``, ``left-pad@npm``, ``@scope/name``, ``pkg:npm/left-pad``.
    ``ecosystem``: of a name that doesn't say its own. Raises UsageError for anything else.
    """
    spec = spec.strip()
    if spec.startswith("pkg:"):
        return _purl_ref(spec)
    name, at, behind = spec.rpartition("@")
    if name and behind in ASKED:
        return manifest_ref(Ecosystem(behind), name)
    if spec.startswith("@") and not name:
        return manifest_ref(Ecosystem.NPM, spec)
    if name and at and ":" not in spec:  # packaging would take the word for an address
        raise UsageError(_no_ecosystem(spec, name, behind))
    if ecosystem is Ecosystem.NPM and is_valid_name(ecosystem, spec):
        return manifest_ref(ecosystem, spec)
    try:
        requirement = Requirement(spec)
    except InvalidRequirement as exc:
        raise UsageError(
            f"{spec!r} is no package name; write requests, or left-pad@npm ({_ECOSYSTEMS})"
        ) from exc
    return None if requirement.url is not None else manifest_ref(ecosystem, requirement.name)


def manifest_ref(ecosystem: Ecosystem, name: str) -> PackageRef:
    """A ref of kind ``manifest``, with its own name as its text."""
    canonical = canonical_name(ecosystem, name)
    return PackageRef(ecosystem, RefKind.MANIFEST, name, 0, len(name), canonical)


def purl_of(ref: PackageRef) -> str | None:
    """The package's identity; None for a built-in module, an unmapped import, no valid name."""
    if ref.builtin or ref.name is None or not is_valid_name(ref.ecosystem, ref.name):
        return None
    return purl(ref.ecosystem, ref.name)


def _no_ecosystem(spec: str, name: str, behind: str) -> str:
    """What to say of ``name@word``."""
    close = difflib.get_close_matches(behind.lower(), ASKED, n=1)
    hint = f"; did you mean {name}@{close[0]}?" if close else f"; known are {_ECOSYSTEMS}"
    return f"{spec!r}: behind @ stands an ecosystem, and {behind!r} is none{hint}"


def _purl_ref(text: str) -> PackageRef:
    try:
        package = PackageURL.from_string(text)
        ecosystem = next(asked for asked in ASKED if asked == package.type)
    except (ValueError, StopIteration) as exc:
        raise UsageError(f"{text!r} is no purl of {_ECOSYSTEMS}") from exc
    scope = f"{package.namespace}/" if package.namespace else ""
    return manifest_ref(ecosystem, scope + package.name)
