"""PROMOTE: moves the deployed pointer forward, and back. Both are the same move.

First the adapter folder is checked, then clients get it (`publish.py`), then the pointer file is
replaced, then one row is logged. A process killed in between leaves a pointer to a complete
adapter, and `settle` logs the move. The pointer has a lock of its own, not the home's: a rollback
waits neither for the end of a round nor for a canary.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from ghostbust.adapters import read_adapter
from ghostbust.config import Config
from ghostbust.errors import EndpointError, ModelError, PublishError, UsageError
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance
from ghostbust.loop.canary import SLACK_S
from ghostbust.loop.publish import Publishing, bring_up, flip, load, make_publishing, retire
from ghostbust.measure import measure
from ghostbust.publishers.directory import publish, published
from ghostbust.records import GateReport, GateVerdict, Measurement, Promotion, utc_now
from ghostbust.samplers.endpoint import EndpointSampler
from ghostbust.samplers.interface import Sampler
from ghostbust.sections import RollbackSection
from ghostbust.store.rounds import AdapterRow, RoundState
from ghostbust.store.runs import Requests, RunKind
from ghostbust.store.store import Store

log = logging.getLogger(__name__)


def promote(
    store: Store,
    home: Home,
    name: str,
    report: GateReport | None,
    reason: str,
    publishing: Publishing | None = None,
) -> Promotion:
    """Lets the named adapter serve: at the replicas of ``publishing``, if any, and in the home.

    Raises UsageError where there is no such adapter, or its gate report isn't PASS; ModelError
    where its folder is incomplete or changed; PublishError where a replica doesn't take it or its
    canary fails; EndpointError where one can't be asked. What served before then continues to.
    """
    row = _passed(store, name, report)
    if publishing is not None:
        bring_up(publishing, store, name, row.candidate.path)
    return let_serve(store, home, name, report, reason, publishing)


def let_serve(
    store: Store,
    home: Home,
    name: str,
    report: GateReport | None,
    reason: str,
    publishing: Publishing | None = None,
) -> Promotion:
    """The second half of `promote`: moves the pointer to an adapter that `bring_up` has loaded.

    Raises the same, and BusyError where another process moves it.
    """
    row = _passed(store, name, report)
    with _moving(home):
        promotion = _move(store, home, name, "promote", reason, publishing)
        store.rounds.set_state(row.round_id, RoundState.PROMOTED, reason)
        if publishing is not None:
            retire(publishing, store)
    return promotion


def _passed(store: Store, name: str, report: GateReport | None) -> AdapterRow:
    """The adapter's row. Raises UsageError where there is none, or its report isn't PASS."""
    row = store.rounds.adapter(name)
    if row is None:
        raise UsageError(f"there is no adapter {name!r}; `ghostbust adapters list` shows them")
    if report is None or report.candidate != name or report.verdict is not GateVerdict.PASS:
        verdict = "none" if report is None else report.verdict
        raise UsageError(f"{name} may not serve: its gate report says {verdict}, not PASS")
    return row


def roll_back(
    store: Store,
    home: Home,
    reason: str,
    publishing: Publishing | None = None,
    *,
    only: str | None = None,
) -> Promotion:
    """Lets serve what served before the deployed adapter: the one before it, or the base.

    An adapter whose folder is incomplete or changed by now, or that a replica no longer takes, is
    passed over. A replica that can't be asked stops nothing. The reason mentions both. ``only``:
    the adapter to take back; None: whichever serves. Raises UsageError where the base serves
    already, or another adapter than the one to take back.
    """
    with _moving(home):
        *earlier, deployed = _served(store)
        if deployed is None:
            raise UsageError("the base serves already: there is nothing to roll back")
        if only not in (None, deployed):
            raise UsageError(f"{deployed} serves by now, not {only}")
        while (name := earlier.pop()) is not None:
            try:
                reason = _load_again(store, name, reason, publishing)
                promotion = _move(store, home, name, "rollback", reason, publishing)
                break
            except (ModelError, PublishError) as exc:
                reason = f"{reason}; passed over {name}: {exc}"
        else:
            promotion = _move(store, home, None, "rollback", reason, publishing)
        _mark_taken_back(store)
        return promotion


def reject(store: Store, name: str, reason: str) -> None:
    """Turns down an adapter that waits for approval. Raises UsageError where none waits."""
    row = store.rounds.adapter(name)
    if row is None or store.rounds.get(row.round_id).state is not RoundState.WAITING:
        raise UsageError(f"no adapter {name!r} waits for approval")
    store.rounds.set_state(row.round_id, RoundState.REJECTED, reason)


def settle(store: Store, home: Home) -> Promotion | None:
    """Logs the pointer's last move if a killed process could not; None where nothing is missing.

    The states of rounds follow: PROMOTED where the round's adapter serves and passed its gates,
    ROLLED_BACK where the last move took it back. Raises HomeError where the pointer can't be read.
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


def _mark_taken_back(store: Store) -> None:
    """Marks the round whose adapter the last move took back ROLLED_BACK, with the reason."""
    last = next(iter(store.promotions.all()), None)
    if last is None or last.kind != "rollback" or last.previous is None:
        return
    row = store.rounds.adapter(last.previous)
    if row is not None and store.rounds.get(row.round_id).state is RoundState.PROMOTED:
        store.rounds.set_state(row.round_id, RoundState.ROLLED_BACK, last.reason)


def _load_again(store: Store, name: str, reason: str, publishing: Publishing | None) -> str:
    """Loads what served before on every replica; the reason, with the replicas that don't answer.

    It served once, so it needs no canary. Raises PublishError where a replica refuses it.
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
    """Clients first, then the pointer, then the row: a kill in between loses only the row."""
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


# --- taking back what does worse than what served before
#
# A gate measures on this machine, and a canary asks little. What goes wrong only later shows in
# the figures of live watches.

MOST_RUNS = 5
"""watches of each side that are pooled, the newest ones"""
LEAST_REQUESTS = 20
"""requests of each side below which nothing is concluded from them"""


@dataclass(frozen=True, slots=True)
class Live:
    """How a model did while it served."""

    measurement: Measurement
    """of its finished watches"""
    requests: Requests
    """of all of its watches; none for a model that runs here"""


def look_after(
    store: Store, home: Home, config: Config, allowance: Allowance | None = None
) -> Promotion | None:
    """Takes back what serves if it does worse than what it replaced; None where nothing moves.

    If what it replaced served too short to be judged by its answers, or by its requests, the base
    is compared instead. Where only requests fail or are slow, a canary at the servers has to
    confirm it: if the base does no better there, the adapter isn't to blame. What the canary asks
    is noted in ``allowance``, the day's budgets. Raises BusyError where another process moves the
    pointer, HomeError where it can't be moved.
    """
    last = next(iter(store.promotions.all()), None)
    if not config.rollback.auto or last is None or last.kind != "promote" or last.adapter is None:
        return None
    model = config.model.name
    was = _live(store, model, last.previous, until=last.at)
    base = _live(store, model, None, until=last.at)
    now = _live(store, model, last.adapter, since=last.at)
    rate = worse_rate(
        config.rollback,
        was if was.measurement.answers >= config.rollback.answers else base,
        now,
    )
    requests = worse_requests(
        config.rollback, was if was.requests.made >= LEAST_REQUESTS else base, now
    )
    worse = "; ".join((*rate, *requests))
    if not worse:
        return None
    publishing = make_publishing(config, home, store, allowance)
    if not rate and not _confirmed(publishing, last.adapter):
        log.info("rollback: not now, the canary of %s says otherwise: %s", last.adapter, worse)
        return None
    try:
        reason = f"rolled back by itself: {worse}"
        move = roll_back(store, home, reason, publishing, only=last.adapter)
    except UsageError:  # a person was quicker, or a round that promoted another one
        return None
    log.warning(
        "rollback: %s is taken back, %s serves: %s", last.adapter, move.adapter or "the base", worse
    )
    return move


def worse_rate(limits: RollbackSection, was: Live, now: Live) -> list[str]:
    """How the hallucination rate breaks its limit, if it does and both sides have enough answers.

    Each watch asks other prompts, so the intervals must not overlap.
    """
    old, new = was.measurement, now.measurement
    enough = min(old.answers, new.answers) >= limits.answers and old.refs and new.refs
    if not enough or new.ci95[0] <= limits.rate * old.ci95[1]:
        return []
    return [
        f"hallucination rate {new.rate:.3f} ({new.ci95[0]:.3f} to {new.ci95[1]:.3f}),"
        f" {old.rate:.3f} ({old.ci95[0]:.3f} to {old.ci95[1]:.3f}) before"
    ]


def worse_requests(limits: RollbackSection, was: Live, now: Live) -> list[str]:
    """Each limit of requests that is broken, if both sides made enough of them."""
    old, new = was.requests, now.requests
    found: list[str] = []
    if min(old.made, new.made) < LEAST_REQUESTS:
        return found
    if new.error_rate - old.error_rate > limits.errors:
        found.append(f"{new.error_rate:.1%} of requests fail, {old.error_rate:.1%} before")
    slow, before = new.median_s, old.median_s
    if slow is None or before is None:
        return found
    if slow > max(limits.slower * before, before + SLACK_S):
        found.append(f"a request takes {slow:.2f} s, {before:.2f} s before")
    return found


def _confirmed(publishing: Publishing, name: str) -> bool:
    """Whether a canary fails now. Where no server can be asked, the figures alone count."""
    canaries = []
    for publisher in publishing.publishers:
        try:
            canaries.append(publishing.trial(publisher, name))
        except EndpointError:  # the base fails there as well
            return False
    tried = [canary for canary in canaries if canary is not None]
    return not tried or not all(canary.passed for canary in tried)


def note_requests(store: Store, sampler: Sampler) -> None:
    """Stores the figures of this sampler's requests with the newest run, if it made any."""
    figures, run = request_figures(sampler), next(iter(store.runs.recent(1)), None)
    if figures is not None and run is not None and figures.made:
        store.runs.add_requests(run.id, figures)


def request_figures(sampler: Sampler) -> Requests | None:
    """The figures of this sampler's requests so far; None for a model that runs here."""
    if not isinstance(sampler, EndpointSampler):
        return None
    return Requests(
        answered=sum(each.answered for each in sampler.health),
        failed=sum(each.failed for each in sampler.health),
        median_s=median(sampler.waits) if sampler.waits else None,
    )


def _live(
    store: Store,
    model: str,
    adapter: str | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Live:
    """The newest watches of the model with this adapter in that time, pooled."""
    runs = store.runs.recent(
        MOST_RUNS,
        kinds=[RunKind.WATCH],
        model=model,
        adapters=[adapter],
        since=since,
        until=until,
    )
    done = [run.id for run in runs if run.measurement is not None]
    answers = [answer for run_id in done for answer in store.answers.read(run_id=run_id)]
    made = [found for run in runs if (found := store.runs.requests(run.id)) is not None]
    times = [one.median_s for one in made if one.median_s is not None]
    requests = Requests(
        answered=sum(one.answered for one in made),
        failed=sum(one.failed for one in made),
        median_s=median(times) if times else None,
    )
    return Live(measure(answers, seed=0), requests)
