"""Each check of `ghostbust doctor`, sound and broken."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ghostbust.cli import doctor as checks
from ghostbust.cli.doctor import Level
from ghostbust.config import Config
from ghostbust.errors import EndpointError, ModelError, SnapshotError
from ghostbust.gates import layers
from ghostbust.home import Home
from ghostbust.records import Ecosystem
from ghostbust.registries.snapshot import NameRow, build_snapshot
from ghostbust.sections import ModelSection
from ghostbust.store.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def installed(folder: Path, requirement: str) -> None:
    """Makes an installed distribution ``made-up`` that requires something."""
    made = folder / "made_up-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(f"Name: made-up\nVersion: 1\nRequires-Dist: {requirement}\n")


@pytest.mark.parametrize(
    ("requirement", "level", "said"),
    [
        ("rich>=1", Level.OK, "all 1"),
        ("rich>=9999", Level.FAIL, "not >=9999"),
        ("no-such-library-at-all", Level.FAIL, "is missing"),
        ("no-such-library-at-all; extra == 'test'", Level.OK, "all 0"),
    ],
)
def test_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirement: str, level: Level, said: str
) -> None:
    installed(tmp_path, requirement)
    monkeypatch.syspath_prepend(tmp_path)
    found = checks.check_libraries("made-up")
    assert found.level is level
    assert said in found.said


def test_libraries_of_a_folder_that_is_not_installed() -> None:
    assert checks.check_libraries("no-such-distribution-at-all").level is Level.WARN


def test_clock() -> None:
    assert checks.check_clock(datetime(2027, 1, 1, tzinfo=UTC)).level is Level.OK
    behind = checks.check_clock(datetime(1970, 1, 1, tzinfo=UTC))
    assert behind.level is Level.FAIL
    assert "1970-01-01" in behind.said


def test_sandbox_names_its_layers() -> None:
    finding = checks.check_sandbox(())
    assert "judge apart" in finding.said
    assert "a verdict rests on judge apart, no looking into the gate, " in finding.said
    assert finding.level is (Level.WARN if "missing: " in finding.said else Level.OK)


def test_sandbox_with_fewer_layers_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "find_layers", lambda: dict.fromkeys(layers.PROBES, False))
    finding = checks.check_sandbox(("no network",))
    assert finding.level is Level.FAIL
    assert "install bubblewrap" in finding.todo
    unasked = checks.check_sandbox(())
    assert unasked.level is Level.WARN
    assert "isn't promised: a wrong program doesn't pass; nothing is sent; " in unasked.todo


@pytest.mark.parametrize("fast", [True, False])
def test_accelerator(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("ghostbust.models.load.multiplies_bfloat16", lambda: fast)
    found = checks.check_accelerator()
    assert found.level is Level.OK
    assert ("no instructions for bf16" in found.said) is not fast


def test_store(home: Home) -> None:
    assert "none yet" in checks.check_store(home).said
    Store.open(home.database).close()
    assert checks.check_store(home).said.startswith(str(home.database))


@pytest.mark.parametrize(
    ("free", "level"), [(10**10, Level.OK), (10**9, Level.WARN), (10**6, Level.FAIL)]
)
def test_disk(home: Home, free: int, level: Level) -> None:
    assert checks.check_disk(home, free).level is level


def test_disk_of_this_machine(home: Home) -> None:
    assert str(home.path) in checks.check_disk(home).said


@pytest.mark.parametrize(
    ("ecosystem", "command"), [(Ecosystem.PYPI, "sync"), (Ecosystem.NPM, "build")]
)
def test_an_old_snapshot(home: Home, ecosystem: Ecosystem, command: str) -> None:
    found = checks.check_snapshot(ecosystem, home, datetime(2030, 1, 1, tzinfo=UTC))
    assert found.level is Level.WARN
    assert f"ghostbust registry {command}" in found.todo
    fresh = checks.check_snapshot(ecosystem, home, datetime(2026, 12, 1, tzinfo=UTC))
    assert fresh.level is Level.OK


def test_a_changed_snapshot(home: Home) -> None:
    path = build_snapshot(
        [NameRow("a", 1)],
        ecosystem=Ecosystem.PYPI,
        date=date(2026, 1, 2),
        complete=True,
        out_dir=home.registry,
    )
    notes = path.with_name("registry-pypi.tsv")
    notes.write_text(notes.read_text().replace("a\t1", "b\t1"))
    with pytest.raises(SnapshotError):
        checks.check_snapshot(Ecosystem.PYPI, home)


def test_a_model_that_is_not_here_yet(tmp_path: Path) -> None:
    found = checks.check_model(Config(), tmp_path)
    assert found.level is Level.WARN
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    folder = checks.check_model(Config(model=ModelSection(name=str(tmp_path))), tmp_path)
    assert "a folder" in folder.said
    name = checks.check_model(Config(model=ModelSection(name="some/model")), tmp_path)
    assert "Hugging Face id" in name.said


def test_a_model_that_cannot_be_one_or_is_misspelt(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        checks.check_model(Config(model=ModelSection(name="./nosuchfolder")), tmp_path)
    found = checks.check_model(Config(model=ModelSection(name="smollm3")), tmp_path)
    assert (found.level, found.todo) == (Level.WARN, "did you mean 'smollm2'?")


def test_a_method_that_there_is_not_is_no_valid_setting(tmp_path: Path) -> None:
    file = tmp_path / "ghostbust.toml"
    file.write_text('[training]\nmethod = "nope"\n', "utf-8")
    (settings,) = (one for one in checks.examine(tmp_path, file) if one.check == "settings")
    assert settings.level is Level.FAIL
    assert "training.method: should be 'au-heard', " in settings.said
    assert settings.said.endswith("not 'nope'")


def test_a_model_server_that_is_not_there(tmp_path: Path) -> None:
    settings = Config(model=ModelSection(endpoint="http://127.0.0.1:9/v1"))
    with pytest.raises(EndpointError):
        checks.check_model(settings, tmp_path)


def test_humaneval_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    found = checks.check_humaneval(tmp_path)
    assert found.level in (Level.OK, Level.WARN)
    assert list(tmp_path.iterdir()) == []
