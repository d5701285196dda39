"""Verdicts that need no registry: built in, impossible names, and what a ref's flags say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

from ghostbust.known_modules import known_modules
from ghostbust.records import (
    ASKED,
    Ecosystem,
    Flag,
    Lookup,
    PackageRef,
    RefKind,
    SuspectReason,
    Verdict,
)
from ghostbust.registries.names import canonical_name, is_builtin, is_valid_name
from ghostbust.registries.snapshot import Snapshot

# Flags that say that the registry can't be the judge, most telling first.
_UNJUDGED = {
    Flag.LOCAL_MODULE: "the same answer defines a module of that name",
    Flag.TRUNCATED: "cut off by the end of the answer, so it may be longer",
    Flag.ELSEWHERE: "the lock file takes it from elsewhere than an index",
    Flag.PRIVATE_INDEX: "the command names another index",
}


def settle_name(ecosystem: Ecosystem, name: str, now: datetime) -> Lookup | None:
    """The verdict on a canonical name that no registry can change; None for one to be asked for.

    A built-in module stays BUILTIN even where a backport of the same name is registered and
    popular (``typing``, ``dataclasses``): whoever names it has the module already. A name
    that the registry can't hold is ABSENT, reason ``invalid-name``. Of an ecosystem whose
    registry nobody asks, every name is UNKNOWN, reason ``not-asked``.
    """
    if ecosystem not in ASKED:
        evidence = f"{name}: {ecosystem} packages aren't looked up anywhere"
        return Lookup(ecosystem, name, Verdict.UNKNOWN, "not-asked", evidence, "rule", now)
    if is_builtin(ecosystem, name):
        evidence = f"{name} comes with the language"
        return Lookup(ecosystem, name, Verdict.BUILTIN, "builtin", evidence, "builtin", now)
    if not is_valid_name(ecosystem, name):
        evidence = f"{name!r} breaks the naming rules of {ecosystem}, so it can't be registered"
        return Lookup(ecosystem, name, Verdict.ABSENT, "invalid-name", evidence, "rule", now)
    return None


def settle_ref(ref: PackageRef, now: datetime) -> Lookup | str:
    """The verdict on a ref that no registry can change, or the name to look up."""
    name = ref.name or ref.import_name or ref.raw
    if ref.builtin:
        evidence = f"{name} comes with the language"
        return Lookup(ref.ecosystem, name, Verdict.BUILTIN, "builtin", evidence, "builtin", now)
    for flag, why in _UNJUDGED.items():
        if flag in ref.flags:
            evidence = f"{ref.raw}: {why}"
            return Lookup(ref.ecosystem, name, Verdict.UNKNOWN, flag, evidence, "rule", now)
    if ref.name is None:
        evidence = f"import {name}: no known distribution provides it"
        return Lookup(ref.ecosystem, name, Verdict.UNKNOWN, "no-mapping", evidence, "mapping", now)
    return ref.name


# --- age
# `younger-than-model`: a name first published after the model's cutoff can't have been learnt.
#
# A model that names such a package invented the name, and somebody has registered it since. What
# can't be dated isn't judged by this rule.


class AgeRule:
    """Makes REAL names SUSPECT that are younger than the model's cutoff."""

    def __init__(
        self,
        cutoff: date,
        snapshots: Mapping[Ecosystem, Sequence[Snapshot]],
        *,
        also_elsewhere: Collection[Ecosystem] = (),
    ) -> None:
        """``snapshots``: all that there are, by ecosystem, oldest first. ``also_elsewhere``:
        whose live registries hold names that no snapshot does, however old they are."""
        self.cutoff = cutoff
        """the last day of which the model can know anything"""
        self._also_elsewhere = also_elsewhere
        self._before = {
            ecosystem: [one for one in known if one.date <= cutoff]
            for ecosystem, known in snapshots.items()
        }
        self._after = {
            ecosystem: [one for one in known if one.date > cutoff and one.complete]
            for ecosystem, known in snapshots.items()
        }

    def __call__(self, lookup: Lookup) -> Lookup:
        """The verdict, or SUSPECT with the day that shows it.

        A name that a snapshot of before the cutoff holds is old, whatever is left of its files.
        Else the first release tells; without one, a complete snapshot of after the cutoff that
        doesn't hold the name yet.
        """
        if lookup.verdict is not Verdict.REAL or self._is_old(lookup.ecosystem, lookup.name):
            return lookup
        if lookup.first_released is not None:
            day = lookup.first_released.date()
            return self._young(lookup, f"first released {day}") if day > self.cutoff else lookup
        if lookup.source == "live" and lookup.ecosystem in self._also_elsewhere:
            return lookup
        for snapshot in self._after.get(lookup.ecosystem, ()):
            if lookup.name not in snapshot:
                return self._young(lookup, f"not yet registered on {snapshot.date}")
        return lookup

    def may_be_young(self, name: str, changed: datetime) -> bool:
        """Whether an npm package that was last changed then has to be asked for its age."""
        return changed.date() > self.cutoff and not self._is_old(Ecosystem.NPM, name)

    def _is_old(self, ecosystem: Ecosystem, name: str) -> bool:
        return any(name in snapshot for snapshot in self._before.get(ecosystem, ()))

    def _young(self, lookup: Lookup, shown: str) -> Lookup:
        return replace(
            lookup,
            verdict=Verdict.SUSPECT,
            reason=SuspectReason.YOUNGER_THAN_MODEL,
            evidence=f"{lookup.evidence}; {shown}, the model's knowledge ends {self.cutoff}",
        )


# --- misnomers
# What a name that a registry doesn't have is, where a rule tells: a module, a command, a package
# of another registry.
#
# It stays ABSENT: whoever installs it gets what somebody else may register. The rules look at
# names
# only; that ``sklearn-made-up`` has no such module they can't know.

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


# --- import_guess
# What a verdict on a name says about the import that the name was guessed from.
#
# Where no table maps an import to a distribution, the extractor guesses that they are called
# the same. That guess can be wrong (``import serial`` is pyserial), so a "no" to it isn't
# yet an invention.

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
