"""The daemon's watch: choose what to ask, ask the deployed model, store what it invents.

The home folder keeps a note of the watch under way, so that a daemon that was killed continues it.
The store has the answers; the note has the ids of the prompts. A prompt's text stays where
``prompts.keep`` allows it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ghostbust.documents import parse_json
from ghostbust.errors import HomeError, UnreachableError
from ghostbust.files import write_whole
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance, LimitedSampler, budget_of_watch
from ghostbust.loop.build import asks_live, deployed_adapter, sampling_settings
from ghostbust.loop.daemon.jobs import Stopped, Workplace
from ghostbust.loop.discovery.plan import choose_prompts, pause_reason, rules_of
from ghostbust.loop.discovery.seeds import described_tasks, gathered
from ghostbust.loop.promote import note_requests
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import log_ids
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.measure import said_unknown
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Prompt, utc_now
from ghostbust.samplers.interface import Sampler
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """What a watch asks."""

    seed: int
    """of the run, and of no other watch"""
    prompts: tuple[Prompt, ...]


def watch(place: Workplace) -> None:
    """One watch; an interrupted one is continued first.

    The model is in memory only while the watch lasts, so the next watch asks whatever a round
    promoted meanwhile.
    """
    with open_session(place.home, place.config, purpose="watch", clock=place.clock) as session:
        if dropped_done(place.home, session.store):
            log.info("watch: the last one was killed after its end; nothing of it is left to do")
            return
        adapter = deployed_adapter(place.home)
        if not place.home.watch.exists():
            paused = pause_reason(
                session.store,
                place.config.discovery,
                model=place.config.model.name,
                adapter=None if adapter is None else adapter[0],
                now=utc_now(),
            )
            if paused is not None:
                log.info("watch: none now: %s", paused)
                return
        allowance = Allowance(session.store, place.config, place.clock)
        served = place.open_sampler(adapter)
        sampler = _limited(place, served, allowance, asks_live=asks_live(place.config))
        pending = find(place.home, session.store, place.tasks)
        if pending is None:
            rewriter = place.open_rewriter()
            if rewriter is not None:
                rewriter = _limited(place, rewriter, allowance, asks_live=False)
            pending = _choose(place, session, sampler, rewriter)
            if not pending.prompts:
                log.warning("watch: no task is on the training side; add some to prompts.files")
                return
            keep(place.home, session.store, pending)
        log.info(
            "watch: asks %d prompts, %d rewritten, seed %d, adapter %s",
            len(pending.prompts),
            sum(prompt.operator is not None for prompt in pending.prompts),
            pending.seed,
            sampler.adapter or "none",
        )
        known, started = session.store.ledger.count_new_inventions(), time.monotonic()
        try:
            watched = _ask(place, session, sampler, pending)
        finally:
            note_requests(session.store, served)
        new = session.store.ledger.count_new_inventions() - known
        unseen = session.store.ledger.unseen(sampler.model, sampler.adapter)
    with log_ids(run=watched.run_id):
        summary = _summary(watched, new, time.monotonic() - started)
        log.info("watch: run %d %s", watched.run_id, summary)
        log.info("watch: %d names of this adapter so far; %s", unseen.names, unseen)


def _limited(
    place: Workplace, sampler: Sampler, allowance: Allowance, *, asks_live: bool
) -> LimitedSampler:
    """The sampler within the day's budgets; it stops with the daemon and hides its prompts."""
    return LimitedSampler(
        sampler, allowance, asks_live=asks_live, check=place.raise_if_stopping, hide=place.hide
    )


def _choose(
    place: Workplace, session: Session, sampler: Sampler, rewriter: Sampler | None
) -> Pending:
    """What a new watch asks. Its seed is the number that its run will have."""
    config = place.config
    seed = 1 + max((run.id for run in session.store.runs.recent(1)), default=0)
    described = described_tasks(
        session.judge,
        seed,
        popular=config.discovery.described_packages,
        newest=config.discovery.newest_packages,
        data_dir=session.home.registry,
    )
    tasks = gathered(place.tasks, described)
    rules = rules_of(config, session.judge)
    chosen = choose_prompts(session.store, tasks, sampler, rules, seed, rewriter=rewriter)
    session.store.rewritings.add(chosen.rewritings)
    return Pending(seed, chosen.prompts)


def _ask(place: Workplace, session: Session, sampler: LimitedSampler, pending: Pending) -> Watched:
    """The finished run. The note stays only if the next watch should continue this one."""
    settings = sampling_settings(place.config, pending.seed)
    limited = sampler.within(budget_of_watch(place.config, session.store, pending.seed))
    watcher = Watcher(session.store, limited, session.judge, settings)
    try:
        watched = watcher.prompts(pending.prompts, RunKind.WATCH)
    except (Stopped, UnreachableError):
        run = session.store.runs.recent(1)[0]
        log.info("watch: run %d is interrupted; the next watch goes on with it", run.id)
        raise
    except BaseException:
        # These prompts may be what breaks it, so they must not be asked again and again.
        drop(place.home)
        raise
    drop(place.home)
    if limited.spent is not None:
        log.info("watch: ended by daemon.watch_%s", limited.spent)
    return watched


def _summary(watched: Watched, new: int, wall_s: float) -> str:
    """The run's figures in one line, no names among them."""
    found = watched.measurement
    rate = f"rate {found.rate:.3f} ({found.ci95[0]:.3f} to {found.ci95[1]:.3f})"
    return (
        f"done: {found.answers} answers in {wall_s:.0f} s,"
        f" {rate if found.refs else 'no package named'},"
        f" {found.volume:.2f} real names an answer,"
        f" unknown {said_unknown(found.unknown, found.local, found.unmapped)},"
        f" {new} inventions never seen before"
    )


# The note of the watch under way: ``{"seed": …, "prompts": [ids]}``.


def keep(home: Home, store: Store, pending: Pending) -> None:
    """Writes the note before the watch begins. Raises HomeError if the home can't be written."""
    store.prompts.add(pending.prompts)
    row = {"seed": pending.seed, "prompts": [prompt.id for prompt in pending.prompts]}
    write_whole(home.watch, json.dumps(row) + "\n", error=HomeError)


def find(home: Home, store: Store, tasks: Iterable[Task]) -> Pending | None:
    """The watch of the note; None without a note, or if a prompt's text was kept nowhere."""
    noted = _read(home)
    if noted is None:
        return None
    seed, ids = noted
    own = {prompt.id: prompt for prompt in first_prompts(tasks)}
    prompts = [own.get(prompt_id) or store.prompts.get(prompt_id) for prompt_id in ids]
    whole = tuple(prompt for prompt in prompts if prompt is not None)
    return Pending(seed, whole) if len(whole) == len(ids) else None


def drop(home: Home) -> None:
    """Deletes the note: the watch is done, or can't be done."""
    home.watch.unlink(missing_ok=True)


def dropped_done(home: Home, store: Store) -> bool:
    """Deletes the note if its run is done, and says whether it was.

    A kill can fall between the end of a run and `drop`.
    """
    noted = _read(home)
    done = noted is not None and store.runs.is_done(RunKind.WATCH, noted[0])
    if done:
        drop(home)
    return done


def _read(home: Home) -> tuple[int, list[str]] | None:
    """Seed and ids of the prompts. Raises HomeError if the note can't be read."""
    try:
        row = parse_json(home.watch.read_text("utf-8"))
        return int(row["seed"]), list(row["prompts"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as exc:
        raise HomeError(f"can't read {home.watch}: {exc}; remove it") from exc
