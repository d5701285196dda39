"""Which names a model may write where an invented one was taken back: the well-known ones.

A real name that nearly nobody uses is no good replacement: it was forced on the model by its first
letters, and such names are what attackers register. So these are the popular names of the snapshot,
and the modules that they and the language provide. What the model writes by itself is judged by all
names (``reading.py``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from ghostbust.records import Ecosystem, PackageRef, RefKind, known_modules
from ghostbust.registries.names import builtin_names, canonical_name
from ghostbust.registries.snapshot import POPULAR, Snapshot

_LEAD = re.compile(r"[ `\"'*\[(]{0,4}")
"""what may stand before a name at its place"""
_NAME = {
    RefKind.IMPORT: re.compile(r"[A-Za-z0-9_]*"),
    Ecosystem.NPM: re.compile(r"[A-Za-z0-9._@/-]*"),
    Ecosystem.PYPI: re.compile(r"[A-Za-z0-9._-]*"),
    Ecosystem.CARGO: re.compile(r"[A-Za-z0-9_-]*"),
}
_MARKS = re.compile(r"[-_.]+")
_WORD = r"(?:[A-Z][A-Za-z0-9]*|[a-z0-9]*)"
_SPELT = re.compile(rf"{_WORD}(?:[-_.]+{_WORD})*")
"""as people spell names: a model that is held to ``client`` would else write ``cLIeNt``"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place for one name, with the names that may stand there."""

    known: tuple[str, ...]
    """sorted"""
    form: re.Pattern[str]
    """of a name's characters"""
    folded: bool
    """True where capitals and the marks between words don't matter, as in PyPI's names"""

    def may_follow(self, text: str) -> bool:
        """Whether ``text``, all that stands at the place so far, is a known name or begins one."""
        lead = _LEAD.match(text)
        assert lead is not None  # it matches nothing, too
        name = self.form.match(text, lead.end())
        assert name is not None
        if not name[0]:
            return name.end() == len(text)
        return self._begins(name[0]) if name.end() == len(text) else self._is_known(name[0])

    def is_written(self, text: str) -> bool:
        """Whether something follows the name."""
        lead = _LEAD.match(text)
        assert lead is not None
        name = self.form.match(text, lead.end())
        return bool(name and name[0] and name.end() < len(text))

    def _folded(self, name: str) -> str:
        """The name as it is looked for; as it stands where nobody spells one so."""
        return _MARKS.sub("-", name).lower() if self.folded and _SPELT.fullmatch(name) else name

    def _is_known(self, name: str) -> bool:
        name = self._folded(name)
        at = bisect_left(self.known, name)
        return at < len(self.known) and self.known[at] == name

    def _begins(self, start: str) -> bool:
        start = self._folded(start)
        at = bisect_left(self.known, start)
        return at < len(self.known) and self.known[at].startswith(start)


class KnownNames:
    """The places for names of the snapshots' ecosystems."""

    def __init__(self, snapshots: Mapping[Ecosystem, Snapshot]) -> None:
        self._snapshots = snapshots
        self._place = cache(self._made)

    def place(self, ref: PackageRef) -> Place | None:
        """The place where a ref stands; None where no popular names are known of its ecosystem."""
        is_module = ref.kind is RefKind.IMPORT and ref.ecosystem is Ecosystem.PYPI
        return self._place(ref.ecosystem, is_module)

    def _made(self, ecosystem: Ecosystem, is_module: bool) -> Place | None:
        snapshot = self._snapshots.get(ecosystem)
        names = snapshot.popular(POPULAR) if snapshot else []
        if not names:
            return None
        if is_module:
            roots = {module.partition(".")[0] for module in known_modules()}
            roots |= builtin_names(ecosystem) | {name.replace("-", "_") for name in names}
            return Place(_sorted(roots), _NAME[RefKind.IMPORT], folded=False)
        folded = ecosystem is Ecosystem.PYPI
        known = {canonical_name(ecosystem, name) for name in names} if folded else set(names)
        return Place(_sorted(known), _NAME[ecosystem], folded)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
