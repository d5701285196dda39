"""Which names a model may write where an invented one was taken back: the well-known ones.

A real name that nearly nobody uses is no good replacement: it was forced on the model by its first
letters, and such names are what attackers register. So these are the popular names of the snapshot,
and the modules that they and the language provide. What the model writes by itself is judged by all
names (``reading.py``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ghostbust.records import Ecosystem, PackageRef, RefKind, known_modules
from ghostbust.registries.names import builtin_names, canonical_name
from ghostbust.registries.snapshot import POPULAR, Snapshot

_LEAD = re.compile(r"[ `\"'*\[(]{0,4}")
"""what may stand before a name at its place"""
_FORMS = {
    RefKind.IMPORT: re.compile(r"[A-Za-z0-9_]*"),
    Ecosystem.NPM: re.compile(r"(?:@[A-Za-z0-9._~-]*/?)?[A-Za-z0-9._~-]*"),
    Ecosystem.CARGO: re.compile(r"[A-Za-z0-9_-]*"),
}
_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
_WORD = r"(?:[A-Z][A-Za-z0-9]*|[a-z0-9]*)"
_SPELT = re.compile(rf"{_WORD}(?:[-_.]+{_WORD})*")
"""as people spell names: a model that is held to ``client`` would else write ``cLIeNt``"""


def form_of(ref: PackageRef) -> re.Pattern[str]:
    """What matches the characters of a name at the place of a ref."""
    if ref.kind is RefKind.IMPORT and ref.ecosystem is not Ecosystem.NPM:
        return _FORMS[RefKind.IMPORT]
    return _FORMS.get(ref.ecosystem, _PLAIN)


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A place for one name, with the names that may stand there."""

    known: tuple[str, ...]
    """in canonical form where capitals and the marks between words don't matter; sorted"""
    form: re.Pattern[str]
    """of a name's characters"""
    ecosystem: Ecosystem | None
    """whose canonical form that is; None where names are compared as they stand"""

    def may_follow(self, text: str) -> bool:
        """Whether ``text``, all that stands at the place so far, is a known name or begins one."""
        name, behind = self._parted(text)
        return self._has(name, whole=bool(behind)) if name else not behind

    def is_written(self, text: str) -> bool:
        """Whether something follows the name."""
        name, behind = self._parted(text)
        return bool(name and behind)

    def _parted(self, text: str) -> tuple[str, str]:
        """The name, or what stands of it, and what stands behind it."""
        lead = _LEAD.match(text)
        name = self.form.match(text, lead.end() if lead else 0)
        return (name[0], text[name.end() :]) if name else ("", text)

    def _has(self, name: str, *, whole: bool) -> bool:
        if self.ecosystem is not None and _SPELT.fullmatch(name):
            name = canonical_name(self.ecosystem, name)
        at = bisect_left(self.known, name)
        found = self.known[at] if at < len(self.known) else ""
        return found == name if whole else found.startswith(name)


class KnownNames:
    """The places for names of the snapshots' ecosystems."""

    def __init__(self, snapshots: Mapping[Ecosystem, Snapshot]) -> None:
        self._snapshots = snapshots
        self._known = cache(self._sorted)

    def place(self, ref: PackageRef) -> KnownPlace | None:
        """The place where a ref stands; None where no popular names are known of its ecosystem."""
        is_import = ref.kind is RefKind.IMPORT
        known = self._known(ref.ecosystem, is_import)
        is_folded = ref.ecosystem is Ecosystem.PYPI and not is_import
        return (
            KnownPlace(known, form_of(ref), ref.ecosystem if is_folded else None) if known else None
        )

    def _sorted(self, ecosystem: Ecosystem, is_import: bool) -> tuple[str, ...]:
        snapshot = self._snapshots.get(ecosystem)
        names = set(snapshot.popular(POPULAR)) if snapshot else set()
        if is_import and names:
            if ecosystem is Ecosystem.PYPI:
                names = {name.replace("-", "_") for name in names}
                names |= {module.partition(".")[0] for module in known_modules()}
            names |= builtin_names(ecosystem)
        return tuple(sorted(names))
