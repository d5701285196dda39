"""RECHECK: invented names are looked up again. One that is registered now was likely squatted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.errors import RegistryError, UsageError
from ghostbust.loop.alarms import tell_alarms
from ghostbust.loop.session import Session
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.interface import Origin
from ghostbust.registries.judge import Judge, Mode
from ghostbust.store import Store

AT_ONCE: Final = 20
"""names between two looks whether to stop; a few seconds at the registries' rate limit"""
MOST: Final = 500
"""names in one recheck; the others are due first the next time"""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What a recheck found."""

    verdicts: tuple[Lookup, ...]
    told: int
    """alarms that reached somebody, older ones included"""

    @property
    def claimed(self) -> list[Lookup]:
        """The names that are registered now."""
        return [lookup for lookup in self.verdicts if is_registered(lookup)]

    @property
    def unknown(self) -> list[Lookup]:
        """The names that could not be asked for."""
        return [lookup for lookup in self.verdicts if lookup.verdict is Verdict.UNKNOWN]


def recheck_due(
    session: Session,
    *,
    before: datetime,
    most: int = MOST,
    at_portion: Callable[[], None] = lambda: None,
) -> Rechecked:
    """Rechecks, in portions, what no registry was asked about since ``before``; then tells of it.

    Ends after ``most`` names, or with the portion in which one could not be asked for.
    ``at_portion`` is called before each portion, and may raise.
    """
    verdicts: list[Lookup] = []
    while len(verdicts) < most:
        at_portion()
        limit = min(AT_ONCE, most - len(verdicts))
        found = recheck(session.store, session.judge, before=before, limit=limit)
        verdicts += found
        if len(found) < limit or any(lookup.verdict is Verdict.UNKNOWN for lookup in found):
            break
    return Rechecked(tuple(verdicts), tell_alarms(session.store, session.config.alarm))


def recheck(store: Store, judge: Judge, *, before: datetime, limit: int) -> list[Lookup]:
    """Today's verdict on invented names that no registry was asked about since ``before``.

    At most ``limit`` names, those never asked about first. A name that is registered now is
    marked `claimed` in the ledger, with an alarm that says by whom and since when: it stays an
    invention and never counts as cured. UNKNOWN changes nothing, so the name comes again next
    time.

    Raises UsageError for a judge that isn't live: a snapshot that says "no" is not asked again.
    """
    if judge.mode is not Mode.LIVE:
        raise UsageError(
            f"in mode {judge.mode} nobody can tell which names were registered since; ask live"
        )
    verdicts = []
    for ecosystem, names in _by_ecosystem(store.ledger.recheck_names(before, limit)).items():
        for lookup in judge.names(ecosystem, names).values():
            verdicts.append(lookup)
            note(store, judge, lookup)
    return verdicts


def note(store: Store, judge: Judge, lookup: Lookup) -> None:
    """Notes what a live registry says of an invented name; UNKNOWN changes nothing."""
    if lookup.verdict is Verdict.UNKNOWN:
        return
    if is_registered(lookup):
        origin = _origin(judge, lookup)
        store.ledger.mark_claimed(
            lookup.ecosystem,
            lookup.name,
            lookup.looked_up_at,
            first_released=origin.first_released,
            uploader=origin.uploader,
            evidence=origin.evidence,
        )
    # Also what needed no asking, such as an impossible name: it would stay due for ever.
    store.lookups.put_lookup(lookup)


def _origin(judge: Judge, lookup: Lookup) -> Origin:
    """Who published it and when; what the look-up told where the registry doesn't tell more."""
    try:
        return judge.origin(lookup.ecosystem, lookup.name)
    except RegistryError:
        return Origin(lookup.first_released, "", lookup.evidence)


def is_registered(lookup: Lookup) -> bool:
    """True where the registry holds the name, whatever is behind it."""
    return lookup.verdict in (Verdict.REAL, Verdict.SUSPECT)


def _by_ecosystem(names: Iterable[tuple[Ecosystem, str]]) -> dict[Ecosystem, list[str]]:
    groups: dict[Ecosystem, list[str]] = {}
    for ecosystem, name in names:
        groups.setdefault(ecosystem, []).append(name)
    return groups
