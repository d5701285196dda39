"""What a verdict on a name says about the import that the name was guessed from.

Where no table maps an import to a distribution, the extractor guesses that they are called
the same. That guess can be wrong (``import serial`` is pyserial), so a "no" to it isn't
yet an invention.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from ghostbust.records import Ecosystem, Lookup, PackageRef, RefKind, SuspectReason, Verdict
from ghostbust.registries.names import canonical_name
from ghostbust.registries.snapshot import Snapshot

POPULAR = 15_000
"""how many of the most downloaded names are searched for a module's words"""

_GENERATED = ("_pb2", "_pb2_grpc")
"""ends of the modules that protoc writes for a project's own messages"""
_BESIDE = ("_cli", "_data", "_ext", "_launcher", "_plugin", "_scripts", "_tests", "_version")
"""what a distribution puts beside its module, with the module's name in front"""


def judge_import(ref: PackageRef, lookup: Lookup, snapshot: Snapshot | None) -> Lookup:
    """The verdict on a ref, given the verdict on its name.

    Changes it for guessed Python imports only, and only to UNKNOWN, reason ``no-mapping``:
    where the name is absent but a usual variant of it is registered, or a popular package has
    all its words in its name (both are looked for in the snapshot; without one, none is found);
    where it is absent and such as protoc gives to modules; where it is a decoy for another
    package; and where no distribution could be called so.
    """
    if not _guessed(ref):
        return lookup
    top = _top(ref)
    if lookup.reason == "invalid-name":
        return _unmapped(lookup, f"import {top}: no distribution can have that name")
    if lookup.reason == SuspectReason.DECOY:
        return _unmapped(lookup, f"import {top}: {lookup.evidence}")
    if lookup.verdict is Verdict.ABSENT and top.endswith(_GENERATED):
        return _unmapped(lookup, f"import {top}: a module that protoc generates has such a name")
    if lookup.verdict is Verdict.ABSENT and snapshot is not None:
        for variant in variants(top):
            if variant in snapshot and snapshot.look_up(variant).verdict is Verdict.REAL:
                return _unmapped(
                    lookup, f"import {top}: no package of that name, but {variant} is registered"
                )
        if (popular := namesake(top, snapshot)) is not None:
            return _unmapped(
                lookup, f"import {top}: no package of that name, but {popular} is popular"
            )
    return lookup


def variants(module: str) -> list[str]:
    """The names under which the distribution of a module is usually found, likeliest first."""
    name = canonical_name(Ecosystem.PYPI, module)
    joined = name.replace("-", "")
    forms = [
        f"python-{name}", f"py{joined}", f"py-{name}", f"py{name}", f"{name}-python", f"{name}-py",
        f"python{joined}", joined,
    ]  # fmt: skip
    forms += [
        canonical_name(Ecosystem.PYPI, module.removesuffix(end))
        for end in _BESIDE
        if module.endswith(end)
    ]
    return [form for form in dict.fromkeys(forms) if form != name]


def namesake(module: str, snapshot: Snapshot) -> str | None:
    """The most popular real name that has all words of the module's among its own; None for none.

    ``crispy_forms``: django-crispy-forms; ``pythonjsonlogger``: python-json-logger. A module
    that says a word twice has none: it is a model's stammer.
    """
    words = canonical_name(Ecosystem.PYPI, module).split("-")
    if len(set(words)) < len(words):
        return None
    rivals = _by_word(snapshot).get(words[0], ())
    return next((name for name, others in rivals if others.issuperset(words)), None)


@lru_cache(maxsize=len(Ecosystem))
def _by_word(snapshot: Snapshot) -> Mapping[str, Sequence[tuple[str, frozenset[str]]]]:
    """Word to the popular names that have it, best first; a name run together is a word too."""
    found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for name in snapshot.popular(POPULAR):
        words = frozenset((*name.split("-"), name.replace("-", "")))
        for word in words:
            found[word].append((name, words))
    return found


def _guessed(ref: PackageRef) -> bool:
    """True where the distribution's name is just the module's, in canonical form."""
    return (
        ref.ecosystem is Ecosystem.PYPI
        and ref.kind is RefKind.IMPORT
        and ref.name == canonical_name(Ecosystem.PYPI, _top(ref))
    )


def _top(ref: PackageRef) -> str:
    return (ref.import_name or ref.raw).partition(".")[0]


def _unmapped(lookup: Lookup, evidence: str) -> Lookup:
    return replace(lookup, verdict=Verdict.UNKNOWN, reason="no-mapping", evidence=evidence)
