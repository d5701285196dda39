"""AFTERMATH: what serves against what served before, by the figures of live watches.

A gate measures on this machine, a canary asks little. What goes wrong only afterwards shows here:
the deployed adapter goes back by itself where it does worse than what it replaced did.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from ghostbust.config import Config
from ghostbust.errors import EndpointError, UsageError
from ghostbust.home import Home
from ghostbust.loop.allowance import Allowance
from ghostbust.loop.canary import SLACK_S
from ghostbust.loop.promote import roll_back
from ghostbust.loop.publish import Publishing, make_publishing
from ghostbust.measure import measure
from ghostbust.records import Measurement, Promotion
from ghostbust.samplers.endpoint import EndpointSampler
from ghostbust.samplers.interface import Sampler
from ghostbust.sections import RollbackSection
from ghostbust.store import Requests, RunKind, Store

log = logging.getLogger(__name__)

MOST_RUNS = 5
"""watches of each side that are pooled, the newest of it"""
LEAST_REQUESTS = 20
"""requests of each side under which nothing is concluded from how they fared"""
_LOOKED_AT = 500
"""runs among which they are looked for"""


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

    What served too short for its answers, or its requests, to be judged stands for nothing: there
    the base is compared.
    Where only requests fail or are slow, a canary at the servers has to say the same: if the base
    fare no better there, the adapter isn't to blame. What it asks is noted in ``allowance``, the
    day's budgets, if there are any. Raises BusyError where another process moves
    the pointer, HomeError where it can't be moved.
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

    Watches choose their prompts, so the intervals have to lie apart.
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
    """Each limit of requests that is broken, if both sides had enough of them."""
    old, new = was.requests, now.requests
    found: list[str] = []
    if min(old.made, new.made) < LEAST_REQUESTS:
        return found
    if new.error_rate - old.error_rate > limits.errors:
        found.append(f"{new.error_rate:.1%} of requests fail, {old.error_rate:.1%} before")
    slow, before = new.median_s, old.median_s
    if slow is not None and before is not None and slow > _slowest(limits, before):
        found.append(f"a request takes {slow:.2f} s, {before:.2f} s before")
    return found


def _slowest(limits: RollbackSection, before_s: float) -> float:
    return max(limits.slower * before_s, before_s + SLACK_S)


def _confirmed(publishing: Publishing, name: str) -> bool:
    """Whether a canary says the same now; where nobody can be asked, the figures alone count."""
    canaries = []
    for publisher in publishing.publishers:
        try:
            canaries.append(publishing.trial(publisher, name))
        except EndpointError:  # the base fails there as well
            return False
    tried = [canary for canary in canaries if canary is not None]
    return not tried or not all(canary.passed for canary in tried)


def note_requests(store: Store, sampler: Sampler) -> None:
    """Notes with the newest run what this sampler's requests came to, if it made any."""
    figures, run = request_figures(sampler), next(iter(store.runs.recent(1)), None)
    if figures is not None and run is not None and figures.made:
        store.requests.add(run.id, figures)


def request_figures(sampler: Sampler) -> Requests | None:
    """What this sampler's requests came to so far; None for a model that runs here."""
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
    runs = [
        run
        for run in store.runs.recent(_LOOKED_AT)
        if (run.spec.kind, run.spec.model, run.spec.adapter) == (RunKind.WATCH, model, adapter)
        and (since is None or run.started >= since)
        and (until is None or run.started <= until)
    ][:MOST_RUNS]
    done = [run.id for run in runs if run.measurement is not None]
    answers = [answer for run_id in done for answer in store.answers.read(run_id=run_id)]
    heard = [found for run in runs if (found := store.requests.get(run.id)) is not None]
    times = [one.median_s for one in heard if one.median_s is not None]
    requests = Requests(
        answered=sum(one.answered for one in heard),
        failed=sum(one.failed for one in heard),
        median_s=median(times) if times else None,
    )
    return Live(measure(answers, seed=0), requests)
