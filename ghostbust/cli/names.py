"""One package as a user writes it: ``requests``, ``left-pad@npm``, ``pkg:npm/left-pad``."""

from __future__ import annotations

from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement

from ghostbust.errors import UsageError
from ghostbust.records import ASKED, Ecosystem, PackageRef, RefKind
from ghostbust.registries.names import canonical_name, is_valid_name, purl

_ECOSYSTEMS = ", ".join(ASKED)


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
        return manifest_ref(Ecosystem(ecosystem), name)
    if spec.startswith("@") and not name:
        return manifest_ref(Ecosystem.NPM, spec)
    unclear = f"{spec!r} is no package name; write requests, or left-pad@npm ({_ECOSYSTEMS})"
    try:
        requirement = Requirement(spec)
    except InvalidRequirement as exc:
        raise UsageError(unclear) from exc
    if requirement.url is None:
        return manifest_ref(Ecosystem.PYPI, requirement.name)
    if ":" not in requirement.url:  # ``name@word``, which packaging takes for an address
        raise UsageError(unclear)
    return None


def manifest_ref(ecosystem: Ecosystem, name: str) -> PackageRef:
    """A ref of kind ``manifest``, with its own name as its text."""
    canonical = canonical_name(ecosystem, name)
    return PackageRef(ecosystem, RefKind.MANIFEST, name, 0, len(name), canonical)


def purl_of(ref: PackageRef) -> str | None:
    """The package's identity; None for a built-in module, an unmapped import, no valid name."""
    if ref.builtin or ref.name is None or not is_valid_name(ref.ecosystem, ref.name):
        return None
    return purl(ref.ecosystem, ref.name)


def _purl_ref(text: str) -> PackageRef:
    try:
        package = PackageURL.from_string(text)
        ecosystem = next(asked for asked in ASKED if asked == package.type)
    except (ValueError, StopIteration) as exc:
        raise UsageError(f"{text!r} is no purl of {_ECOSYSTEMS}") from exc
    scope = f"{package.namespace}/" if package.namespace else ""
    return manifest_ref(ecosystem, scope + package.name)
