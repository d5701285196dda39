"""What the dashboard shows, read in one go. Never writes, and holds nothing open in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from ghostbust.dashboard.details import AnswerView, Details, RoundFigures
from ghostbust.errors import HomeError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, GateReport, Promotion, utc_now
from ghostbust.store.answers import SampleLine
from ghostbust.store.daemon import JobRow
from ghostbust.store.names import Alarm, KnownName, NameLine, NameOrder, NamePage
from ghostbust.store.prompts import PoolPrompt, PromptOrder, Relative
from ghostbust.store.rounds import AdapterRow, Round, RoundState
from ghostbust.store.runs import RatePoint, Run, RunKind
from ghostbust.store.store import Store
from ghostbust.text import redact

# --- activity
# What works now, and what happened last: the log that the store itself is.

EVENTS: Final = 200
"""events listed, the newest"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    at: datetime
    what: str
    """a word: ``run``, ``round``, ``promotion``, ``alarm``, ``review``, ``canary``"""
    text: str
    """not yet made visible"""


@dataclass(frozen=True, slots=True)
class Activity:
    """Who works in the home folder, what is under way, what came of the last things."""

    holders: tuple[str, ...]
    """who holds which lock of the home folder, such as ``lock: process 71 (watch)``"""
    jobs: tuple[JobRow, ...]
    """the daemon's, by name"""
    spent: tuple[tuple[str, float], ...]
    """of each budget today, by its name"""
    events: tuple[Event, ...]
    """newest first"""


def read_activity(store: Store, home: Home | None, *, reveal: bool, zone: tzinfo = UTC) -> Activity:
    """What happened, from all tables that have a time. Names are redacted unless revealed.

    ``zone``: where the day of the budgets begins at midnight.
    """
    events = sorted(_events(store, reveal=reveal), key=lambda event: event.at, reverse=True)
    return Activity(
        holders=() if home is None else tuple(_holders(home)),
        jobs=tuple(store.jobs.all().values()),
        spent=tuple(sorted(store.spending.of(utc_now().astimezone(zone).date()).items())),
        events=tuple(events[:EVENTS]),
    )


def _holders(home: Home) -> Iterator[str]:
    for lock in home.locks:
        try:
            holder = home.holder(lock)
        except HomeError as exc:  # another user's
            yield f"{lock.name}: {exc}"
            continue
        if holder is not None:
            pid, _, purpose = holder.partition(" ")
            yield f"{lock.name}: process {pid} ({purpose or 'starting'})"


def _events(store: Store, *, reveal: bool) -> Iterator[Event]:
    for run in store.runs.recent(EVENTS):
        who = run.spec.adapter or "base"
        measured = run.measurement
        rate = "" if measured is None else f", rate {measured.rate:.3f}, {measured.answers} answers"
        at = run.finished or run.started
        yield Event(at, "run", f"{run.id} {run.spec.kind} of {who}: {run.status}{rate}")
    for one in store.rounds.recent(EVENTS):
        why = f": {one.reason}" if one.reason else ""
        yield Event(one.updated, "round", f"{one.id} {one.state}{why}")
    for move in store.promotions.all()[:EVENTS]:
        serves = f"{move.adapter or 'the base'} serves"
        yield Event(move.at, move.kind, f"{serves}, before it {move.previous or 'the base'}"
                    f": {move.reason}")  # fmt: skip
    for alarm in store.alarms.recent(EVENTS):
        name = alarm.name if reveal else redact(alarm.name)
        told = f", told: {' '.join(alarm.told)}" if alarm.told else ", nobody told"
        yield Event(alarm.at, "alarm", f"{name} ({alarm.ecosystem}) is registered now{told}")
    for review in store.reviews.recent(EVENTS):
        name = review.name if reveal else redact(review.name)
        yield Event(review.at, "review", f"{review.decision} {name}: {review.reason}")
    for canary in store.published.canaries(limit=EVENTS):
        passed = "passed" if canary.passed else "failed"
        yield Event(canary.at, "canary", f"{canary.adapter} {passed} at {canary.replica}:"
                    f" {canary.reason}")  # fmt: skip


def job_state(job: JobRow) -> str:
    """What the job does now, in a word or three."""
    if job.works:
        return "works"
    if job.was_killed:
        return "was killed"
    if job.paused is not None:
        return "paused"
    if job.requested is not None:
        return "asked for"
    if not job.failures:
        return "waits"
    return "failed once" if job.failures == 1 else f"failed {job.failures} times"


NAMES: Final = 100
"""names, samples or prompts on a page"""
ROUNDS: Final = 50
"""most rounds listed, the newest"""
RUNS: Final = 8
"""runs listed in the overview, the newest"""
ALARMS: Final = 3
"""alarms told in the overview, the newest"""
PROMPTS_EVERY: Final = 10.0
"""what counting every prompt took is waited so many times over before it is done again"""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked at."""

    search: str = ""
    """part of a name"""
    order: NameOrder = NameOrder.TIMES_SEEN
    page: int = 0
    """of names, from 0"""
    ignored: bool = False
    """list names too that a person ignores"""
    reveal: bool = False
    """show unregistered names in full"""
    tab: str = "overview"
    """what only one tab shows is read for that one only"""
    name: tuple[Ecosystem, str] | None = None
    """the name whose details are shown; None for none"""
    only_invented: bool = True
    """list answers only that invent a name"""
    of_name: tuple[Ecosystem, str] | None = None
    """list answers only that named this one; None for all"""
    sample_page: int = 0
    sample: str | None = None
    """id of the answer that is shown; None for none"""
    prompt_order: PromptOrder = PromptOrder.PAID
    prompt_page: int = 0
    prompt: str | None = None
    """id of the prompt whose lineage is shown; None for none"""
    round: int | None = None
    """the round whose figures are shown; None for none"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Sizes of what the store holds."""

    runs: int
    names: int
    new_names: int
    """first seen since ``last_round`` began; all of them where there was none"""
    last_round: int | None
    """the newest round that didn't fail: a failed one doesn't use its names up"""
    claimed: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What the newest watch took."""

    run_id: int
    answers: int
    tokens: int


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round with what its gates said."""

    round: Round
    report: GateReport | None
    """None where the gates weren't run"""


@dataclass(frozen=True, slots=True)
class AdapterView:
    """An adapter with the round that made it."""

    row: AdapterRow
    round: Round
    deployed: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store at one time."""

    at: datetime
    query: Query
    """what the rest is the answer to"""
    deployed: str | None
    """None for the bare base"""
    previous: str | None
    """what a roll-back would let serve; None for the bare base, also where the base serves"""
    moves: tuple[Promotion, ...]
    """newest first"""
    counts: Counts
    names: tuple[NameLine, ...]
    found: int
    """names that the query finds, on all pages"""
    rounds: tuple[RoundView, ...]
    """newest first, as are adapters, runs and alarms"""
    adapters: tuple[AdapterView, ...]
    rates: tuple[RatePoint, ...] = ()
    """oldest first; from here on, what only one tab shows"""
    runs: tuple[Run, ...] = ()
    spent: Spent | None = None
    """None where no watch was made"""
    alarms: tuple[Alarm, ...] = ()
    activity: Activity | None = None
    known: KnownName | None = None
    nearest: tuple[str, ...] = ()
    """registered names that the name may have been meant for"""
    samples: tuple[SampleLine, ...] = ()
    answer: AnswerView | None = None
    prompts: tuple[tuple[PoolPrompt, str], ...] = ()
    """each with its text as it may be shown"""
    pool: int = 0
    """prompts in all"""
    lineage: tuple[Relative, ...] = ()
    figures: RoundFigures | None = None

    def latest_rates(self) -> list[RatePoint]:
        """The newest point of each model, adapter and kind of run: the bases first, then newest.

        Kinds ask different prompts, so one kind's rate doesn't compare with another's.
        """
        latest = {(point.model, point.adapter, point.kind): point for point in self.rates}
        newest = sorted(latest.values(), key=lambda point: point.run_id, reverse=True)
        return sorted(newest, key=lambda point: point.adapter is not None)


@dataclass
class _Kept:
    """Something that takes long to read, and when it is due again."""

    key: object = None
    value: tuple[PoolPrompt, ...] = ()
    due: float = field(default=0.0)


class Reader:
    """Reads snapshots. May be called from any thread, one call at a time."""

    def __init__(self, database: Path, home: Home | None = None, zone: tzinfo = UTC) -> None:
        """``home``: who works there, and the registry snapshots; None leaves both out.

        ``zone``: of the settings (``jobs.time_zone``), for what was spent today.
        """
        self._database = database
        self._zone = zone
        self._home = home
        self._details = Details(home)
        self._prompts = _Kept()
        self._names: tuple[object, NamePage] | None = None

    def read(self, query: Query, version: object = None) -> Snapshot:
        """The store as it is now. Raises StoreError where there is none yet, or it can't be read.

        ``version``: what differs whenever somebody has written; where it is the same again, so is
        the page of names. None: that isn't known.

        Opened anew each time, for under 2 ms: so a database that appears late, is replaced, or
        is read from another thread needs no care.
        """
        with Store.open(self._database, read_only=True) as store:
            return self._read(store, query, version)

    def _read(self, store: Store, query: Query, version: object) -> Snapshot:
        rounds = {one.id: one for one in store.rounds.recent(ROUNDS)}
        moves = store.promotions.all()
        deployed = moves[0].adapter if moves else None
        page = self._page(store, query, deployed, version)
        return Snapshot(
            at=utc_now(),
            query=query,
            deployed=deployed,
            previous=next((m.previous for m in moves if deployed and m.adapter == deployed), None),
            moves=tuple(moves),
            counts=_counts(store, list(rounds.values())),
            names=page.lines,
            found=page.found,
            rounds=tuple(
                RoundView(one, store.rounds.gate_report(one.id)) for one in rounds.values()
            ),
            adapters=tuple(
                AdapterView(
                    row,
                    rounds.get(row.round_id) or store.rounds.get(row.round_id),
                    row.candidate.name == deployed,
                )
                for row in store.rounds.adapters()
            ),
            **self._of_tab(store, query, deployed),
        )

    def _page(self, store: Store, query: Query, deployed: str | None, version: object) -> NamePage:
        """The page of names; while only the cursor moves, that which was read already."""
        key = (version, query.search, query.order, query.ignored, query.page, deployed)
        if version is None or self._names is None or self._names[0] != key:
            page = store.ledger.page(
                search=query.search,
                order=query.order,
                ignored=query.ignored,
                limit=NAMES,
                offset=query.page * NAMES,
                adapter=deployed,
            )
            self._names = (key, page)
        return self._names[1]

    def _of_tab(self, store: Store, query: Query, deployed: str | None) -> dict[str, Any]:
        """What only the tab in front shows."""
        match query.tab:
            case "overview":
                return {
                    "rates": tuple(store.runs.rates()),
                    "runs": tuple(store.runs.recent(RUNS)),
                    "spent": _spent(store),
                    "alarms": tuple(store.alarms.recent(ALARMS)),
                    "activity": self._activity(store, query),
                }
            case "jobs":
                return {"activity": self._activity(store, query)}
            case "names" if query.name is not None:
                known = store.ledger.details(*query.name, adapter=deployed)
                return {"known": known, "nearest": self._details.nearest(query.name)}
            case "samples":
                samples = store.answers.page(
                    invented=query.only_invented,
                    name=query.of_name,
                    limit=NAMES,
                    offset=query.sample_page * NAMES,
                )
                chosen = query.sample or (samples[0].sample_id if samples else None)
                answer = self._details.answer(store, chosen, reveal=query.reveal)
                return {"samples": tuple(samples), "answer": answer}
            case "rounds":
                return {"figures": self._details.figures(store, query.round)}
            case "prompts":
                return self._pool(store, query)
        return {}

    def _activity(self, store: Store, query: Query) -> Activity:
        return read_activity(store, self._home, reveal=query.reveal, zone=self._zone)

    def _pool(self, store: Store, query: Query) -> dict[str, Any]:
        """The page of prompts, which takes long where there are many samples, and the lineage."""
        key = (query.prompt_order, query.prompt_page)
        if self._prompts.key != key or time.monotonic() >= self._prompts.due:
            began = time.monotonic()
            page = store.prompts.page(
                order=query.prompt_order, limit=NAMES, offset=query.prompt_page * NAMES
            )
            took = time.monotonic() - began
            self._prompts = _Kept(key, tuple(page), time.monotonic() + PROMPTS_EVERY * took)
        lines = self._prompts.value
        chosen = query.prompt or (lines[0].prompt_id if lines else None)
        return {
            "prompts": self._details.texts(store, lines, reveal=query.reveal),
            "pool": store.prompts.count(),
            "lineage": () if chosen is None else tuple(store.prompts.lineage(chosen)),
        }


def _spent(store: Store) -> Spent | None:
    """What the newest watch took; None before the first."""
    newest = next(iter(store.runs.recent(1, kinds=[RunKind.WATCH])), None)
    return None if newest is None else Spent(newest.id, *store.answers.spent(newest.id))


def _counts(store: Store, rounds: Sequence[Round]) -> Counts:
    newest = store.runs.recent(1)
    last = next((one for one in rounds if one.state is not RoundState.FAILED), None)
    return Counts(
        # Runs are numbered from 1 and never deleted.
        runs=newest[0].id if newest else 0,
        names=store.ledger.count_new_inventions(),
        new_names=store.ledger.count_new_inventions(None if last is None else last.started),
        last_round=None if last is None else last.id,
        claimed=store.ledger.claimed(),
    )
