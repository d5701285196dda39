"""Snapshots of other days are kept whole, and found by date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.errors import DataError, UsageError
from ghostbust.records import Ecosystem
from ghostbust.registries.snapshot import (
    NameRow,
    Snapshot,
    appeared,
    build_snapshot,
    find_snapshot,
    keep_snapshot,
    named_snapshot,
    snapshot_as_of,
    snapshot_paths,
)

SHIPPED = find_snapshot(Ecosystem.PYPI)


def build(folder: Path, day: date, *names: str) -> Path:
    rows = [NameRow(name) for name in names]
    return build_snapshot(rows, ecosystem=Ecosystem.PYPI, date=day, complete=True, out_dir=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three days: two kept, one in use, besides the one shipped along."""
    for day in (1, 2, 3):
        if day > 1:
            keep_snapshot(Ecosystem.PYPI, tmp_path)
        build(tmp_path, date(2026, 1, day), *(f"name-{n}" for n in range(day)))
    return tmp_path


def days(paths: list[Path]) -> list[str]:
    return [Snapshot.load(path).manifest.date for path in paths]


def test_all_are_found_by_date(folder: Path) -> None:
    paths = snapshot_paths(Ecosystem.PYPI, folder)
    assert days(paths) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-11-23"]
    assert paths[-1] == SHIPPED
    assert snapshot_paths(Ecosystem.PYPI, None) == [SHIPPED]


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), "2026-01-01"),
        (date(2026, 1, 2), "2026-01-02"),
        (date(2026, 5, 5), "2026-01-03"),
        (date(2026, 11, 23), "2026-11-23"),
        (None, "2026-01-03"),
    ],
)
def test_the_newest_that_is_not_later(folder: Path, day: date | None, found: str | None) -> None:
    path = snapshot_as_of(Ecosystem.PYPI, folder, day)
    assert (path and Snapshot.load(path).manifest.date) == found


def test_what_is_kept_is_whole(folder: Path) -> None:
    kept = Snapshot.load(folder / "2026-01-02" / "registry-pypi.json")
    kept.verify()
    assert sorted(kept) == ["name-0", "name-1"]


def test_the_shipped_one_is_kept_too(tmp_path: Path) -> None:
    keep_snapshot(Ecosystem.PYPI, tmp_path / "registry")
    kept = Snapshot.load(tmp_path / "registry" / "2026-11-23" / "registry-pypi.json")
    assert kept.manifest == Snapshot.load(SHIPPED).manifest


def test_a_lost_one_is_replaced_by_the_newest_kept(folder: Path) -> None:
    (folder / "registry-pypi.json").unlink()
    assert Snapshot.load(find_snapshot(Ecosystem.PYPI, folder)).manifest.date == "2026-01-02"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "2026-11-23").write_text("in the way")
    with pytest.raises(DataError, match="can't keep the pypi snapshot"):
        keep_snapshot(Ecosystem.PYPI, tmp_path)


def test_named_by_day_and_by_path(folder: Path) -> None:
    assert len(named_snapshot("2026-01-02", Ecosystem.PYPI, folder)) == 2
    for path in (folder, folder / "registry-pypi.json"):
        assert len(named_snapshot(str(path), Ecosystem.PYPI, None)) == 3
    with pytest.raises(UsageError, match="those of 2026-01-01, 2026-01-02, 2026-01-03"):
        named_snapshot("yesterday", Ecosystem.PYPI, folder)


def test_what_appeared_and_what_vanished(tmp_path: Path) -> None:
    old = Snapshot.load(build(tmp_path / "old", date(2026, 1, 1), "a", "b"))
    new = Snapshot.load(build(tmp_path / "new", date(2026, 1, 2), "b", "c", "d"))
    assert sorted(appeared(old, new)) == ["c", "d"]
    assert sorted(appeared(new, old)) == ["a"]
