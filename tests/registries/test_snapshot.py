"""Building and loading snapshots, and the ones that ship with ghostbust."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ghostbust.errors import DataError, SnapshotError
from ghostbust.records import Ecosystem, SuspectReason, Verdict
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot, find_snapshot
from ghostbust.registries.suspects import known_decoys

DAY = date(2026, 1, 2)
ROWS = [
    NameRow("numpy", 2),
    NameRow("requests", 1),
    NameRow("flask-cors"),
    NameRow("sklearn", 3, SuspectReason.DECOY, "scikit-learn"),
    NameRow("fakeai", None, SuspectReason.RESEARCH_SQUAT),
]


def build(folder: Path, *, complete: bool = True) -> Path:
    return build_snapshot(
        ROWS, ecosystem=Ecosystem.PYPI, date=DAY, complete=complete, out_dir=folder
    )


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return Snapshot.load(build(tmp_path))


def test_what_a_snapshot_knows(snapshot: Snapshot) -> None:
    assert (snapshot.ecosystem, snapshot.date, snapshot.complete) == (Ecosystem.PYPI, DAY, True)
    assert len(snapshot) == len(ROWS)
    assert "Flask_CORS" in snapshot
    assert "flask" not in snapshot
    assert 7 not in snapshot


def test_real(snapshot: Snapshot) -> None:
    lookup = snapshot.look_up("Requests")
    assert (lookup.name, lookup.verdict, lookup.reason) == ("requests", Verdict.REAL, "registered")
    assert lookup.source == "snapshot:2026-01-02"
    assert lookup.looked_up_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert "rank 1" in lookup.evidence


def test_suspects_say_why_and_what_instead(snapshot: Snapshot) -> None:
    decoy, squat = snapshot.look_up("sklearn"), snapshot.look_up("fakeai")
    assert (decoy.verdict, decoy.reason) == (Verdict.SUSPECT, SuspectReason.DECOY)
    assert "scikit-learn" in decoy.evidence
    assert (squat.verdict, squat.reason) == (Verdict.SUSPECT, SuspectReason.RESEARCH_SQUAT)


def test_a_complete_snapshot_says_no(snapshot: Snapshot) -> None:
    lookup = snapshot.look_up("nope")
    assert (lookup.verdict, lookup.reason) == (Verdict.ABSENT, "not-registered")


def test_an_incomplete_snapshot_says_that_it_does_not_know(tmp_path: Path) -> None:
    lookup = Snapshot.load(build(tmp_path, complete=False)).look_up("nope")
    assert (lookup.verdict, lookup.reason) == (Verdict.UNKNOWN, "not-in-snapshot")


def test_popular_names_by_rank_without_suspects(snapshot: Snapshot) -> None:
    assert snapshot.popular(1) == ["requests"]
    assert snapshot.popular(10) == ["requests", "numpy"]


def test_the_same_names_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = build(tmp_path / "one"), build(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("suffix", ["marisa", "tsv", "json"])
def test_a_missing_file(tmp_path: Path, suffix: str) -> None:
    path = build(tmp_path)
    path.with_suffix(f".{suffix}").unlink()
    with pytest.raises(SnapshotError, match="ghostbust registry build") as caught:
        Snapshot.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["marisa", "tsv"])
def test_a_cut_file(tmp_path: Path, suffix: str) -> None:
    path = build(tmp_path)
    part = path.with_suffix(f".{suffix}")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(SnapshotError, match="bytes instead of"):
        Snapshot.load(path)


def test_another_file_in_place_of_the_trie(tmp_path: Path) -> None:
    path = build(tmp_path)
    trie = path.with_suffix(".marisa")
    trie.write_bytes(b"\0" * trie.stat().st_size)
    with pytest.raises(SnapshotError, match="no marisa trie"):
        Snapshot.load(path)


def test_load_trusts_what_only_the_hash_shows_and_verify_does_not(tmp_path: Path) -> None:
    path = build(tmp_path)
    notes = path.with_suffix(".tsv")
    notes.write_bytes(notes.read_bytes().replace(b"requests", b"requestz"))
    snapshot = Snapshot.load(path)
    with pytest.raises(SnapshotError, match="SHA-256"):
        snapshot.verify()


def test_verify_passes_an_intact_one(snapshot: Snapshot) -> None:
    snapshot.verify()


def test_damaged_notes_are_reported_when_they_are_read(tmp_path: Path) -> None:
    path = build(tmp_path)
    notes = path.with_suffix(".tsv")
    notes.write_bytes(b"x" * notes.stat().st_size)
    with pytest.raises(SnapshotError, match="column names"):
        Snapshot.load(path).look_up("requests")


@pytest.mark.parametrize(
    ("field", "value"),
    [("format", 99), ("ecosystem", "cpan"), ("ecosystem", "npm"), ("date", "soon"),
     ("complete", "yes"), ("count", "many"), ("files", {}),
     ("files", {"registry-pypi.marisa": {}, "registry-pypi.tsv": {}}), ("surplus", 1)],
)  # fmt: skip
def test_a_manifest_that_says_nonsense(tmp_path: Path, field: str, value: object) -> None:
    path = build(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(SnapshotError, match="ghostbust registry build"):
        Snapshot.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    path = build(tmp_path)
    path.write_text(text)
    with pytest.raises(SnapshotError, match="ghostbust registry build"):
        Snapshot.load(path)


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


def test_the_own_snapshot_comes_before_the_shipped_one(tmp_path: Path) -> None:
    shipped = find_snapshot(Ecosystem.PYPI, tmp_path)
    assert shipped.parent.name == "data"
    own = build(tmp_path)
    assert find_snapshot(Ecosystem.PYPI, tmp_path) == own


@pytest.fixture(scope="module")
def pypi() -> Snapshot:
    return Snapshot.load(find_snapshot(Ecosystem.PYPI))


@pytest.fixture(scope="module")
def npm() -> Snapshot:
    return Snapshot.load(find_snapshot(Ecosystem.NPM))


def test_the_shipped_snapshots_are_intact(pypi: Snapshot, npm: Snapshot) -> None:
    pypi.verify()
    npm.verify()
    assert (pypi.complete, npm.complete) == (True, False)
    assert len(pypi) > 800_000
    assert len(npm) > 200_000
    sizes = sum(int(part["bytes"]) for part in pypi.manifest.files.values())
    assert sizes < 5_000_000


@pytest.mark.parametrize("name", ["requests", "numpy", "scikit-learn", "Django", "future"])
def test_shipped_pypi_real(pypi: Snapshot, name: str) -> None:
    assert pypi.look_up(name).verdict is Verdict.REAL


@pytest.mark.parametrize("name", ["dnstwist", "pandas-profiling", "jtutils", "flux-local"])
def test_shipped_pypi_popular_ones_are_real_whatever_their_summary(
    pypi: Snapshot, name: str
) -> None:
    assert pypi.look_up(name).verdict is Verdict.REAL


@pytest.mark.parametrize(
    ("name", "reason"),
    [("openai-gym", "research-squat"), ("caffe", "research-squat"),
     ("conda-token", "security-holding"), ("sklearn", "decoy"), ("bs4", "decoy"),
     ("pytorch", "decoy"), ("arcade-ai", "decoy"), ("aws-sdk-rum", "placeholder")],
)  # fmt: skip
def test_shipped_pypi_suspects(pypi: Snapshot, name: str, reason: str) -> None:
    lookup = pypi.look_up(name)
    assert (lookup.verdict, lookup.reason) == (Verdict.SUSPECT, reason)


def test_shipped_pypi_absent(pypi: Snapshot) -> None:
    assert pypi.look_up("zq-surely-not-a-package-xw").verdict is Verdict.ABSENT
    assert pypi.look_up("cv2").verdict is Verdict.ABSENT


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
