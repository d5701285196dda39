"""The daemon's round: whether one is due, and one in a process of its own.

Training and gates have that process, and its limit, to themselves. However it ends, the daemon goes
on and says why it ended; a round that was cut off is gone on with at the next look.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ghostbust.adapters import read_adapter
from ghostbust.config import Config, override
from ghostbust.documents import parse_json
from ghostbust.errors import (
    DataError,
    HomeError,
    ModelError,
    StoreError,
    UnansweredError,
    UnreachableError,
)
from ghostbust.files import write_whole
from ghostbust.home import Home
from ghostbust.log_ids import log_ids
from ghostbust.loop.alarms import tell_alarms
from ghostbust.loop.budget import REQUESTS, Allowance, LimitedSampler, budget_of_watch
from ghostbust.loop.build import asks_live, deployed_adapter, sampling_settings
from ghostbust.loop.child import GRACE_S, Child, sweep_children
from ghostbust.loop.discovery.plan import choose_prompts, pause_reason, rules_of
from ghostbust.loop.discovery.seeds import DescribedPackages, GivenTasks, gathered
from ghostbust.loop.ingest.run import ingest, open_logs
from ghostbust.loop.ingest.workers import OpenPool, open_pool
from ghostbust.loop.promote import look_after, note_requests
from ghostbust.loop.recheck import recheck_due
from ghostbust.loop.round_needs import lacking_for_round
from ghostbust.loop.session import Session, open_beside, open_session
from ghostbust.loop.signals import Clock, Silence, SystemClock
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.measure import said_unknown
from ghostbust.prompts import MOST_HOLDOUT, Task, first_prompts
from ghostbust.records import Ecosystem, Prompt, utc_now
from ghostbust.registries.live import NEGATIVE_TTL, open_client
from ghostbust.registries.names import purl
from ghostbust.registries.pip_config import PipSettings
from ghostbust.registries.sync import sync_pypi
from ghostbust.samplers.interface import Sampler
from ghostbust.sections import DaemonSection
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

# --- pending
# The watch that is under way, in the home folder, so that a killed daemon goes on with it.
#
# The store knows what was answered; which prompts the rest of the run is made of stands here. Only
# their ids do: a prompt's text stays where `prompts.keep` allows it.


@dataclass(frozen=True, slots=True)
class Pending:
    """What a watch asks."""

    seed: int
    """of the run, and of no other watch"""
    prompts: tuple[Prompt, ...]


def keep(home: Home, store: Store, pending: Pending) -> None:
    """Notes the watch before it begins. Raises HomeError where the home can't be written."""
    store.prompts.add(pending.prompts)
    row = {"seed": pending.seed, "prompts": [prompt.id for prompt in pending.prompts]}
    write_whole(home.watch, json.dumps(row) + "\n", error=HomeError)


def dropped_done(home: Home, store: Store) -> bool:
    """True where a watch is noted whose run is done; it is forgotten.

    A kill can fall between a run's end and ``drop``.
    """
    noted = _read(home)
    done = noted is not None and store.runs.is_done(RunKind.WATCH, noted[0])
    if done:
        drop(home)
    return done


def find(home: Home, store: Store, tasks: Iterable[Task]) -> Pending | None:
    """The noted watch; None without one, or where a prompt's text was kept nowhere."""
    noted = _read(home)
    if noted is None:
        return None
    seed, ids = noted
    own = {prompt.id: prompt for prompt in first_prompts(tasks)}
    prompts = [own.get(prompt_id) or store.prompts.get(prompt_id) for prompt_id in ids]
    whole = tuple(prompt for prompt in prompts if prompt is not None)
    return Pending(seed, whole) if len(whole) == len(ids) else None


def drop(home: Home) -> None:
    """Forgets the watch: it is done, or can't be done."""
    home.watch.unlink(missing_ok=True)


def _read(home: Home) -> tuple[int, list[str]] | None:
    """Seed and ids of the prompts. Raises HomeError where the note can't be read."""
    try:
        row = parse_json(home.watch.read_text("utf-8"))
        return int(row["seed"]), list(row["prompts"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as exc:
        raise HomeError(f"can't read {home.watch}: {exc}; remove it") from exc


# --- jobs
# The daemon's jobs: watch, recheck, roll-back; `round_job.py` has the round.
#
# A watch holds the home folder while it works; the others work beside whoever does.

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
    hide: Callable[[Iterable[str]], None] = lambda _: None
    """has these texts of prompts kept out of the log"""


def watch(place: Workplace) -> None:
    """One watch: choose what to ask, ask the deployed model, log what it invents.

    A watch that was interrupted is gone on with first. The model is in memory only while the
    watch lasts, so what a round promoted meanwhile is what the next one asks.
    """
    with open_session(place.home, place.config, purpose="watch", clock=place.clock) as session:
        if dropped_done(place.home, session.store):
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
        asked = find(place.home, session.store, place.tasks)
        if asked is None:
            rewriter = place.open_rewriter()
            if rewriter is not None:
                rewriter = _careful(place, rewriter, allowance, asks_live=False)
            asked = _choose(place, session, sampler, rewriter)
            if not asked.prompts:
                log.warning("watch: no task is on the training side; add some to prompts.files")
                return
            keep(place.home, session.store, asked)
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
) -> LimitedSampler:
    """The sampler within the day's budgets, until the daemon stops; its prompts aren't logged."""
    return LimitedSampler(
        sampler,
        allowance,
        asks_live=asks_live,
        check=lambda: _stop_if_asked(place),
        hide=place.hide,
    )


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
) -> Pending:
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
    return Pending(seed, chosen.prompts)


def _ask(place: Workplace, session: Session, sampler: LimitedSampler, asked: Pending) -> Watched:
    """The finished run. What the next watch should go on with stays noted, nothing else."""
    settings = sampling_settings(place.config, asked.seed)
    limited = sampler.within(budget_of_watch(place.config, session.store, asked.seed))
    watcher = Watcher(session.store, limited, session.judge, settings)
    try:
        watched = watcher.prompts(asked.prompts, RunKind.WATCH)
    except (Stopped, UnreachableError):
        run = session.store.runs.recent(1)[0]
        log.info("watch: run %d is interrupted; the next watch goes on with it", run.id)
        raise
    except BaseException:
        # These prompts may be what breaks it: never again and again.
        drop(place.home)
        raise
    drop(place.home)
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


# --- sync_job
# The daemon's sync of a registry: the names of the index that pip asks, if they changed.


def sync_names(place: Workplace) -> None:
    """Fetches PyPI's names into the home folder, as ``ghostbust registry sync`` does.

    Raises RegistryError where the index gives no usable listing; the snapshot in use stays then.
    """

    def go_on(_done: int, _total: int | None) -> None:
        if place.stopping.is_set():
            raise Stopped

    index = PipSettings().index()
    with (
        Store.open(place.home.database) as store,
        open_client(Ecosystem.PYPI, index, Allowance(store, place.config, place.clock)) as client,
    ):
        today = place.clock.now().date()
        done = sync_pypi(client, index.url, place.home.registry, today=today, progress=go_on)
    made = done.snapshot
    news = f"{done.added:,} new, {done.vanished:,} gone" if done.changed else "nothing newer there"
    log.info("sync: %s names of %s; %s", f"{len(made):,}", made.date, news)


# --- ingest_job
# The daemon's reading of logs: what is new in `ingest.paths`, block by block.


class _Stoppable(Silence):
    """A listener that ends the reading before it begins, or behind a block that is logged."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def begin(self, what: str) -> None:  # noqa: ARG002
        """Raises Stopped where the job must stop."""
        if self._stopping.is_set():
            raise Stopped

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002
        """Raises Stopped where the job must stop."""
        self.begin("")


def read_logs(place: Workplace, open_readers: OpenPool = open_pool) -> None:
    """Reads what is new in the logs of the settings, as ``ghostbust ingest`` does.

    ``open_readers`` is as for `ingest`.
    Raises UsageError for a path that isn't there, BusyError where somebody follows logs already.
    """
    if not place.config.ingest.paths:
        log.info("ingest: ingest.paths names no logs")
        return
    with open_logs(place.home, place.config, place.clock) as session:
        read = ingest(
            session,
            place.config.ingest.paths,
            listener=_Stoppable(place.stopping),
            open_readers=open_readers,
        )
    for note in read.notes:
        log.warning("ingest: %s", note)
    log.info(
        "ingest: %d completions in %d new lines, %d of them invent a name, %d lines skipped, "
        "%d answers read in part only",
        read.completions,
        read.lines,
        read.inventing,
        read.skipped.faulty,
        read.skipped.unread,
    )


# --- selfcheck
# SELFCHECK: is the database sound, is every adapter what it was, is there room?


def check_house(place: Workplace) -> None:
    """Looks at everything once. Raises DataError, one line, with all that is wrong."""
    faults = list(_faults(place))
    if faults:
        raise DataError("; ".join(faults))
    log.info("selfcheck: database, adapters and disk are sound")


def _faults(place: Workplace) -> Iterator[str]:
    home = place.home
    try:
        lacking_room(home, place.config.selfcheck.free_bytes)
    except HomeError as exc:
        yield str(exc)
    try:
        with Store.open(home.database) as store:
            yield from store.faults()
            adapters = [row.candidate for row in store.rounds.adapters()]
    except StoreError as exc:
        yield str(exc)
        return
    for adapter in adapters:
        if place.stopping.is_set():
            raise Stopped
        if not adapter.path.exists():
            continue  # deleted by a person; the store keeps the row
        try:
            read_adapter(adapter.path)
        except ModelError as exc:
            yield str(exc)


def lacking_room(home: Home, free_bytes: int) -> None:
    """Returns where the home's disk has room. Raises HomeError where it has too little."""
    try:
        free = shutil.disk_usage(home.path).free
    except OSError as exc:
        raise HomeError(f"can't look at the disk of {home.path}: {exc.strerror}") from exc
    if free < free_bytes:
        raise HomeError(
            f"the disk of {home.path} has {free / 1e6:,.0f} MB left, which is less than"
            f" selfcheck.free_bytes ({free_bytes / 1e6:,.0f} MB); free some"
        )


# --- retention
# RETENTION: what is old and needed by nothing is deleted, if the settings say so.


def forget_old(place: Workplace) -> None:
    """Deletes old answers' texts and old live verdicts, in portions."""
    limits, now = place.config.retention, place.clock.now()
    texts = lookups = 0
    with place.home.exclusive("retention"), Store.open(place.home.database) as store:
        if limits.answers_days is not None:
            before = now - timedelta(days=limits.answers_days)
            while gone := store.retention.drop_texts(before):
                texts += gone
                _stop_if_asked(place)
        if limits.lookups_days is not None:
            before = now - timedelta(days=limits.lookups_days)
            while gone := store.retention.drop_lookups(before):
                lookups += gone
                _stop_if_asked(place)
    log.info("retention: the texts of %d answers and %d live verdicts deleted", texts, lookups)


# --- round_job
# The daemon's round: whether one is due, and one in a process of its own.
#
# Training and gates have that process, and its limit, to themselves. However it ends, the daemon
# goes
# on and says why it ended; a round that was cut off is gone on with at the next look.


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
    for point in store.runs.rates(1, RunKind.WATCH, model=model, adapters=[name]):
        newer = last is None or point.finished > last.updated
        low = point.ci95[0]
        return low if newer and low > daemon.round_min_rate else None
    return None
