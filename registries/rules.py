"""Verdicts that need no registry: built in, impossible names, and what a ref's flags say."""

from __future__ import annotations

from datetime import datetime

from ghostbust.records import ASKED, Ecosystem, Flag, Lookup, PackageRef, Verdict
from ghostbust.registries.builtins import is_builtin
from ghostbust.registries.names import is_valid_name

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
