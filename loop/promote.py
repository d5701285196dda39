"""PROMOTE: moving the deployed pointer forward, and back. Both are the same move.

First the adapter folder is checked, then clients get it (`publish.py`), then the pointer file is
replaced, then one row is logged: a process killed in between leaves a pointer to a complete
adapter, and `settle` logs the move. A lock of their own keeps two movers apart, not the home's: a
rollback waits neither for a round's end nor for a canary's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from ghostbust.adapters import read_adapter
from ghostbust.errors import EndpointError, ModelError, PublishError, UsageError
from ghostbust.home import Home
from ghostbust.loop.publish import Publishing, bring_up, flip, load, retire
from ghostbust.publishers.directory import publish, published
from ghostbust.records import GateReport, GateVerdict, Promotion, utc_now
from ghostbust.store import RoundState, Store


def promote(
    store: Store,
    home: Home,
    name: str,
    report: GateReport | None,
    reason: str,
    publishing: Publishing | None = None,
) -> Promotion:
    """Let the named adapter serve: at the replicas of ``publishing``, if any, and in the home.

    Raises UsageError where there is no such adapter or its gate report, which must be of this
    adapter, is not PASS; ModelError where its folder is incomplete or changed; PublishError where
    a replica doesn't take it or its canary fails; EndpointError where one can't be asked. Then
    what served before serves on.
    """
    row = store.rounds.adapter(name)
    if row is None:
        raise UsageError(f"there is no adapter {name!r}; `ghostbust adapters list` shows them")
    if report is None or report.candidate != name or report.verdict is not GateVerdict.PASS:
        verdict = "none" if report is None else report.verdict
        raise UsageError(f"{name} may not serve: its gate report says {verdict}, not PASS")
    if publishing is not None:
        bring_up(publishing, store, name, row.candidate.path)
    with _moving(home):
        promotion = _move(store, home, name, "promote", reason, publishing)
        store.rounds.set_state(row.round_id, RoundState.PROMOTED, reason)
        if publishing is not None:
            retire(publishing, store)
    return promotion


def roll_back(
    store: Store,
    home: Home,
    reason: str,
    publishing: Publishing | None = None,
    *,
    only: str | None = None,
) -> Promotion:
    """Let serve what served before the deployed adapter: the one before it, or the bare base.

    One whose folder is incomplete or changed by now, or that a replica no longer takes, is passed
    over, and the reason says so. So it does of a replica that can't be asked, which stops nothing.
    ``only``: the adapter to take back; None: whichever serves. Raises UsageError where the base
    serves already, or another adapter than the one to take back.
    """
    with _moving(home):
        *earlier, deployed = _served(store)
        if deployed is None:
            raise UsageError("the base serves already: there is nothing to roll back")
        if only not in (None, deployed):
            raise UsageError(f"{deployed} serves by now, not {only}")
        while (name := earlier.pop()) is not None:
            try:
                reason = _back_up(store, name, reason, publishing)
                return _take_back(store, home, name, reason, publishing)
            except (ModelError, PublishError) as exc:
                reason = f"{reason}; passed over {name}: {exc}"
        return _take_back(store, home, None, reason, publishing)


def reject(store: Store, name: str, reason: str) -> None:
    """Turn down an adapter that waits for approval. Raises UsageError where none waits."""
    row = store.rounds.adapter(name)
    if row is None or store.rounds.get(row.round_id).state is not RoundState.WAITING:
        raise UsageError(f"no adapter {name!r} waits for approval")
    store.rounds.set_state(row.round_id, RoundState.REJECTED, reason)


def settle(store: Store, home: Home) -> Promotion | None:
    """Log the pointer's last move if a killed process had no time to; None where all is well.

    A round that passed and whose adapter serves is PROMOTED, and one whose adapter was taken back
    by the last move ROLLED_BACK, also where the process was killed before it could say so. Raises
    HomeError where the pointer can't be read.
    """
    with _moving(home):
        serving = published(home.deployed)
        name = None if serving is None else serving[0]
        served = _served(store)
        promotion = None
        if name != served[-1]:
            kind = "rollback" if name in served[-2:-1] else "promote"
            promotion = Promotion(name, served[-1], kind, "logged after an interruption", utc_now())
            store.promotions.add(promotion)
        row = None if name is None else store.rounds.adapter(name)
        passed = row is not None and row.verdict is GateVerdict.PASS
        if row and passed and store.rounds.get(row.round_id).state is not RoundState.PROMOTED:
            store.rounds.set_state(row.round_id, RoundState.PROMOTED, "its adapter serves")
        _mark_taken_back(store)
        return promotion


def _moving(home: Home) -> AbstractContextManager[None]:
    """The right to move the pointer, for a moment. Raises BusyError where another one moves it."""
    return home.exclusive("promotion", home.deployed_lock)


def _served(store: Store) -> list[str | None]:
    """What would serve if everything were rolled back, step by step, up to what serves now."""
    served: list[str | None] = [None]
    for move in reversed(store.promotions.all()):
        if move.kind == "rollback":
            while len(served) > 1 and served[-1] != move.adapter:
                served.pop()
        if served[-1] != move.adapter:
            served.append(move.adapter)
    return served


def _take_back(
    store: Store, home: Home, name: str | None, reason: str, publishing: Publishing | None
) -> Promotion:
    promotion = _move(store, home, name, "rollback", reason, publishing)
    _mark_taken_back(store)
    return promotion


def _mark_taken_back(store: Store) -> None:
    """The round whose adapter the last move took back is ROLLED_BACK, with why."""
    last = next(iter(store.promotions.all()), None)
    if last is None or last.kind != "rollback" or last.previous is None:
        return
    row = store.rounds.adapter(last.previous)
    if row is not None and store.rounds.get(row.round_id).state is RoundState.PROMOTED:
        store.rounds.set_state(row.round_id, RoundState.ROLLED_BACK, last.reason)


def _back_up(store: Store, name: str, reason: str, publishing: Publishing | None) -> str:
    """Has what served before on every replica that answers; the reason, with those that don't.

    It served, so there is no canary. Raises PublishError where one refuses it.
    """
    row = store.rounds.adapter(name)
    if row is None or publishing is None:
        return reason
    for publisher in publishing.publishers:
        try:
            load(publisher, store, name, row.candidate.path)
        except EndpointError as exc:
            reason = f"{reason}; {exc}"
    return reason


def _move(
    store: Store,
    home: Home,
    name: str | None,
    kind: str,
    reason: str,
    publishing: Publishing | None,
) -> Promotion:
    row = None if name is None else store.rounds.adapter(name)
    if name is not None and row is None:
        raise UsageError(f"the adapter {name!r} is no longer known; promote another one")
    folder = None if row is None else row.candidate.path
    if folder is not None:
        read_adapter(folder)
    previous = store.promotions.deployed()
    if publishing is not None:
        troubles = flip(publishing, name, previous, whatever=kind == "rollback")
        reason = "; ".join((reason, *dict.fromkeys(t for t in troubles if t not in reason)))
    promotion = Promotion(name, previous, kind, reason, utc_now())
    publish(home.deployed, folder)
    store.promotions.add(promotion)
    return promotion
