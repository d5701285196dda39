"""The daemon's jobs, but for the watch: what one run of each does.

`watch_job` has the watch, `table` says when each job runs. A watch, and a round in its own process,
hold the home folder; the other jobs work beside whoever does.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ghostbust.adapters import read_adapter
from ghostbust.config import Config, override
from ghostbust.errors import DataError, HomeError, ModelError, StoreError, UnansweredError
from ghostbust.home import Home
from ghostbust.loop.alarms import tell_alarms
from ghostbust.loop.budget import REQUESTS, Allowance
from ghostbust.loop.build import asks_live, deployed_adapter
from ghostbust.loop.child import GRACE_S, Child, sweep_children
from ghostbust.loop.ingest.run import ingest, open_logs
from ghostbust.loop.ingest.workers import OpenPool, open_pool
from ghostbust.loop.promote import look_after
from ghostbust.loop.recheck import recheck_due
from ghostbust.loop.round_needs import lacking_for_round
from ghostbust.loop.session import open_beside
from ghostbust.loop.signals import Clock, Silence, SystemClock, log_ids
from ghostbust.prompts import MOST_HOLDOUT, Task
from ghostbust.records import Ecosystem, utc_now
from ghostbust.registries.live import NEGATIVE_TTL, open_client
from ghostbust.registries.names import purl
from ghostbust.registries.pip_config import PipSettings
from ghostbust.registries.sync import sync_pypi
from ghostbust.samplers.interface import Sampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """The daemon stops. Raised inside a job, which then leaves things as a kill would."""


class Waits(Exception):  # noqa: N818 (nothing went wrong)
    """The job has to wait, for the reason in the text. It is tried again when it is next due."""


@dataclass(frozen=True)
class Workplace:
    """What the jobs work with."""

    home: Home
    config: Config
    tasks: Sequence[Task]
    open_sampler: Callable[[tuple[str, Path] | None], Sampler]
    """loads the model with the adapter of that name and folder; None is the base"""
    round_command: Sequence[str]
    """the program that does one round; ``--seed`` and a number are appended"""
    stopping: threading.Event
    """set when the daemon stops"""
    child_grace_s: float = GRACE_S
    """how long a round has to end after SIGTERM, before it is killed"""
    clock: Clock = field(default_factory=SystemClock)
    open_rewriter: Callable[[], Sampler | None] = lambda: None
    """another model that rewrites tasks; None: the watched model does"""
    hide: Callable[[Iterable[str]], None] = lambda _: None
    """keeps these texts of prompts out of the log"""

    def raise_if_stopping(self) -> None:
        """Raises Stopped when the job must end."""
        if self.stopping.is_set():
            raise Stopped


def recheck_names(place: Workplace) -> None:
    """Asks the registries again, in small portions, whether invented names exist by now.

    Raises UnansweredError if some names got no answer although the day had requests left.
    """
    if not asks_live(place.config):
        log.info("recheck: registry.mode is snapshot, which can't tell what was registered since")
        return
    live = override(place.config, registry__mode="live")
    # The judge caches a live "no" for some hours, so asking more often than that changes nothing.
    age = max(timedelta(seconds=place.config.daemon.recheck_every_s), NEGATIVE_TTL)
    lock = place.home.recheck_lock
    with open_beside(place.home, live, purpose="recheck", lock=lock, clock=place.clock) as session:
        done = recheck_due(session, before=utc_now() - age, at_portion=place.raise_if_stopping)
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


def roll_back_if_worse(place: Workplace) -> None:
    """Rolls back the serving adapter if watches show that it does worse than the one before.

    Locks the pointer only while it moves.
    """
    with Store.open(place.home.database) as store:
        look_after(store, place.home, place.config, Allowance(store, place.config, place.clock))


def send_alarms(place: Workplace) -> None:
    """Sends the alarms that reached nobody yet, such as while a webhook was down."""
    with Store.open(place.home.database) as store:
        if sent := tell_alarms(store, place.config.alarm):
            log.info("alarms: %d reached somebody", sent)


def sync_names(place: Workplace) -> None:
    """Fetches PyPI's names into the home folder, as ``ghostbust registry sync`` does.

    Raises RegistryError if the index gives no usable listing; the snapshot in use stays.
    """
    index = PipSettings().index()
    with (
        Store.open(place.home.database) as store,
        open_client(Ecosystem.PYPI, index, Allowance(store, place.config, place.clock)) as client,
    ):
        done = sync_pypi(
            client,
            index.url,
            place.home.registry,
            today=place.clock.now().date(),
            progress=lambda _done, _total: place.raise_if_stopping(),
        )
    made = done.snapshot
    news = f"{done.added:,} new, {done.vanished:,} gone" if done.changed else "nothing newer there"
    log.info("sync: %s names of %s; %s", f"{len(made):,}", made.date, news)


class _StopListener(Silence):
    """Ends the reading of logs before it begins, or after a block that is stored."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def begin(self, what: str) -> None:  # noqa: ARG002
        self._place.raise_if_stopping()

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002
        self._place.raise_if_stopping()


def read_logs(place: Workplace, open_readers: OpenPool = open_pool) -> None:
    """Reads what is new in the logs of ``ingest.paths``, as ``ghostbust ingest`` does.

    Raises UsageError for a missing path, BusyError while another process reads logs.
    """
    if not place.config.ingest.paths:
        log.info("ingest: ingest.paths names no logs")
        return
    with open_logs(place.home, place.config, place.clock) as session:
        read = ingest(
            session,
            place.config.ingest.paths,
            listener=_StopListener(place),
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


def selfcheck(place: Workplace) -> None:
    """Checks database, adapters and disk. Raises DataError, one line, with all that is wrong."""
    faults = list(_faults(place))
    if faults:
        raise DataError("; ".join(faults))
    log.info("selfcheck: database, adapters and disk are sound")


def _faults(place: Workplace) -> Iterator[str]:
    home = place.home
    try:
        check_free_space(home, place.config.selfcheck.free_bytes)
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
        place.raise_if_stopping()
        if not adapter.path.exists():
            continue  # a person deleted it; the store keeps the row
        try:
            read_adapter(adapter.path)
        except ModelError as exc:
            yield str(exc)


def check_free_space(home: Home, free_bytes: int) -> None:
    """Raises HomeError if the home's disk has fewer free bytes, or can't be examined."""
    try:
        free = shutil.disk_usage(home.path).free
    except OSError as exc:
        raise HomeError(f"can't look at the disk of {home.path}: {exc.strerror}") from exc
    if free < free_bytes:
        raise HomeError(
            f"the disk of {home.path} has {free / 1e6:,.0f} MB left, which is less than"
            f" selfcheck.free_bytes ({free_bytes / 1e6:,.0f} MB); free some"
        )


def delete_old(place: Workplace) -> None:
    """Deletes old answers' texts and old live verdicts, in portions, if the settings say so."""
    limits, now = place.config.retention, place.clock.now()
    texts = lookups = 0
    with place.home.exclusive("retention"), Store.open(place.home.database) as store:
        if limits.answers_days is not None:
            before = now - timedelta(days=limits.answers_days)
            while gone := store.retention.drop_texts(before):
                texts += gone
                place.raise_if_stopping()
        if limits.lookups_days is not None:
            before = now - timedelta(days=limits.lookups_days)
            while gone := store.retention.drop_lookups(before):
                lookups += gone
                place.raise_if_stopping()
    log.info("retention: the texts of %d answers and %d live verdicts deleted", texts, lookups)


# --- the round
#
# Training and gates have a process, and its memory limit, to themselves. However it ends, the
# daemon continues and logs why; the next look continues a round that was cut off.


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
