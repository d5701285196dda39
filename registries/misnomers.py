"""What a name that a registry doesn't have is, where a rule tells: a module, a command, a package
of another registry.

It stays ABSENT: whoever installs it gets what somebody else may register. The rules look at names
only; that ``sklearn-made-up`` has no such module they can't know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ghostbust.known_modules import known_modules
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.names import canonical_name
from ghostbust.registries.snapshot import Snapshot

_COMMANDS = ("pip", "python", "ipython", "easy-install")


def explained(lookup: Lookup, snapshots: Mapping[Ecosystem, Snapshot]) -> Lookup:
    """The lookup, if it is ABSENT with what its name is behind the evidence, where a rule tells."""
    if lookup.verdict is not Verdict.ABSENT:
        return lookup
    what = _of_python(lookup.name) if lookup.ecosystem is Ecosystem.PYPI else ""
    what = what or _of_javascript(lookup.name, lookup.ecosystem, snapshots.get(Ecosystem.NPM))
    return replace(lookup, evidence=f"{lookup.evidence}; {what}") if what else lookup


def written_as_module(lookup: Lookup, written: str, snapshot: Snapshot | None) -> Lookup:
    """The same for an ABSENT name that a text has with dots, behind those of a real package."""
    top = written.partition(".")[0]
    name = canonical_name(lookup.ecosystem, top)
    is_file = written.lower().endswith(".js")
    if snapshot is None or top == written or is_file or lookup.verdict is not Verdict.ABSENT:
        return lookup
    if top in known_modules() or not _is_real(name, snapshot):
        return lookup
    return replace(
        lookup, evidence=f"{lookup.evidence}; {written} is written as a module of {name}"
    )


def _of_python(name: str) -> str:
    """That a name is a command, or begins with a module that another distribution provides."""
    command = name.rstrip("0123456789-")
    if command in _COMMANDS and command != name:
        return f"{name} is a command, of {command}"
    words = name.split("-")
    modules = (mark.join(words[:n]) for n in range(len(words), 0, -1) for mark in "_.")
    return next(
        (f"{module} is the module of {known_modules()[module]}"
         for module in modules if known_modules().get(module)),
        "",
    )  # fmt: skip


def _of_javascript(name: str, ecosystem: Ecosystem, npm: Snapshot | None) -> str:
    """That a name ends as people write JavaScript's, ``D3.js``, and npm has it without that."""
    plain = name.lower()
    bare = plain.removesuffix("js").rstrip("-.")
    if npm is None or bare in ("", plain.removesuffix("js")) or not _is_real(bare, npm):
        return ""
    return f"{bare} is a package of npm" if ecosystem is Ecosystem.PYPI else f"npm has {bare}"


def _is_real(name: str, snapshot: Snapshot) -> bool:
    return snapshot.look_up(name).verdict is Verdict.REAL
