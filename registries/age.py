"""`younger-than-model`: a name first published after the model's cutoff can't have been learnt.

A model that names such a package invented the name, and somebody has registered it since. What
can't be dated isn't judged by this rule.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.snapshot import Snapshot


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
