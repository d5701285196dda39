"""What serves: moved forward only by a PASS, back step by step, and never in doubt after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial

import pytest

from ghostbust.errors import HomeError, ModelError, UsageError
from ghostbust.home import Home
from ghostbust.loop.promote import promote, reject, roll_back, settle
from ghostbust.publishers.directory import publish, published
from ghostbust.records import GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.loop.rounds import add_gated, report_of

Make = Callable[..., str]


@pytest.fixture
def passed(home: Home, store: Store) -> Make:
    """Makes an adapter whose round got as far as its gates; gives its name."""
    return partial(add_gated, store, home)


def let(store: Store, home: Home, name: str) -> None:
    """Promotes an adapter with the report that the store has."""
    row = store.rounds.adapter(name)
    assert row is not None
    promote(store, home, name, store.rounds.gate_report(row.round_id), "it passed")


def serving(home: Home) -> str | None:
    found = published(home.deployed)
    return None if found is None else found[0]


def state(store: Store, name: str) -> RoundState:
    row = store.rounds.adapter(name)
    assert row is not None
    return store.rounds.get(row.round_id).state


def test_what_passed_serves(home: Home, store: Store, passed: Make) -> None:
    name = passed()
    let(store, home, name)
    assert published(home.deployed) == (name, home.adapters / name)
    (move,) = store.promotions.all()
    assert (move.adapter, move.previous, move.kind) == (name, None, "promote")
    assert move.reason == "it passed"
    assert state(store, name) is RoundState.PROMOTED


@pytest.mark.parametrize("verdict", [GateVerdict.FAIL, GateVerdict.INCONCLUSIVE])
def test_nothing_serves_without_a_pass(
    home: Home, store: Store, passed: Make, verdict: GateVerdict
) -> None:
    name = passed(verdict)
    with pytest.raises(UsageError, match=f"{name} may not serve.*{verdict}, not PASS"):
        let(store, home, name)
    assert (serving(home), store.promotions.all()) == (None, [])
    assert state(store, name) is RoundState.GATED


def test_nothing_serves_by_no_report_an_empty_one_or_anothers(
    home: Home, store: Store, passed: Make
) -> None:
    name, other = passed(), passed()
    for wrong in (None, report_of(name), report_of(other, GateVerdict.PASS)):
        with pytest.raises(UsageError, match="not PASS"):
            promote(store, home, name, wrong, "please")
    assert serving(home) is None


def test_an_unknown_adapter_is_a_usage_error(home: Home, store: Store) -> None:
    with pytest.raises(UsageError, match=r"there is no adapter 'nobody'; .*adapters list"):
        promote(store, home, "nobody", report_of("nobody", GateVerdict.PASS), "please")


def test_a_changed_adapter_does_not_serve(home: Home, store: Store, passed: Make) -> None:
    name = passed()
    (home.adapters / name / "adapter_config.json").write_text('{"r": 1}', "utf-8")
    with pytest.raises(ModelError, match="was changed after training"):
        let(store, home, name)
    assert (serving(home), store.promotions.all()) == (None, [])


def test_rolling_back_goes_step_by_step_to_the_base(home: Home, store: Store, passed: Make) -> None:
    first, second = passed(), passed()
    let(store, home, first)
    let(store, home, second)
    served = []
    for _ in range(2):
        move = roll_back(store, home, "it misbehaves")
        assert (move.kind, move.reason) == ("rollback", "it misbehaves")
        served.append(move.adapter)
        assert serving(home) == store.promotions.deployed() == move.adapter
    assert served == [first, None]
    with pytest.raises(UsageError, match="the base serves already"):
        roll_back(store, home, "once more")


def test_only_the_adapter_that_is_meant_is_rolled_back(
    home: Home, store: Store, passed: Make
) -> None:
    first, second = passed(), passed()
    let(store, home, first)
    let(store, home, second)
    with pytest.raises(UsageError, match=f"{second} serves by now, not {first}"):
        roll_back(store, home, "the first was bad", only=first)
    assert serving(home) == second
    assert roll_back(store, home, "the second was bad", only=second).adapter == first


def test_what_is_promoted_twice_is_rolled_back_once(home: Home, store: Store, passed: Make) -> None:
    name = passed()
    let(store, home, name)
    let(store, home, name)
    assert roll_back(store, home, "no").adapter is None


def test_after_a_rollback_the_next_goes_back_to_what_served(
    home: Home, store: Store, passed: Make
) -> None:
    first, second, third = passed(), passed(), passed()
    for name in (first, second):
        let(store, home, name)
    roll_back(store, home, "second was bad")
    let(store, home, third)
    assert roll_back(store, home, "third too").adapter == first


def test_a_rollback_passes_over_an_adapter_that_is_gone(
    home: Home, store: Store, passed: Make
) -> None:
    first, second, third = passed(), passed(), passed()
    for name in (first, second, third):
        let(store, home, name)
    shutil.rmtree(home.adapters / second)
    move = roll_back(store, home, "third was bad")
    assert (move.adapter, serving(home)) == (first, first)
    assert move.reason.startswith(f"third was bad; passed over {second}: ")
    assert roll_back(store, home, "first too").adapter is None


def test_only_what_waits_can_be_rejected(home: Home, store: Store, passed: Make) -> None:
    name = passed()
    with pytest.raises(UsageError, match="waits for approval"):
        reject(store, name, "no")
    row = store.rounds.adapter(name)
    assert row is not None
    store.rounds.set_state(row.round_id, RoundState.WAITING)
    reject(store, name, "too chatty")
    round_ = store.rounds.get(row.round_id)
    assert (round_.state, round_.reason) == (RoundState.REJECTED, "too chatty")
    with pytest.raises(UsageError, match="no adapter 'nobody' waits"):
        reject(store, "nobody", "no")


def test_settling_does_nothing_where_all_is_well(home: Home, store: Store, passed: Make) -> None:
    assert settle(store, home) is None
    let(store, home, passed())
    assert settle(store, home) is None
    assert len(store.promotions.all()) == 1


def test_a_kill_between_pointer_and_row_is_settled(home: Home, store: Store, passed: Make) -> None:
    first, second = passed(), passed()
    let(store, home, first)
    publish(home.deployed, home.adapters / second)  # and there the process was killed
    row = store.rounds.adapter(second)
    assert row is not None
    store.rounds.set_state(row.round_id, RoundState.FAILED, "its process was killed")
    move = settle(store, home)
    assert move is not None
    assert (move.adapter, move.previous, move.kind) == (second, first, "promote")
    assert store.promotions.deployed() == serving(home) == second
    assert state(store, second) is RoundState.PROMOTED
    assert roll_back(store, home, "no").adapter == first


def test_a_kill_between_row_and_state_is_settled(home: Home, store: Store, passed: Make) -> None:
    name = passed()
    let(store, home, name)
    row = store.rounds.adapter(name)
    assert row is not None
    store.rounds.set_state(row.round_id, RoundState.FAILED, "its process was killed")
    assert settle(store, home) is None
    assert state(store, name) is RoundState.PROMOTED


def test_a_rollback_that_was_killed_is_settled_as_one(
    home: Home, store: Store, passed: Make
) -> None:
    first, second = passed(), passed()
    let(store, home, first)
    let(store, home, second)
    publish(home.deployed, home.adapters / first)
    move = settle(store, home)
    assert move is not None
    assert (move.adapter, move.previous, move.kind) == (first, second, "rollback")
    assert roll_back(store, home, "further").adapter is None


def test_a_pointer_that_cannot_be_read_is_told(home: Home, store: Store) -> None:
    home.deployed.write_text("{", "utf-8")
    with pytest.raises(HomeError, match="can't read"):
        settle(store, home)
