"""Snapshots: built, loaded, found by date; and the ones that ship with ghostbust."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ghostbust.errors import DataError, SnapshotError, UsageError
from ghostbust.records import Ecosystem, SuspectReason, Verdict
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
from ghostbust.registries.suspects import known_decoys
from tests.registries.conftest import DAY, snapshot_of

ROWS = [
    NameRow("numpy", 2),
    NameRow("requests", 1),
    NameRow("flask-cors"),
    NameRow("sklearn", 3, SuspectReason.DECOY, "scikit-learn"),
    NameRow("fakeai", None, SuspectReason.RESEARCH_SQUAT),
]


SHIPPED = find_snapshot(Ecosystem.PYPI)


def build(folder: Path) -> Path:
    return snapshot_of(folder, ROWS).path


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return snapshot_of(tmp_path, ROWS)


def test_what_a_snapshot_knows(snapshot: Snapshot) -> None:
    assert (snapshot.ecosystem, snapshot.date, snapshot.complete) == (Ecosystem.PYPI, DAY, True)
    assert len(snapshot) == len(ROWS)
    assert "Flask_CORS" in snapshot
    assert "flask" not in snapshot
    assert 7 not in snapshot
    assert snapshot.beginning("", 10) == 3, "the suspects don't count"
    assert snapshot.beginning("", 2) == 2
    assert snapshot.beginning("flask-c", 10) == 1
    assert snapshot.beginning("fake", 10) == 0
    assert snapshot.popular(1) == ["requests"]
    assert snapshot.popular(10) == ["requests", "numpy"], "by rank, without suspects"


@pytest.mark.parametrize(
    ("name", "verdict", "reason", "evidence"),
    [
        ("Requests", Verdict.REAL, "registered", "download rank 1"),
        ("flask-cors", Verdict.REAL, "registered", "in the pypi snapshot of 2026-01-02"),
        ("sklearn", Verdict.SUSPECT, SuspectReason.DECOY, "decoy, points to scikit-learn"),
        ("fakeai", Verdict.SUSPECT, SuspectReason.RESEARCH_SQUAT, "research-squat"),
        ("nope", Verdict.ABSENT, "not-registered", "not among the 5 names"),
    ],
)
def test_verdicts(
    snapshot: Snapshot, name: str, verdict: Verdict, reason: str, evidence: str
) -> None:
    lookup = snapshot.look_up(name)
    assert (lookup.name, lookup.verdict, lookup.reason) == (name.lower(), verdict, reason)
    assert evidence in lookup.evidence
    assert lookup.source == "snapshot:2026-01-02"
    assert lookup.looked_up_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_an_incomplete_snapshot_says_that_it_does_not_know(tmp_path: Path) -> None:
    lookup = snapshot_of(tmp_path, ROWS, complete=False).look_up("nope")
    assert (lookup.verdict, lookup.reason) == (Verdict.UNKNOWN, "not-in-snapshot")


def test_the_same_names_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = build(tmp_path / "one"), build(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def told(**changes: object) -> Callable[[bytes], bytes]:
    """Changes fields of a manifest."""
    return lambda text: json.dumps(json.loads(text) | changes).encode()


@pytest.mark.parametrize(
    ("suffix", "spoil", "said"),
    [
        ("marisa", None, "is missing"),
        ("tsv", None, "is missing"),
        ("json", None, "there is no such file"),
        ("marisa", lambda data: data[:-1], "bytes instead of"),
        ("tsv", lambda data: data[:-1], "bytes instead of"),
        ("marisa", lambda data: bytes(len(data)), "is no marisa trie"),
        ("json", lambda _: b"", "can't be read"),
        ("json", lambda _: b"{", "can't be read"),
        ("json", lambda _: b"[]", "its format isn't"),
        ("json", lambda _: b"null", "its format isn't"),
        ("json", told(format=99), "its format isn't"),
        ("json", told(ecosystem="cpan"), "its fields are wrong"),
        ("json", told(ecosystem="npm"), "it is of npm"),
        ("json", told(date="soon"), "its fields are wrong"),
        ("json", told(complete="yes"), "of the wrong type"),
        ("json", told(count="many"), "of the wrong type"),
        ("json", told(files={}), "doesn't name the files"),
        ("json", told(files={"registry-pypi.marisa": {}, "registry-pypi.tsv": {}}), "give size"),
        ("json", told(surplus=1), "its fields are wrong"),
    ],
)
def test_what_is_no_whole_snapshot(
    tmp_path: Path, suffix: str, spoil: Callable[[bytes], bytes] | None, said: str
) -> None:
    path = build(tmp_path)
    part = path.with_suffix(f".{suffix}")
    part.unlink() if spoil is None else part.write_bytes(spoil(part.read_bytes()))
    with pytest.raises(SnapshotError, match=f"{said}.*ghostbust registry build") as caught:
        Snapshot.load(path)
    assert "\n" not in str(caught.value)


def test_what_only_the_hash_or_reading_shows(tmp_path: Path) -> None:
    path = build(tmp_path)
    notes = path.with_suffix(".tsv")
    notes.write_bytes(notes.read_bytes().replace(b"requests", b"requestz"))
    with pytest.raises(SnapshotError, match="SHA-256"):
        Snapshot.load(path).verify()
    notes.write_bytes(b"x" * notes.stat().st_size)
    with pytest.raises(SnapshotError, match="column names"):
        Snapshot.load(path).look_up("requests")


def test_an_interrupted_build_leaves_no_snapshot(tmp_path: Path) -> None:
    path = build(tmp_path)
    # Where the manifest comes, a folder stands: the build fails at its last step.
    path.unlink()
    (tmp_path / f".{path.name}.part").mkdir()
    with pytest.raises(DataError, match="can't write the pypi snapshot"):
        build(tmp_path)
    with pytest.raises(SnapshotError, match="no such file"):
        Snapshot.load(path)


def test_an_empty_list_builds_nothing(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="empty"):
        build_snapshot([], ecosystem=Ecosystem.NPM, date=DAY, complete=False, out_dir=tmp_path)
    assert not list(tmp_path.iterdir())


# Those of other days


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three days: two kept, one in use, besides the shipped one."""
    assert find_snapshot(Ecosystem.PYPI, tmp_path) == SHIPPED
    for day in (1, 2, 3):
        if day > 1:
            keep_snapshot(Ecosystem.PYPI, tmp_path)
        own = snapshot_of(tmp_path, [f"name-{n}" for n in range(day)], day=date(2026, 1, day))
        assert find_snapshot(Ecosystem.PYPI, tmp_path) == own.path
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
    old = snapshot_of(tmp_path / "old", ["a", "b"])
    new = snapshot_of(tmp_path / "new", ["b", "c", "d"])
    assert sorted(appeared(old, new)) == ["c", "d"]
    assert sorted(appeared(new, old)) == ["a"]


# The shipped ones


@pytest.fixture(scope="module")
def pypi() -> Snapshot:
    return Snapshot.load(SHIPPED)


@pytest.fixture(scope="module")
def npm() -> Snapshot:
    return Snapshot.load(find_snapshot(Ecosystem.NPM))


def test_the_shipped_snapshots_are_intact(pypi: Snapshot, npm: Snapshot) -> None:
    for snapshot in (pypi, npm):
        snapshot.verify()
    assert (pypi.complete, npm.complete) == (True, False)
    assert len(pypi) > 800_000
    assert len(npm) > 200_000
    sizes = sum(int(part["bytes"]) for part in pypi.manifest.files.values())
    assert sizes < 5_000_000


@pytest.mark.parametrize(
    ("reason", "names"),
    [
        ("registered", ["requests", "numpy", "scikit-learn", "Django", "future"]),
        # Popular ones, whatever their summary says.
        ("registered", ["dnstwist", "pandas-profiling", "jtutils", "flux-local"]),
        ("research-squat", ["openai-gym", "caffe"]),
        ("security-holding", ["conda-token"]),
        ("decoy", ["sklearn", "bs4", "pytorch", "arcade-ai"]),
        ("placeholder", ["aws-sdk-rum"]),
        ("not-registered", ["zq-surely-not-a-package-xw", "cv2"]),
    ],
)
def test_shipped_pypi(pypi: Snapshot, reason: str, names: list[str]) -> None:
    verdict = {"registered": Verdict.REAL, "not-registered": Verdict.ABSENT}.get(reason)
    for name in names:
        found = pypi.look_up(name)
        assert (found.verdict, found.reason) == (verdict or Verdict.SUSPECT, reason)


def test_shipped_pypi_decoys_point_to_real_packages(pypi: Snapshot) -> None:
    for name, other in known_decoys(Ecosystem.PYPI).items():
        assert pypi.look_up(name).verdict is Verdict.SUSPECT
        assert other in pypi


def test_shipped_npm(npm: Snapshot) -> None:
    assert npm.look_up("react").verdict is Verdict.REAL
    assert npm.look_up("@types/node").verdict is Verdict.REAL
    assert npm.look_up("JSONStream").verdict is Verdict.REAL
    assert npm.look_up("crossenv").reason == SuspectReason.SECURITY_HOLDING
    assert npm.look_up("zq-surely-not-a-package-xw").verdict is Verdict.UNKNOWN
    assert len(npm.popular(20_000)) > 14_000
