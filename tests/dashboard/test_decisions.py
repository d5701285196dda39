"""A person's decisions: made on what waits, refused otherwise, and nothing left open."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from ghostbust.config import Config, load_config
from ghostbust.dashboard.decisions import approve, reject, roll_back
from ghostbust.errors import ModelError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.publishers.directory import published
from ghostbust.records import GateVerdict
from ghostbust.store.rounds import RoundState
from tests.dashboard.board import Filler, open_board

CONFIG = Config()


def test_approving_lets_it_serve_with_the_reason_logged(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING)

    said = approve(home, name, "looks good", config=CONFIG)
    assert said == f"{name} serves now, before it the base"
    pointer = published(home.deployed)
    assert pointer is not None
    assert pointer[0] == name
    with filler.store() as store:
        assert store.rounds.get(1).state is RoundState.PROMOTED
        assert store.promotions.all()[0].reason == "looks good"


@pytest.mark.parametrize(
    "state", [RoundState.REJECTED, RoundState.PROMOTED, RoundState.GATED, RoundState.FAILED]
)
def test_only_a_waiting_round_can_be_approved(
    home: Home, filler: Filler, state: RoundState
) -> None:
    name = filler.round(state)

    with pytest.raises(UsageError, match=f"its round is {state}"):
        approve(home, name, "now", config=CONFIG)
    assert published(home.deployed) is None


def test_a_waiting_round_without_a_pass_is_refused(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING, GateVerdict.INCONCLUSIVE)

    with pytest.raises(UsageError, match="INCONCLUSIVE"):
        approve(home, name, "now", config=CONFIG)
    assert published(home.deployed) is None


def test_a_changed_adapter_is_refused(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING)
    (home.adapters / name / "adapter_config.json").write_text("{1}", "utf-8")

    with pytest.raises(ModelError, match="changed after training"):
        approve(home, name, "now", config=CONFIG)
    with filler.store() as store:
        assert store.rounds.get(1).state is RoundState.WAITING


def test_rolling_back_returns_to_what_served_before(home: Home, filler: Filler) -> None:
    first, second = filler.round(RoundState.WAITING), filler.round(RoundState.WAITING)
    approve(home, first, "first", config=CONFIG)
    approve(home, second, "second", config=CONFIG)

    said = roll_back(home, second, "worse", config=CONFIG)
    assert said == f"{first} serves now, before it {second}"
    with filler.store() as store:
        assert store.promotions.deployed() == first


def test_rolling_back_something_that_no_longer_serves_is_refused(
    home: Home, filler: Filler
) -> None:
    first, second = filler.round(RoundState.WAITING), filler.round(RoundState.WAITING)
    approve(home, first, "first", config=CONFIG)
    approve(home, second, "by another person", config=CONFIG)

    with pytest.raises(UsageError, match=f"{second} serves by now"):
        roll_back(home, first, "worse", config=CONFIG)
    with filler.store() as store:
        assert store.promotions.deployed() == second


def test_rejecting_ends_the_wait(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING)

    assert reject(home, name, "too few tasks") == f"{name} is rejected"
    with filler.store() as store:
        assert store.rounds.get(1).state is RoundState.REJECTED
        assert store.rounds.get(1).reason == "too few tasks"
    with pytest.raises(UsageError, match="waits for approval"):
        reject(home, name, "again")


async def test_the_dashboard_decides_by_the_settings_that_it_was_given(
    home: Home, filler: Filler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the home's settings nor the current folder's count beside a file that was named."""
    monkeypatch.chdir(tmp_path)
    for file, folder in ((home.config, "homes"), (Path("ghostbust.toml"), "theirs")):
        (tmp_path / folder).mkdir()
        file.write_text(_publishing_to(tmp_path / folder), "utf-8")
    (tmp_path / "given").mkdir()
    (tmp_path / "given.toml").write_text(_publishing_to(tmp_path / "given"), "utf-8")
    name = filler.round(RoundState.WAITING)
    async with open_board(home, config=load_config(tmp_path / "given.toml", home)) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5", "a")
        await board.answer(*"good", "enter")
        await board.until(lambda: bool(board.said))
        assert board.said == [f"{name} serves now, before it the base"]
    assert any((tmp_path / "given").iterdir())
    assert not [*(tmp_path / "homes").iterdir(), *(tmp_path / "theirs").iterdir()]


def _publishing_to(folder: Path) -> str:
    return (
        f'[publish]\nkind = "directory"\nreplicas = ["{folder}"]\n'
        "[canary]\nforget = 0\ngeneral = 0\n"
    )


def test_a_decision_makes_no_database(home: Home) -> None:
    for decide in (partial(approve, config=CONFIG), reject, partial(roll_back, config=CONFIG)):
        with pytest.raises(StoreError, match="no database"):
            decide(home, "round-0001", "now")
    assert not home.database.exists()
