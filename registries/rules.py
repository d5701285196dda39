"""Rules about names and refs: verdicts that need no registry, and what other verdicts mean.

A `Lookup` says what a registry holds. These rules say the rest: what is built in or impossible,
what a ref's flags mean, which real names are too young for the model to know, what an absent name
is instead, and which absent imports may be installed under another name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

from ghostbust.records import (
    ASKED,
    Ecosystem,
    Flag,
    Lookup,
    PackageRef,
    RefKind,
    SuspectReason,
    Verdict,
    known_modules,
)
from ghostbust.registries.names import canonical_name, is_builtin, is_valid_name
from ghostbust.registries.snapshot import POPULAR, Snapshot

# Flags of refs that no registry can judge, the most telling first.
_UNJUDGED = {
    Flag.LOCAL_MODULE: "the same answer defines a module of that name",
    Flag.TRUNCATED: "cut off by the end of the answer, so it may be longer",
    Flag.ELSEWHERE: "the lock file takes it from elsewhere than an index",
    Flag.PRIVATE_INDEX: "the command names another index",
}
_COMMANDS = ("pip", "python", "ipython", "easy-install")
_GENERATED = ("_pb2", "_pb2_grpc")
"""ends of the modules that protoc writes for a project's own messages"""
_BESIDE = ("_cli", "_data", "_ext", "_launcher", "_plugin", "_scripts", "_tests", "_version")
"""ends of modules that a distribution puts beside its main module, whose name comes before"""


def settle_name(ecosystem: Ecosystem, name: str, now: datetime) -> Lookup | None:
    """The verdict on a canonical name that no registry can change; None where one must be asked.

    A built-in module stays BUILTIN even where a backport of the same name is registered and
    popular (``typing``, ``dataclasses``): whoever names it has the module already. A name
    that the registry can't hold is ABSENT, reason ``invalid-name``. In an ecosystem whose
    registry is never asked, every name is UNKNOWN, reason ``not-asked``.
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


def may_lack_version(ref: PackageRef, lookup: Lookup) -> bool:
    """Whether a registry has to be asked for the version that a ref of a real name wants.

    Not where the text names another index, which may hold others.
    """
    is_elsewhere = bool(ref.indexes) or Flag.PRIVATE_INDEX in ref.flags
    return bool(ref.wanted) and lookup.verdict is Verdict.REAL and not is_elsewhere


class AgeRule:
    """Makes REAL names SUSPECT, ``younger-than-model``, that are younger than the model's cutoff.

    The model can't have learnt such a name: it invented it, and somebody has registered it since.
    A name that can't be dated isn't judged by this rule.
    """

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
        """the last day the model can know about"""
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

        A name in a snapshot from before the cutoff is old, whatever is left of its files.
        Otherwise the first release decides; without one, a complete snapshot from after the
        cutoff that doesn't hold the name yet.
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
        """Whether an npm package that was last changed then must be asked for its age."""
        return changed.date() > self.cutoff and not self._is_old(Ecosystem.NPM, name)

    def _is_old(self, ecosystem: Ecosystem, name: str) -> bool:
        return any(name in snapshot for snapshot in self._before.get(ecosystem, ()))

    def _young(self, lookup: Lookup, why: str) -> Lookup:
        return replace(
            lookup,
            verdict=Verdict.SUSPECT,
            reason=SuspectReason.YOUNGER_THAN_MODEL,
            evidence=f"{lookup.evidence}; {why}, the model's knowledge ends {self.cutoff}",
        )


# What an absent name is instead: a module, a command, a package of another registry.
#
# It stays ABSENT: whoever installs it gets what somebody else may register. The rules read names
# only: they don't know that ``sklearn-made-up`` has no such module.


def explained(lookup: Lookup, snapshots: Mapping[Ecosystem, Snapshot]) -> Lookup:
    """The lookup; if it is ABSENT, with what its name is behind the evidence, where a rule fits."""
    if lookup.verdict is not Verdict.ABSENT:
        return lookup
    what = _command_or_module(lookup.name) if lookup.ecosystem is Ecosystem.PYPI else ""
    what = what or _on_npm(lookup.name, lookup.ecosystem, snapshots.get(Ecosystem.NPM))
    return replace(lookup, evidence=f"{lookup.evidence}; {what}") if what else lookup


def written_as_module(lookup: Lookup, written: str, snapshot: Snapshot | None) -> Lookup:
    """The lookup; if it is ABSENT and written with dots after a real package's name, says so."""
    top = written.partition(".")[0]
    name = canonical_name(lookup.ecosystem, top)
    is_file = written.lower().endswith(".js")  # `_on_npm` is for those
    if snapshot is None or top == written or is_file or lookup.verdict is not Verdict.ABSENT:
        return lookup
    if top in known_modules() or not _is_real(name, snapshot):
        return lookup
    return replace(
        lookup, evidence=f"{lookup.evidence}; {written} is written as a module of {name}"
    )


def _command_or_module(name: str) -> str:
    """The command that it is, or the module of another distribution that it begins with."""
    command = name.rstrip("0123456789-")
    if command in _COMMANDS and command != name:
        return f"{name} is a command, of {command}"
    words = name.split("-")
    for n in range(len(words), 0, -1):
        for mark in "_.":
            module = mark.join(words[:n])
            if known_modules().get(module):
                return f"{module} is the module of {known_modules()[module]}"
    return ""


def _on_npm(name: str, ecosystem: Ecosystem, npm: Snapshot | None) -> str:
    """The npm package that it is, if it ends as people write JavaScript's: ``D3.js``, ``d3-js``."""
    plain = name.lower()
    bare = plain.removesuffix("js").rstrip("-.")
    if npm is None or bare in ("", plain.removesuffix("js")) or not _is_real(bare, npm):
        return ""
    return f"{bare} is a package of npm" if ecosystem is Ecosystem.PYPI else f"npm has {bare}"


def _is_real(name: str, snapshot: Snapshot) -> bool:
    return snapshot.look_up(name).verdict is Verdict.REAL


# Where no table maps an import to a distribution, the extractor guesses that both have the same
# name. The guess can be wrong (``import serial`` is pyserial), so a "no" isn't yet an invention.


def judge_import(ref: PackageRef, lookup: Lookup, snapshot: Snapshot | None) -> Lookup:
    """The verdict on a ref, given the verdict on its name.

    Changes it for guessed Python imports only, and only to UNKNOWN, reason ``no-mapping``: where
    no distribution can have that name; where it is a decoy for another package; where it is
    absent and ends as protoc names modules; where it is absent, but a usual variant of it is
    registered or a popular package has all its words in its name. The last two are looked for in
    the snapshot; without one, none is found.
    """
    top = (ref.import_name or ref.raw).partition(".")[0]
    is_import = ref.ecosystem is Ecosystem.PYPI and ref.kind is RefKind.IMPORT
    if not is_import or ref.name != canonical_name(Ecosystem.PYPI, top):
        return lookup
    why = ""
    if lookup.reason == "invalid-name":
        why = "no distribution can have that name"
    elif lookup.reason == SuspectReason.DECOY:
        why = lookup.evidence
    elif lookup.verdict is Verdict.ABSENT and top.endswith(_GENERATED):
        why = "a module that protoc generates has such a name"
    elif lookup.verdict is Verdict.ABSENT and snapshot is not None:
        registered = (one for one in variants(top) if one in snapshot and _is_real(one, snapshot))
        if variant := next(registered, None):
            why = f"no package of that name, but {variant} is registered"
        elif popular := namesake(top, snapshot):
            why = f"no package of that name, but {popular} is popular"
    if not why:
        return lookup
    evidence = f"import {top}: {why}"
    return replace(lookup, verdict=Verdict.UNKNOWN, reason="no-mapping", evidence=evidence)


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
    """The most popular real name with all words of the module's among its own; None for none.

    ``crispy_forms``: django-crispy-forms; ``pythonjsonlogger``: python-json-logger. A module
    that has a word twice has none: it is a model's stammer.
    """
    words = canonical_name(Ecosystem.PYPI, module).split("-")
    if len(set(words)) < len(words):
        return None
    rivals = _by_word(snapshot).get(words[0], ())
    return next((name for name, others in rivals if others.issuperset(words)), None)


@lru_cache(maxsize=len(Ecosystem))
def _by_word(snapshot: Snapshot) -> Mapping[str, Sequence[tuple[str, frozenset[str]]]]:
    """Word to the popular names with it, best first; a name run together is a word too."""
    found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for name in snapshot.popular(POPULAR):
        words = frozenset((*name.split("-"), name.replace("-", "")))
        for word in words:
            found[word].append((name, words))
    return found
