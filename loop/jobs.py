"""The daemon's jobs: watch, recheck, roll-back; `round_job.py` has the round.

A watch holds the home folder while it works; the others work beside whoever does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ghostbust.config import Config, override
from ghostbust.counts import said_unknown
from ghostbust.errors import UnansweredError, UnreachableError
from ghostbust.home import Home
from ghostbust.log_ids import log_ids
from ghostbust.loop import pending
from ghostbust.loop.aftermath import look_after, note_requests
from ghostbust.loop.alarms import tell_alarms
from ghostbust.loop.allowance import REQUESTS, Allowance
from ghostbust.loop.allowed_sampler import AllowedSampler
from ghostbust.loop.budget import budgeted
from ghostbust.loop.child import GRACE_S
from ghostbust.loop.clock import Clock, SystemClock
from ghostbust.loop.coverage import pause_reason
from ghostbust.loop.discovery import choose_prompts, rules_of
from ghostbust.loop.parts import asks_live, deployed_adapter, sampling_settings
from ghostbust.loop.recheck import recheck_due
from ghostbust.loop.seeds import DescribedPackages, GivenTasks, gathered
from ghostbust.loop.session import Session, open_beside, open_session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task
from ghostbust.records import Prompt, Sample, utc_now
from ghostbust.registries.asking import NEGATIVE_TTL
from ghostbust.registries.names import purl
from ghostbust.samplers.interface import Sampler, SamplingSettings, reading
from ghostbust.store import RunKind, Store

log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """The daemon stops: raised inside a job, which then leaves things as a kill would."""


class Waits(Exception):  # noqa: N818 (nothing went wrong)
    """What a job found to do has to wait: raised inside it, with why; it looks again when due."""


@dataclass(frozen=True)
class Workplace:
    """What the jobs work with."""

    home: Home
    config: Config
    tasks: Sequence[Task]
    open_sampler: Callable[[tuple[str, Path] | None], Sampler]
    """loads the model with the adapter of that name and folder; None is the base"""
    round_command: Sequence[str]
    """the program that does one round; ``--seed`` and a number are added"""
    stopping: threading.Event
    """set when the daemon stops"""
    child_grace_s: float = GRACE_S
    """how long a round has to end after SIGTERM, before it is killed"""
    clock: Clock = field(default_factory=SystemClock)
    open_rewriter: Callable[[], Sampler | None] = lambda: None
    """another model that rewrites tasks; None: the one under watch does"""
    discreet: Callable[[Sampler], Sampler] = lambda sampler: sampler
    """a sampler that asks through the given one, and has its prompts kept out of the log"""


class StoppableSampler:
    """A sampler that raises Stopped between two samples, and closes what it was reading."""

    def __init__(self, sampler: Sampler, stopping: threading.Event) -> None:
        self._sampler = sampler
        self._stopping = stopping
        self.model = sampler.model
        self.adapter = sampler.adapter

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """The sampler's own samples, until the daemon stops."""
        with reading(self._sampler.sample(prompts, settings)) as samples:
            for sample in samples:
                if self._stopping.is_set():
                    raise Stopped
                yield sample

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The sampler's own completions."""
        return self._sampler.complete(texts, max_new_tokens=max_new_tokens, stop=stop)


def watch(place: Workplace) -> None:
    """One watch: choose what to ask, ask the deployed model, log what it invents.

    A watch that was interrupted is gone on with first. The model is in memory only while the
    watch lasts, so what a round promoted meanwhile is what the next one asks.
    """
    with open_session(place.home, place.config, purpose="watch", clock=place.clock) as session:
        if pending.dropped_done(place.home, session.store):
            log.info("watch: the last one was killed behind its end; nothing is left of it to do")
            return
        adapter = deployed_adapter(place.home)
        paused = _paused(place, session, None if adapter is None else adapter[0])
        if paused is not None:
            log.info("watch: none now: %s", paused)
            return
        allowance = Allowance(session.store, place.config, place.clock)
        served = place.open_sampler(adapter)
        sampler = _careful(place, served, allowance, asks_live=asks_live(place.config))
        asked = pending.find(place.home, session.store, place.tasks)
        if asked is None:
            rewriter = place.open_rewriter()
            if rewriter is not None:
                rewriter = _careful(place, rewriter, allowance, asks_live=False)
            asked = _choose(place, session, sampler, rewriter)
            if not asked.prompts:
                log.warning("watch: no task is on the training side; add some to prompts.files")
                return
            pending.keep(place.home, session.store, asked)
        log.info(
            "watch: asks %d prompts, %d rewritten, seed %d, adapter %s",
            len(asked.prompts),
            sum(prompt.operator is not None for prompt in asked.prompts),
            asked.seed,
            sampler.adapter or "none",
        )
        known, started = session.store.ledger.count_new_inventions(), time.monotonic()
        try:
            watched = _ask(place, session, sampler, asked)
        finally:
            note_requests(session.store, served)
        new = session.store.ledger.count_new_inventions() - known
        unseen = session.store.ledger.unseen(sampler.model, sampler.adapter)
    with log_ids(run=watched.run_id):
        told = _told(watched, new, time.monotonic() - started)
        log.info("watch: run %d %s", watched.run_id, told)
        log.info("watch: %d names of this adapter so far; %s", unseen.names, unseen)


def _careful(
    place: Workplace, sampler: Sampler, allowance: Allowance, *, asks_live: bool
) -> StoppableSampler:
    """The sampler, discreet, within the day's budgets, and until the daemon stops."""
    allowed = AllowedSampler(place.discreet(sampler), allowance, asks_live=asks_live)
    return StoppableSampler(allowed, place.stopping)


def _paused(place: Workplace, session: Session, adapter: str | None) -> str | None:
    """Why no new watch should begin; None where one should, or one is to be gone on with."""
    if place.home.watch.exists():
        return None
    return pause_reason(
        session.store,
        place.config.discovery,
        model=place.config.model.name,
        adapter=adapter,
        now=utc_now(),
    )


def _choose(
    place: Workplace, session: Session, sampler: Sampler, rewriter: Sampler | None
) -> pending.Pending:
    """What a new watch asks. Its seed is the number that its run will have."""
    config = place.config
    seed = 1 + max((run.id for run in session.store.runs.recent(1)), default=0)
    described = DescribedPackages(
        session.judge,
        config.discovery.described_packages,
        config.discovery.newest_packages,
        session.home.registry,
    )
    tasks = gathered([GivenTasks(place.tasks), described], seed)
    rules = rules_of(config, session.judge)
    chosen = choose_prompts(session.store, tasks, sampler, rules, seed, rewriter=rewriter)
    session.store.rewritings.add(chosen.rewritings)
    return pending.Pending(seed, chosen.prompts)


def _ask(place: Workplace, session: Session, sampler: Sampler, asked: pending.Pending) -> Watched:
    """The finished run. What the next watch should go on with stays noted, nothing else."""
    settings = sampling_settings(place.config, asked.seed)
    limited = budgeted(place.config, session.store, sampler, asked.seed)
    watcher = Watcher(session.store, limited, session.judge, settings)
    try:
        watched = watcher.prompts(asked.prompts, RunKind.WATCH)
    except (Stopped, UnreachableError):
        run = session.store.runs.recent(1)[0]
        log.info("watch: run %d is interrupted; the next watch goes on with it", run.id)
        raise
    except BaseException:
        # These prompts may be what breaks it: never again and again.
        pending.drop(place.home)
        raise
    pending.drop(place.home)
    if limited.spent is not None:
        log.info("watch: ended by daemon.watch_%s", limited.spent)
    return watched


def _told(watched: Watched, new: int, wall_s: float) -> str:
    """The run's figures in one line, no names among them."""
    told = watched.measurement
    rate = f"rate {told.rate:.3f} ({told.ci95[0]:.3f} to {told.ci95[1]:.3f})"
    return (
        f"done: {told.answers} answers in {wall_s:.0f} s,"
        f" {rate if told.refs else 'no package named'},"
        f" {told.volume:.2f} real names an answer,"
        f" unknown {said_unknown(told.unknown, told.local, told.unmapped)},"
        f" {new} inventions never seen before"
    )


def look_again(place: Workplace) -> None:
    """One recheck of invented names, in small portions."""
    if not asks_live(place.config):
        log.info("recheck: registry.mode is snapshot, which can't tell what was registered since")
        return
    live = override(place.config, registry__mode="live")
    # A live "no" is believed for some hours, whatever the settings say.
    age = max(timedelta(seconds=place.config.daemon.recheck_every_s), NEGATIVE_TTL)
    lock = place.home.recheck_lock
    with open_beside(place.home, live, purpose="recheck", lock=lock, clock=place.clock) as session:
        done = recheck_due(
            session, before=utc_now() - age, at_portion=lambda: _stop_if_asked(place)
        )
        spent = Allowance(session.store, live, place.clock).lacking({REQUESTS: 1})
    for lookup in done.claimed:
        name = purl(lookup.ecosystem, lookup.name)
        log.warning("recheck: %s was invented and is registered now: claimed", name)
    log.info(
        "recheck: %d names, %d claimed, %d could not be asked",
        len(done.verdicts),
        len(done.claimed),
        len(done.unknown),
    )
    if done.unknown and not spent:
        raise UnansweredError(f"the registries gave no answer for {len(done.unknown)} names")


def take_back_if_worse(place: Workplace) -> None:
    """Takes back what serves if it does worse than what served before, by the figures of watches.

    Holds the pointer only while it moves.
    """
    with Store.open(place.home.database) as store:
        look_after(store, place.home, place.config, Allowance(store, place.config, place.clock))


def tell(place: Workplace) -> None:
    """Tells of claimed names that reached nobody yet, such as while a webhook was down."""
    with Store.open(place.home.database) as store:
        if told := tell_alarms(store, place.config.alarm):
            log.info("alarms: %d reached somebody", told)


def _stop_if_asked(place: Workplace) -> None:
    if place.stopping.is_set():
        raise Stopped
