"""Names and package refs in, verdicts out: the one door to the registries.

The order, for a name: built in; not a possible name; snapshot; cache; live. For a ref:
built in; what its flags say; the verdict on its name; what that means for an import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from ghostbust.errors import SnapshotError
from ghostbust.records import (
    ASKED,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    SuspectReason,
    Verdict,
    utc_now,
)
from ghostbust.registries.asking import LiveLookups, LookupCache
from ghostbust.registries.builtins import builtin_names
from ghostbust.registries.import_guess import judge_import
from ghostbust.registries.names import canonical_name, plain_test
from ghostbust.registries.rules import settle_name, settle_ref
from ghostbust.registries.snapshot import Snapshot, find_snapshot

# What only a summary tells, and the live answers have no summary.
_ONLY_IN_SNAPSHOT = (
    SuspectReason.DECOY,
    SuspectReason.PLACEHOLDER,
    SuspectReason.RESEARCH_SQUAT,
    SuspectReason.SECURITY_HOLDING,
)


class Mode(StrEnum):
    """Who is asked."""

    SNAPSHOT = "snapshot"
    """the snapshot only; no network"""
    LIVE = "live"
    """the live registry only, unless it was asked a short while ago"""
    AUTO = "auto"
    """the snapshot, and the live registry for what the snapshot doesn't know"""


class Judge:
    """Says what is real. Made by `default_judge`, or from its parts in a test.

    Synchronous; must not be called from inside a running event loop. May be called from
    several threads if its cache may.
    """

    def __init__(
        self,
        mode: Mode,
        *,
        snapshots: Mapping[Ecosystem, Snapshot],
        live: LiveLookups | None = None,
    ) -> None:
        if (mode is Mode.SNAPSHOT) != (live is None):
            raise ValueError(f"mode {mode} {'takes no' if live else 'needs'} live registries")
        self.mode = mode
        """who is asked"""
        self.snapshots = snapshots
        """what is loaded, in every mode: `Snapshot.popular` and the dates are there"""
        self.dates = {str(eco): snapshot.date.isoformat() for eco, snapshot in snapshots.items()}
        """ecosystem to the day its snapshot was taken, as ISO 8601"""
        self._live = live

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections, if there are any."""
        if self._live is not None:
            self._live.close()

    def names(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, Lookup]:
        """The verdict on each name, under the spelling it was given in.

        A registry that can't be asked gives UNKNOWN, reason ``unreachable``. Raises
        SnapshotError in snapshot mode where the ecosystem has no snapshot.
        """
        distinct = dict.fromkeys(names)
        is_plain, builtin = plain_test(ecosystem), builtin_names(ecosystem)
        wanted = [name for name in distinct if is_plain(name) and name not in builtin]
        if len(wanted) == len(distinct):
            return self._look_up(ecosystem, wanted)
        easy, now = set(wanted), utc_now()
        canonical = {n: n if n in easy else canonical_name(ecosystem, n) for n in distinct}
        settled = {
            name: verdict
            for name in canonical.values()
            if name not in easy and (verdict := settle_name(ecosystem, name, now))
        }
        unsettled = [name for name in dict.fromkeys(canonical.values()) if name not in settled]
        verdicts = settled | self._look_up(ecosystem, unsettled)
        return {name: verdicts[canonical[name]] for name in distinct}

    def refs(self, refs: Sequence[PackageRef]) -> list[Judged]:
        """Each ref with its verdict, in the order given; a name is looked up once."""
        now = utc_now()
        settled = [settle_ref(ref, now) for ref in refs]
        pairs = list(zip(refs, settled, strict=True))
        found = {
            ecosystem: self.names(
                ecosystem,
                [s for ref, s in pairs if isinstance(s, str) and ref.ecosystem is ecosystem],
            )
            for ecosystem in {ref.ecosystem for ref in refs}
        }
        return [
            Judged(
                ref,
                judge_import(ref, found[ref.ecosystem][s], self.snapshots.get(ref.ecosystem))
                if isinstance(s, str)
                else s,
            )
            for ref, s in pairs
        ]

    def _look_up(self, ecosystem: Ecosystem, names: Sequence[str]) -> dict[str, Lookup]:
        """The verdict on each canonical name that isn't built in, by the mode's sources."""
        snapshot = self.snapshots.get(ecosystem)
        if self._live is None:
            if snapshot is None and names:
                raise SnapshotError(
                    f"there is no {ecosystem} snapshot; build one with `ghostbust registry build`"
                )
            found = snapshot.look_up_all(names) if snapshot else ()
            return dict(zip(names, found, strict=True))
        known: dict[str, Lookup] = {}
        if self.mode is Mode.AUTO and snapshot is not None:
            known = {
                lookup.name: lookup
                for lookup in snapshot.look_up_all(names)
                if lookup.verdict is not Verdict.UNKNOWN
            }
        if to_ask := [name for name in names if name not in known]:
            for name, lookup in self._live.look_up(ecosystem, to_ask).items():
                known[name] = self._with_summary(lookup)
        return {name: known[name] for name in names}

    def _with_summary(self, live: Lookup) -> Lookup:
        """The live verdict, made SUSPECT where the snapshot knows the name for a fake."""
        snapshot = self.snapshots.get(live.ecosystem)
        if live.verdict is not Verdict.REAL or snapshot is None:
            return live
        noted = snapshot.look_up(live.name)
        if noted.reason not in _ONLY_IN_SNAPSHOT:
            return live
        evidence = f"{live.evidence}; {noted.evidence}"
        return replace(live, verdict=Verdict.SUSPECT, reason=noted.reason, evidence=evidence)


def default_judge(
    mode: Mode, *, cache: LookupCache | None = None, data_dir: Path | None = None
) -> Judge:
    """The judge for this machine: its snapshots, its pip and npm configuration.

    ``data_dir``: folder of snapshots that come before those shipped along. ``cache`` serves
    live verdicts only. Raises SnapshotError for a damaged snapshot, ConfigError for pip or
    npm settings that can't be used. Close it, or use it in a ``with``.
    """
    snapshots = {eco: Snapshot.load(find_snapshot(eco, data_dir)) for eco in ASKED}
    if mode is Mode.SNAPSHOT:
        return Judge(mode, snapshots=snapshots)
    # Imported here: a snapshot needs no HTTP client, which takes 0.3 s to load.
    from ghostbust.registries.live import live_registries, open_client

    client = open_client()
    live = LiveLookups(live_registries(client), cache=cache, on_close=client.aclose)
    return Judge(mode, snapshots=snapshots, live=live)
