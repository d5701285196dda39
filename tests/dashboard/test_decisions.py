"""A person's decisions: made on what waits, refused otherwise, and nothing left open."""

from __future__ import annotations

from functools import partial

import pytest

from ghostbust.config import Config
from ghostbust.dashboard.decisions import approve, reject, roll_back
from ghostbust.errors import ModelError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.publishers.directory import published
from ghostbust.records import GateVerdict
from ghostbust.store.rounds import RoundState
from tests.dashboard.board import Filler

CONFIG = Config()


def test_approving_and_rolling_back_move_the_pointer_and_log_the_reason(
    home: Home, filler: Filler
) -> None:
    first, second = filler.round(RoundState.WAITING), filler.round(RoundState.WAITING)
    said = approve(home, first, "first", config=CONFIG)
    assert said == f"{first} serves now, before it the base"
    approve(home, second, "by another person", config=CONFIG)
    with pytest.raises(UsageError, match=f"{second} serves by now"):
        roll_back(home, first, "worse", config=CONFIG)
    said = roll_back(home, second, "worse", config=CONFIG)
    assert said == f"{first} serves now, before it {second}"
    assert published(home.deployed) == (first, home.adapters / first)
    with filler.store() as store:
        reasons = [move.reason for move in store.promotions.all()]
        assert reasons == ["worse", "by another person", "first"]
        assert store.rounds.get(1).state is RoundState.PROMOTED


@pytest.mark.parametrize(
    ("state", "verdict", "said"),
    [
        *(
            (state, GateVerdict.PASS, f"its round is {state}")
            for state in ("rejected", "promoted", "gated", "failed")
        ),
        ("waiting", GateVerdict.INCONCLUSIVE, "INCONCLUSIVE"),
    ],
)
def test_only_a_round_that_waits_with_a_pass_can_be_approved(
    home: Home, filler: Filler, state: str, verdict: GateVerdict, said: str
) -> None:
    name = filler.round(RoundState(state), verdict)
    with pytest.raises(UsageError, match=said):
        approve(home, name, "now", config=CONFIG)
    assert published(home.deployed) is None


def test_a_changed_adapter_is_refused(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING)
    (home.adapters / name / "adapter_config.json").write_text("{1}", "utf-8")
    with pytest.raises(ModelError, match="changed after training"):
        approve(home, name, "now", config=CONFIG)
    with filler.store() as store:
        assert store.rounds.get(1).state is RoundState.WAITING


def test_rejecting_ends_the_wait(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING)
    assert reject(home, name, "too few tasks") == f"{name} is rejected"
    with filler.store() as store:
        assert store.rounds.get(1).state is RoundState.REJECTED
        assert store.rounds.get(1).reason == "too few tasks"
    with pytest.raises(UsageError, match="waits for approval"):
        reject(home, name, "again")


def test_a_decision_makes_no_database(home: Home) -> None:
    for decide in (partial(approve, config=CONFIG), reject, partial(roll_back, config=CONFIG)):
        with pytest.raises(StoreError, match="no database"):
            decide(home, "round-0001", "now")
    assert not home.database.exists()
