"""A newer PyPI snapshot, made from the index's own listing.

The listing holds names only. What the present snapshot knows of downloads and of suspects is
carried over; a name that is new since then is plain, and REAL.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import httpx

from ghostbust.errors import DataError, RegistryError
from ghostbust.records import Ecosystem
from ghostbust.registries.listing import (
    Listing,
    Progress,
    Unchanged,
    Validators,
    fetch_listing,
)
from ghostbust.registries.manifest import replace_file
from ghostbust.registries.name_lists import NameRow
from ghostbust.registries.snapshot import Snapshot, build_snapshot, find_snapshot
from ghostbust.registries.transport import Patience

LEAST_KEPT = 0.9
"""share of the present snapshot's names below which a listing is taken for a cut one"""
_STATE = "registry-pypi.sync.json"


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of a sync."""

    snapshot: Snapshot
    """the one that is current now"""
    changed: bool
    """False where the index had nothing newer"""
    added: int = 0
    vanished: int = 0
    skipped: int = 0
    """entries of the listing that are no valid names"""


def sync_pypi(
    client: httpx.Client,
    url: str,
    folder: Path,
    *,
    today: date,
    progress: Progress,
    patience: Patience | None = None,
) -> Synced:
    """Makes ``folder`` hold the snapshot of the index at ``url`` as of ``today``.

    Starts from the snapshot in ``folder``, else from the one shipped along, which stays
    current until the new one is complete. Raises RegistryError where the index gives no
    usable listing, DataError or SnapshotError where files can't be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{folder}: can't be made ({exc.strerror})") from exc
    present = Snapshot.load(find_snapshot(Ecosystem.PYPI, folder))
    known = _validators(present, url, folder)
    listing = fetch_listing(client, url, folder, known=known, progress=progress, patience=patience)
    if isinstance(listing, Unchanged):
        return Synced(present, changed=False)
    if present.complete and len(listing.names) < LEAST_KEPT * len(present):
        raise RegistryError(
            f"{url}: it lists {len(listing.names):,} names, the snapshot of {present.date} has"
            f" {len(present):,}; a listing that is so much shorter is cut, or of another index"
        )
    added = sum(name not in present for name in listing.names)
    vanished = len(present) + added - len(listing.names)
    rows = _rows(listing, present)
    path = build_snapshot(rows, ecosystem=Ecosystem.PYPI, date=today, complete=True, out_dir=folder)
    made = Snapshot.load(path)
    _keep(made, url, folder, listing.validators)
    return Synced(made, True, added, vanished, listing.skipped)


def _rows(listing: Listing, present: Snapshot) -> list[NameRow]:
    """The listed names, with what the present snapshot has noted of them."""
    noted = {row.name: row for row in present.notes}
    return [noted.get(name) or NameRow(name) for name in sorted(listing.names)]


def _validators(present: Snapshot, url: str, folder: Path) -> Validators:
    """What the last sync was told, if the present snapshot is of that sync and that index."""
    try:
        state = json.loads((folder / _STATE).read_text("utf-8"))
        if state["url"] == url and state["files"] == present.manifest.files:
            return Validators(**state["validators"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # unknown or unreadable only means that the whole page is fetched
    return Validators()


def _keep(made: Snapshot, url: str, folder: Path, validators: Validators) -> None:
    """Keeps the validators beside the snapshot that they belong to."""
    state = {"url": url, "files": made.manifest.files, "validators": asdict(validators)}
    try:
        replace_file(folder / _STATE, json.dumps(state, indent=2).encode())
    except OSError as exc:
        raise DataError(f"{folder / _STATE}: can't be written ({exc.strerror})") from exc
