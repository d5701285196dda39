"""A newer snapshot from the index's listing, or the old one and an error."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import DataError, RegistryError
from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.registries.sync import Synced, sync_pypi
from ghostbust.registries.transport import Patience

URL = "https://index.example.test/simple"
DAY = date(2026, 2, 3)
ROWS = [NameRow("pip", 1), NameRow("sklearn", 2, SuspectReason.DECOY, "scikit-learn")]
ROWS += [NameRow(f"plain-{number}") for number in range(10)]
NAMES = [row.name for row in ROWS]


class Index:
    """An index that lists ``names`` and answers 304 to whoever knows its ETag."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.asked_if: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        known = request.headers.get("If-None-Match")
        self.asked_if.append(known)
        if known == '"e"':
            return httpx.Response(304)
        page = {"meta": {"api-version": "1.0"}, "projects": [{"name": n} for n in self.names]}
        headers = {"Content-Type": "application/vnd.pypi.simple.v1+json", "ETag": '"e"'}
        return httpx.Response(200, content=json.dumps(page), headers=headers)


def sync(index: Index, folder: Path, url: str = URL) -> Synced:
    with httpx.Client(transport=httpx.MockTransport(index)) as client:
        return sync_pypi(
            client, url, folder, today=DAY, progress=lambda _done, _total: None,
            patience=Patience(attempts=1),
        )  # fmt: skip


def build(folder: Path, *, complete: bool = True) -> Snapshot:
    path = build_snapshot(
        ROWS, ecosystem=Ecosystem.PYPI, date=date(2026, 1, 2), complete=complete, out_dir=folder
    )
    return Snapshot.load(path)


def test_a_newer_snapshot(tmp_path: Path) -> None:
    build(tmp_path)
    done = sync(Index([*NAMES[:-1], "Brand_New"]), tmp_path)
    assert (done.changed, done.added, done.vanished, done.skipped) == (True, 1, 1, 0)
    made = Snapshot.load(tmp_path / "registry-pypi.json")
    made.verify()
    assert (made.date, made.complete, len(made)) == (DAY, True, len(NAMES))
    assert "brand-new" in made
    assert NAMES[-1] not in made


def test_ranks_and_suspects_are_carried_over(tmp_path: Path) -> None:
    build(tmp_path)
    made = sync(Index(NAMES), tmp_path).snapshot
    assert made.popular(9) == ["pip"]
    assert (made.look_up("sklearn").reason, made.manifest.suspects) == ("decoy", 1)
    assert "scikit-learn" in made.look_up("sklearn").evidence


def test_an_unchanged_index(tmp_path: Path) -> None:
    build(tmp_path)
    index = Index(NAMES)
    first = sync(index, tmp_path)
    second = sync(index, tmp_path)
    assert index.asked_if == [None, '"e"']
    assert not second.changed
    assert second.snapshot.manifest == first.snapshot.manifest


def test_another_index_is_asked_for_all_of_its_names(tmp_path: Path) -> None:
    build(tmp_path)
    index = Index(NAMES)
    sync(index, tmp_path)
    sync(index, tmp_path, "https://other.example.test/simple")
    assert index.asked_if == [None, None]


def test_a_snapshot_built_since_then_is_asked_for_anew(tmp_path: Path) -> None:
    build(tmp_path)
    index = Index([*NAMES, "brand-new"])
    sync(index, tmp_path)
    build(tmp_path)
    assert sync(index, tmp_path).changed
    assert index.asked_if == [None, None]


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"url": 1'])
def test_a_damaged_note_of_the_last_sync_costs_a_fetch_only(tmp_path: Path, state: str) -> None:
    build(tmp_path)
    index = Index(NAMES)
    sync(index, tmp_path)
    (tmp_path / "registry-pypi.sync.json").write_text(state)
    assert sync(index, tmp_path).changed


def test_a_listing_that_is_far_too_short_changes_nothing(tmp_path: Path) -> None:
    before = build(tmp_path)
    with pytest.raises(RegistryError, match="3 names"):
        sync(Index(NAMES[:3]), tmp_path)
    after = Snapshot.load(tmp_path / "registry-pypi.json")
    after.verify()
    assert after.manifest == before.manifest


def test_an_incomplete_snapshot_sets_no_least_number(tmp_path: Path) -> None:
    build(tmp_path, complete=False)
    assert len(sync(Index(NAMES[:3]), tmp_path).snapshot) == 3


def test_without_one_in_the_folder_it_starts_from_the_shipped_one(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="886,323"):
        sync(Index(NAMES), tmp_path / "new")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can't be made"):
        sync(Index(NAMES), tmp_path / "file" / "registry")
