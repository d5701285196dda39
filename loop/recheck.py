"""RECHECK: invented names are looked up again. One that is registered now was likely squatted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.judge import Judge, Mode
from ghostbust.store import Store


def recheck(store: Store, judge: Judge, *, before: datetime, limit: int) -> list[Lookup]:
    """Today's verdict on invented names that no registry was asked about since ``before``.

    At most ``limit`` names, those never asked about first. A name that is registered now is
    marked `claimed` in the ledger: it stays an invention and never counts as cured. UNKNOWN
    changes nothing, so the name comes again next time.

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
            if lookup.verdict is Verdict.UNKNOWN:
                continue
            # Also what needed no asking, such as an impossible name: it would stay due for ever.
            store.lookups.put_lookup(lookup)
            if is_registered(lookup):
                store.ledger.mark_claimed(lookup.ecosystem, lookup.name, lookup.looked_up_at)
    return verdicts


def is_registered(lookup: Lookup) -> bool:
    """True where the registry holds the name, whatever is behind it."""
    return lookup.verdict in (Verdict.REAL, Verdict.SUSPECT)


def _by_ecosystem(names: Iterable[tuple[Ecosystem, str]]) -> dict[Ecosystem, list[str]]:
    groups: dict[Ecosystem, list[str]] = {}
    for ecosystem, name in names:
        groups.setdefault(ecosystem, []).append(name)
    return groups
