"""A newer snapshot: PyPI's from the index's own listing, npm's from a package that lists names.

A listing holds names only. What the present snapshot knows of downloads and of suspects is
carried over; a name that is new since then is plain, and REAL.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import httpx

from ghostbust.errors import DataError, RegistryError
from ghostbust.parsing import parse_json
from ghostbust.records import Ecosystem
from ghostbust.registries.history import keep_snapshot
from ghostbust.registries.large_answers import Progress, Unchanged
from ghostbust.registries.listing import Validators, fetch_listing
from ghostbust.registries.manifest import replace_file
from ghostbust.registries.name_lists import NameRow
from ghostbust.registries.npm_names import fetch_npm_names
from ghostbust.registries.snapshot import Snapshot, build_snapshot, find_snapshot
from ghostbust.registries.transport import Patience

LEAST_KEPT = 0.9
"""share of the present snapshot's names below which a listing is taken for a cut one"""
_TOLD = ("etag", "last_modified", "version")


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
    present = _present(Ecosystem.PYPI, folder)
    known = Validators(**_state(present, url, folder))
    listing = fetch_listing(client, url, folder, known=known, progress=progress, patience=patience)
    if isinstance(listing, Unchanged):
        return Synced(present, changed=False)
    done = _replace(present, listing.names, folder, url, day=today, complete=True)
    _note(done.snapshot, url, folder, asdict(listing.validators))
    return replace(done, skipped=listing.skipped)


def sync_npm(
    client: httpx.Client,
    url: str,
    folder: Path,
    *,
    package: str,
    complete: bool,
    today: date,
    progress: Progress,
    patience: Patience | None = None,
) -> Synced:
    """Makes ``folder`` hold the snapshot of the names that ``package`` lists.

    Its day is that on which the package was last published, at most ``today``. ``complete``:
    what the package doesn't list is absent. Else as `sync_pypi`.
    """
    present = _present(Ecosystem.NPM, folder)
    state = _state(present, f"{url} {package}", folder)
    version = state.get("version", "") if present.complete is complete else ""
    found = fetch_npm_names(
        client, url, folder, package=package, known_version=version, progress=progress,
        patience=patience,
    )  # fmt: skip
    if isinstance(found, Unchanged):
        return Synced(present, changed=False)
    day = min(found.published or today, today)
    done = _replace(present, found.names, folder, url, day=day, complete=complete)
    _note(done.snapshot, f"{url} {package}", folder, {"version": found.version})
    return replace(done, skipped=found.skipped)


def _present(ecosystem: Ecosystem, folder: Path) -> Snapshot:
    """The snapshot in use; makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{folder}: can't be made ({exc.strerror})") from exc
    return Snapshot.load(find_snapshot(ecosystem, folder))


def _replace(
    present: Snapshot, names: frozenset[str], folder: Path, url: str, *, day: date, complete: bool
) -> Synced:
    """The new snapshot in the place of the present one, which is kept in a folder of its day."""
    # An incomplete snapshot of PyPI may be of another index; npm's holds the popular names.
    counts = present.complete or present.ecosystem is Ecosystem.NPM
    if counts and len(names) < LEAST_KEPT * len(present):
        raise RegistryError(
            f"{url}: it lists {len(names):,} names, the snapshot of {present.date} has"
            f" {len(present):,}; a listing that is so much shorter is cut, or of another index"
        )
    added = sum(name not in present for name in names)
    vanished = len(present) + added - len(names)
    keep_snapshot(present.ecosystem, folder)
    path = build_snapshot(
        _rows(names, present),
        ecosystem=present.ecosystem,
        date=day,
        complete=complete,
        out_dir=folder,
    )
    return Synced(Snapshot.load(path), True, added, vanished)


def _rows(names: frozenset[str], present: Snapshot) -> list[NameRow]:
    """The listed names, with what the present snapshot has noted of them."""
    noted = {row.name: row for row in present.notes}
    return [noted.get(name) or NameRow(name) for name in sorted(names)]


def _state(present: Snapshot, source: str, folder: Path) -> dict[str, str]:
    """What the last sync was told, if the present snapshot is of that sync and that source."""
    try:
        state = parse_json(_state_file(present.ecosystem, folder).read_text("utf-8"))
        if state["url"] == source and state["files"] == present.manifest.files:
            told: dict[str, str] = state["validators"]
            return {key: told[key] for key in told if key in _TOLD}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # unknown or unreadable only means that everything is fetched
    return {}


def _note(made: Snapshot, source: str, folder: Path, told: dict[str, str]) -> None:
    """Keeps what was told beside the snapshot that it belongs to."""
    state = {"url": source, "files": made.manifest.files, "validators": told}
    file = _state_file(made.ecosystem, folder)
    try:
        replace_file(file, json.dumps(state, indent=2).encode())
    except OSError as exc:
        raise DataError(f"{file}: can't be written ({exc.strerror})") from exc


def _state_file(ecosystem: Ecosystem, folder: Path) -> Path:
    return folder / f"registry-{ecosystem}.sync.json"
