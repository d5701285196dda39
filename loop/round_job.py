"""The daemon's round: whether one is due, and one in a process of its own.

Training and gates have that process, and its limit, to themselves. However it ends, the daemon goes
on and says why it ended; a round that was cut off is gone on with at the next look.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ghostbust.log_ids import log_ids
from ghostbust.loop.allowance import Allowance
from ghostbust.loop.child import Child, sweep_children
from ghostbust.loop.jobs import Stopped, Waits, Workplace
from ghostbust.loop.parts import deployed_adapter
from ghostbust.loop.round_needs import lacking_for_round
from ghostbust.prompts import MOST_HOLDOUT
from ghostbust.sections import DaemonSection
from ghostbust.store import Round, RoundState, RunKind, Store

log = logging.getLogger(__name__)

NEWEST_RUNS = 200
"""runs among which the newest watch is looked for"""


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a round should begin, and why or why not."""

    begins: bool
    number: int
    """of the round that would begin, or that is gone on with"""
    why: str


def round_if_due(place: Workplace) -> None:
    """One round in a process of its own, if one was cut off or there is enough to begin one.

    Its memory, and a crash of it, stay outside. It takes the home folder itself; where another
    process works there it ends at once, and the next look tries again. Raises Waits where the
    day's budgets have less left than it may need.
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
        raise Waits(f"round {due.number} {lacking}")
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
    """Whether a round should begin now."""
    daemon, rounds = place.config.daemon, store.rounds.recent()
    left = store.rounds.interrupted(place.config.model.name)
    if left is not None:
        return Due(True, left.id, f"{left.id} was interrupted while {left.state}: goes on")
    number = 1 + (rounds[0].id if rounds else 0)
    # a round that failed doesn't use its inventions up
    last = next((r for r in rounds if r.state is not RoundState.FAILED), None)
    # all that is new, whoever found it: names of logs are in the same ledger
    new = store.ledger.count_new_inventions(None if last is None else last.started)
    if new >= daemon.round_min_new:
        return Due(True, number, f"{number} begins on {new} new inventions")
    low = _surely_over(store, place, last, daemon)
    if low is not None:
        return Due(True, number, f"{number} begins at a rate of at least {low:.3f}")
    return Due(False, number, f"{new} new inventions, begins at {daemon.round_min_new}")


def _surely_over(
    store: Store, place: Workplace, last: Round | None, daemon: DaemonSection
) -> float | None:
    """The lower end of what serves' newest watch, if it is over the limit; None where it isn't.

    A watch counts once: not when a round began, or ended, after it.
    """
    if daemon.round_min_rate is None:
        return None
    deployed = deployed_adapter(place.home)
    name = None if deployed is None else deployed[0]
    model = place.config.model.name
    for point in reversed(store.runs.rates(NEWEST_RUNS, RunKind.WATCH)):
        if (point.model, point.adapter) == (model, name):
            newer = last is None or point.finished > last.updated
            low = point.ci95[0]
            return low if newer and low > daemon.round_min_rate else None
    return None
