"""The daemon's round: decides whether one is due, and runs it in a process of its own.

Training and gates have that process, and its memory limit, to themselves. However it ends, the
daemon continues and logs why it ended; the next look continues a round that was cut off.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ghostbust.loop.budget import Allowance
from ghostbust.loop.build import deployed_adapter
from ghostbust.loop.child import Child, sweep_children
from ghostbust.loop.daemon.jobs import Stopped, Waits, Workplace
from ghostbust.loop.round_needs import lacking_for_round
from ghostbust.loop.signals import log_ids
from ghostbust.prompts import MOST_HOLDOUT
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a round should begin, and why or why not."""

    begins: bool
    number: int
    """of the round that would begin or continue"""
    why: str


def round_if_due(place: Workplace) -> None:
    """Continues a round that was cut off, or begins one if there is reason enough.

    The process takes the home folder itself; if another process works there it ends at once, and
    the next look tries again. Raises Waits if the day's budgets have less left than the round may
    need.
    """
    mark = f"{place.home.path}:round"
    if left := sweep_children(mark):
        log.warning("round: ended %d processes that a killed daemon had left", left)
    with Store.open(place.home.database) as store:
        allowance = Allowance(store, place.config, place.clock)
        due = round_due(store, place)
        log.info("round: %s", due.why)
        if not due.begins:
            return
        cut_off = store.rounds.interrupted(place.config.model.name)
        lacking = lacking_for_round(store, place.config, allowance, cut_off, MOST_HOLDOUT)
    if lacking is not None:
        log.info("round: %d waits: %s", due.number, lacking)
        raise Waits(f"round {due.number} waits: {lacking}")
    limit = place.config.daemon.child_memory_gb
    child = Child(
        [*place.round_command, "--seed", str(due.number)],
        mark,
        memory_bytes=None if limit is None else int(limit * 1e9),
        grace_s=place.child_grace_s,
    )
    with log_ids(round=due.number):
        ended = child.run(lambda line: log.info("round: %s", line), place.stopping)
    if ended.stopped:
        raise Stopped
    with Store.open(place.home.database) as store:
        done = next(iter(store.rounds.recent(1)), None)
        if ended.code:
            log.warning("round: %d %s; tried again later", due.number, ended.why)
            if done is not None and done.state.is_open:
                store.rounds.explain(done.id, f"its process {ended.why}")
        elif done is not None:
            log.info("round: %d %s: %s, %s", done.id, done.state, done.adapter, done.reason)


def round_due(store: Store, place: Workplace) -> Due:
    """Whether a round should begin now: interrupted, enough new names, or too high a rate."""
    daemon, rounds = place.config.daemon, store.rounds.recent()
    left = store.rounds.interrupted(place.config.model.name)
    if left is not None:
        return Due(True, left.id, f"{left.id} was interrupted while {left.state}: goes on")
    number = 1 + (rounds[0].id if rounds else 0)
    # A failed round trained on nothing, so its names still count as new.
    last = next((r for r in rounds if r.state is not RoundState.FAILED), None)
    # Names of logs are in the same ledger as those of watches, and count alike.
    new = store.ledger.count_new_inventions(None if last is None else last.started)
    if new >= daemon.round_min_new:
        return Due(True, number, f"{number} begins on {new} new inventions")
    low = _rate_over_limit(store, place, last)
    if low is not None:
        return Due(True, number, f"{number} begins at a rate of at least {low:.3f}")
    return Due(False, number, f"{new} new inventions, begins at {daemon.round_min_new}")


def _rate_over_limit(store: Store, place: Workplace, last: Round | None) -> float | None:
    """The lower end of the newest watch's rate if it is over ``round_min_rate``, else None.

    A watch counts once: not if a round began or ended after it.
    """
    limit = place.config.daemon.round_min_rate
    if limit is None:
        return None
    deployed = deployed_adapter(place.home)
    adapters = [None if deployed is None else deployed[0]]
    points = store.runs.rates(1, RunKind.WATCH, model=place.config.model.name, adapters=adapters)
    if not points or (last is not None and points[0].finished <= last.updated):
        return None
    low = points[0].ci95[0]
    return low if low > limit else None
