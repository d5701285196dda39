"""Who is asked where nobody says it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.errors import ConfigError
from ghostbust.home import Home
from ghostbust.registries.judge import Mode, asked_of

DAY = date(2026, 11, 23)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    for name in ("GHOSTBUST_REGISTRY__MODE", "GHOSTBUST_REGISTRY__AS_OF"):
        monkeypatch.delenv(name, raising=False)
    return Home.open(tmp_path / "home")


def test_without_settings_it_is_auto(home: Home) -> None:
    assert asked_of(None, None, home) == (Mode.AUTO, None)
    assert asked_of(Mode.LIVE, None, home) == (Mode.LIVE, None)


def test_of_a_day_only_a_snapshot_is_asked(home: Home) -> None:
    assert asked_of(None, DAY, home) == asked_of(Mode.AUTO, DAY, home) == (Mode.SNAPSHOT, DAY)
    assert asked_of(Mode.LIVE, DAY, home) == (Mode.LIVE, DAY), "which the judge refuses"


def test_the_environment_says_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ghostbust_registry__mode", "snapshot")
    assert asked_of(None, None, home) == (Mode.SNAPSHOT, None)
    assert asked_of(Mode.AUTO, None, home) == (Mode.AUTO, None), "an option comes first"
    monkeypatch.setenv("ghostbust_registry__mode", "never")
    with pytest.raises(
        ConfigError, match=r"GHOSTBUST_REGISTRY__MODE: registry\.mode: should be 'snapshot'"
    ):
        asked_of(None, None, home)


def test_the_home_or_a_file_says_it_and_the_current_folder_does_not(
    home: Home, tmp_path: Path
) -> None:
    here = tmp_path / "ghostbust.toml"
    here.write_text('[registry]\nmode = "live"\n', "utf-8")
    assert asked_of(None, None, home) == (Mode.AUTO, None)
    assert asked_of(None, None, home, here) == (Mode.LIVE, None)
    home.config.write_text(f"[registry]\nmode = 'live'\nas_of = {DAY}\n", "utf-8")
    assert asked_of(None, None, home) == (Mode.SNAPSHOT, DAY)
