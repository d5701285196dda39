"""Snapshots of other days: kept, found by date, compared.

::

    registry/registry-pypi.json               the one in use
    registry/2026-11-23/registry-pypi.json    one that was in use before, by the day it was taken
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path

from ghostbust.errors import DataError, UsageError
from ghostbust.records import Ecosystem
from ghostbust.registries.manifest import part, read_manifest, replace_file
from ghostbust.registries.snapshot import Snapshot, find_snapshot

_SUFFIXES = ("marisa", "tsv", "json")
"""of a snapshot's files, the manifest last: without it there is no snapshot"""


def snapshot_paths(ecosystem: Ecosystem, data_dir: Path | None) -> list[Path]:
    """The manifests of every snapshot there is, by date; of one day, the one in use last.

    Those shipped along, those kept in ``data_dir``, and the one in use there. Raises
    SnapshotError for a manifest that can't be read.
    """
    name = f"registry-{ecosystem}.json"
    places = [Path(str(files("ghostbust.data") / name))]
    if data_dir is not None:
        places += sorted(data_dir.glob(f"????-??-??/{name}"))
        places += [data_dir / name]
    there = [path for path in places if path.is_file()]
    return sorted(there, key=lambda path: read_manifest(path).date)


def snapshot_as_of(ecosystem: Ecosystem, data_dir: Path | None, as_of: date | None) -> Path | None:
    """The newest snapshot that isn't later than ``as_of``; None where all are later.

    Without a day it is the one in use.
    """
    if as_of is None:
        return find_snapshot(ecosystem, data_dir)
    paths = snapshot_paths(ecosystem, data_dir)
    taken = [path for path in paths if read_manifest(path).date <= as_of.isoformat()]
    return taken[-1] if taken else None


def keep_snapshot(ecosystem: Ecosystem, data_dir: Path) -> None:
    """Copies the snapshot in use into a folder of its day, before another takes its place.

    Also the one shipped along, since a newer ghostbust ships another. Raises DataError where
    the folder can't be written, SnapshotError for a snapshot that is damaged.
    """
    path = find_snapshot(ecosystem, data_dir)
    if not path.is_file():
        return
    kept = data_dir / read_manifest(path).date
    try:
        kept.mkdir(parents=True, exist_ok=True)
        (kept / path.name).unlink(missing_ok=True)
        for suffix in _SUFFIXES:
            source = part(path, suffix)
            replace_file(kept / source.name, source.read_bytes())
    except OSError as exc:
        raise DataError(f"{kept}: can't keep the {ecosystem} snapshot ({exc.strerror})") from exc


def named_snapshot(named: str, ecosystem: Ecosystem, data_dir: Path | None) -> Snapshot:
    """The snapshot of a day (YYYY-MM-DD), or whose manifest or folder is at that path.

    Raises UsageError where there is neither, SnapshotError for one that can't be used.
    """
    place = Path(named).expanduser()
    if place.is_dir():
        place = place / f"registry-{ecosystem}.json"
    if place.is_file():
        return Snapshot.load(place)
    paths = {read_manifest(path).date: path for path in snapshot_paths(ecosystem, data_dir)}
    if named not in paths:
        raise UsageError(
            f"{named}: no path, and no day of an {ecosystem} snapshot; there are those of"
            f" {', '.join(paths)}"
        )
    return Snapshot.load(paths[named])


def appeared(old: Snapshot, new: Snapshot) -> Iterator[str]:
    """The names of ``new`` that ``old`` doesn't hold; the other way round, those that vanished."""
    return (name for name in new if name not in old)
