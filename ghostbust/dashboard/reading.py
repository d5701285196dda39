"""What the dashboard shows, read from the store in one go.

`StoreReader` takes a `Query` and returns a `StoreSnapshot`. It opens the store for each reading,
read only, and closes it again, so no writer waits for the dashboard.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ghostbust.dashboard.details import (
    AnswerView,
    RoundFigures,
    prompt_text,
    read_answer,
    read_figures,
)
from ghostbust.errors import HomeError, SnapshotError
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

if TYPE_CHECKING:
    from ghostbust.registries.nearest import NearestNames

T = TypeVar("T")

NAMES: Final = 100
"""names, samples or prompts on a page"""
ROUNDS: Final = 50
"""most rounds listed, the newest"""
RUNS: Final = 8
"""runs listed in the overview, the newest"""
ALARMS: Final = 3
"""alarms listed in the overview, the newest"""
PROMPTS_REST: Final = 10.0
"""the pool is counted again after so many times the seconds that counting took"""
EVENTS: Final = 200
"""events listed, the newest"""


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows the person asks for."""

    search: str = ""
    """part of a name"""
    order: NameOrder = NameOrder.TIMES_SEEN
    page: int = 0
    """of names, from 0"""
    ignored: bool = False
    """also list names that a person ignores"""
    reveal: bool = False
    """show unregistered names in full"""
    private: bool = False
    """show the texts of prompts that users asked"""
    tab: str = "overview"
    """the tab in front; what only one tab shows is read for that tab alone"""
    name: tuple[Ecosystem, str] | None = None
    """the name whose details are shown; None for the first"""
    only_invented: bool = True
    """list only answers that invent a name"""
    of_name: tuple[Ecosystem, str] | None = None
    """list only answers that named this one; None for all"""
    sample_page: int = 0
    sample: str | None = None
    """id of the answer that is shown; None for the newest"""
    prompt_order: PromptOrder = PromptOrder.PAID
    prompt_page: int = 0
    prompt: str | None = None
    """id of the prompt whose lineage is shown; None for the first"""
    round: int | None = None
    """the round whose figures are shown; None for the newest"""


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
    """Who works in the home folder, the daemon's jobs, and what happened last."""

    holders: tuple[str, ...]
    """who holds which lock of the home folder, such as ``lock: process 71 (watch)``"""
    jobs: tuple[JobRow, ...]
    """the daemon's, by name"""
    spent: tuple[tuple[str, float], ...]
    """name of each budget and what was spent of it today"""
    events: tuple[Event, ...]
    """newest first"""


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """Sizes of what the store holds."""

    runs: int
    names: int
    new_names: int
    """first seen since ``last_round`` began; all of them where there was none"""
    last_round: int | None
    """the newest round that didn't fail: a failed one doesn't use its names up"""
    claimed: int
    undecided: int
    """of the claimed ones, those that nobody has decided on"""


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
    report: GateReport | None
    """what its gates said; None where they weren't run, and where it neither serves nor waits"""


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """The store at one time."""

    at: datetime
    query: Query
    deployed: str | None
    """None for the bare base"""
    previous: str | None
    """what would serve after a roll-back; None for the bare base, also where the base serves"""
    moves: tuple[Promotion, ...]
    """newest first"""
    counts: StoreCounts
    names: tuple[NameLine, ...]
    found: int
    """names that the query finds, on all pages"""
    rounds: tuple[RoundView, ...]
    """newest first, as are adapters, runs and alarms"""
    adapters: tuple[AdapterView, ...]
    rates: tuple[RatePoint, ...] = ()
    """oldest first; this and what stands below is read for one tab only"""
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


class _Kept(Generic[T]):
    """The value that was read last, for as long as it is asked for by the same key."""

    def __init__(self) -> None:
        self._last: tuple[object, T] | None = None
        self._due = 0.0

    def get(self, key: object, read: Callable[[], T], *, rest: float = math.inf) -> T:
        """The kept value, or a new one.

        ``rest``: a value is read again after so many times the seconds that reading it took.
        """
        if self._last is None or self._last[0] != key or time.monotonic() >= self._due:
            began = time.monotonic()
            self._last = (key, read())
            ended = time.monotonic()
            self._due = math.inf if rest == math.inf else ended + rest * (ended - began)
        return self._last[1]


class StoreReader:
    """Reads snapshots. May be called from any thread, one call at a time."""

    def __init__(self, home: Home, zone: tzinfo = UTC) -> None:
        """``zone``: where the day of the budgets begins at midnight (``jobs.time_zone``)."""
        self._home, self._zone = home, zone
        self._names = _Kept[NamePage]()
        self._near = _Kept[tuple[str, ...]]()
        self._indexes: dict[Ecosystem, NearestNames | None] = {}
        self._answer = _Kept[AnswerView | None]()
        self._round = _Kept[RoundFigures]()
        self._prompts = _Kept[tuple[PoolPrompt, ...]]()

    def read(self, query: Query, version: object = None) -> StoreSnapshot:
        """The store as it is now. Raises StoreError where there is none, or it can't be read.

        ``version``: a value that differs once somebody has written (`version_of`): while it stays
        the same, the page of names isn't read again. None: always read.
        """
        # Opening takes under 2 ms. In return a database may appear late, be replaced, or be read
        # from another thread.
        with Store.open(self._home.database, read_only=True) as store:
            rounds = {one.id: one for one in store.rounds.recent(ROUNDS)}
            moves = store.promotions.all()
            deployed = moves[0].adapter if moves else None
            page = self._page(store, query, deployed, version)
            return StoreSnapshot(
                at=utc_now(),
                query=query,
                deployed=deployed,
                previous=moves[0].previous if deployed else None,
                moves=tuple(moves),
                counts=_counts(store, list(rounds.values())),
                names=page.lines,
                found=page.found,
                rounds=tuple(
                    RoundView(one, store.rounds.gate_report(one.id)) for one in rounds.values()
                ),
                adapters=tuple(
                    _adapter_view(store, row, rounds, deployed) for row in store.rounds.adapters()
                ),
                **self._of_tab(store, query, page, deployed),
            )

    def _page(self, store: Store, query: Query, deployed: str | None, version: object) -> NamePage:
        key = (version, query.search, query.order, query.ignored, query.page, deployed)
        return self._names.get(
            object() if version is None else key,
            lambda: store.ledger.page(
                search=query.search,
                order=query.order,
                ignored=query.ignored,
                limit=NAMES,
                offset=query.page * NAMES,
                adapter=deployed,
            ),
        )

    def _of_tab(
        self, store: Store, query: Query, page: NamePage, deployed: str | None
    ) -> dict[str, Any]:
        """The fields that only the tab in front shows."""
        reveal = query.reveal
        match query.tab:
            case "overview":
                watch = next(iter(store.runs.recent(1, kinds=[RunKind.WATCH])), None)
                return {
                    "rates": tuple(store.runs.rates()),
                    "runs": tuple(store.runs.recent(RUNS)),
                    "spent": watch and Spent(watch.id, *store.answers.spent(watch.id)),
                    "alarms": tuple(store.alarms.recent(ALARMS)),
                    "activity": read_activity(store, self._home, self._zone, reveal=reveal),
                }
            case "jobs":
                return {"activity": read_activity(store, self._home, self._zone, reveal=reveal)}
            case "names" if query.name or page.lines:
                chosen = query.name or (page.lines[0].name.ecosystem, page.lines[0].name.name)
                known = store.ledger.details(*chosen, adapter=deployed)
                near = self._near.get(chosen, lambda: self._nearest(*chosen))
                return {"known": known, "nearest": near}
            case "samples":
                samples = store.answers.page(
                    invented=query.only_invented,
                    name=query.of_name,
                    limit=NAMES,
                    offset=query.sample_page * NAMES,
                )
                sample = query.sample or (samples[0].sample_id if samples else "")
                answer = self._answer.get(
                    (sample, reveal, query.private),
                    lambda: read_answer(store, sample, reveal=reveal, private=query.private),
                )
                return {"samples": tuple(samples), "answer": answer}
            case "rounds":
                newest = store.rounds.recent(1)
                if newest:
                    one = newest[0] if query.round is None else store.rounds.get(query.round)
                    key = (one.id, one.state, one.updated, one.adapter)
                    return {"figures": self._round.get(key, lambda: read_figures(store, one))}
            case "prompts":
                # Counting takes long where there are many samples.
                lines = self._prompts.get(
                    (query.prompt_order, query.prompt_page),
                    lambda: tuple(
                        store.prompts.page(
                            order=query.prompt_order, limit=NAMES, offset=query.prompt_page * NAMES
                        )
                    ),
                    rest=PROMPTS_REST,
                )
                prompt = query.prompt or (lines[0].prompt_id if lines else "")
                return {
                    "prompts": tuple(
                        (p, prompt_text(store, p, reveal=reveal, private=query.private))
                        for p in lines
                    ),
                    "pool": store.prompts.count(),
                    "lineage": tuple(store.prompts.lineage(prompt)) if prompt else (),
                }
        return {}

    def _nearest(self, ecosystem: Ecosystem, name: str) -> tuple[str, ...]:
        """Registered names like it; none where there is no snapshot of its registry."""
        if ecosystem not in self._indexes:
            from ghostbust.registries.judge import Mode, default_judge
            from ghostbust.registries.nearest import NearestNames

            try:
                with default_judge(Mode.SNAPSHOT, data_dir=self._home.registry) as judge:
                    snapshot = judge.snapshots.get(ecosystem)
            except SnapshotError:
                snapshot = None
            self._indexes[ecosystem] = None if snapshot is None else NearestNames(snapshot)
        index = self._indexes[ecosystem]
        return () if index is None else tuple(index.of(name))


def _adapter_view(
    store: Store, row: AdapterRow, rounds: Mapping[int, Round], deployed: str | None
) -> AdapterView:
    made = rounds.get(row.round_id) or store.rounds.get(row.round_id)
    asked = made.state is RoundState.WAITING or row.candidate.name == deployed
    return AdapterView(row, made, store.rounds.gate_report(made.id) if asked else None)


def version_of(database: Path) -> tuple[object, ...]:
    """Times, sizes and numbers of the file and its log: they differ once anybody has written."""
    found: list[object] = []
    for path in (database, database.with_name(f"{database.name}-wal")):
        try:
            stat = path.stat()
            found += [stat.st_mtime_ns, stat.st_size, stat.st_ino]
        except OSError:
            found.append(None)
    return tuple(found)


def _counts(store: Store, rounds: Sequence[Round]) -> StoreCounts:
    newest = store.runs.recent(1)
    last = next((one for one in rounds if one.state is not RoundState.FAILED), None)
    return StoreCounts(
        # Runs are numbered from 1 and never deleted.
        runs=newest[0].id if newest else 0,
        names=store.ledger.count_new_inventions(),
        new_names=store.ledger.count_new_inventions(None if last is None else last.started),
        last_round=None if last is None else last.id,
        claimed=store.ledger.claimed(),
        undecided=store.ledger.claimed(undecided=True),
    )


def read_activity(store: Store, home: Home, zone: tzinfo = UTC, *, reveal: bool) -> Activity:
    """What happened, from all tables that have a time. Names are redacted unless revealed."""
    events = sorted(_events(store, reveal=reveal), key=lambda event: event.at, reverse=True)
    return Activity(
        holders=tuple(_holders(home)),
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
        serves, before = move.adapter or "the base", move.previous or "the base"
        yield Event(move.at, move.kind, f"{serves} serves, before it {before}: {move.reason}")
    for alarm in store.alarms.recent(EVENTS):
        name = alarm.name if reveal else redact(alarm.name)
        sent = f", told: {' '.join(alarm.told)}" if alarm.told else ", nobody told"
        yield Event(alarm.at, "alarm", f"{name} ({alarm.ecosystem}) is registered now{sent}")
    for review in store.reviews.recent(EVENTS):
        name = review.name if reveal else redact(review.name)
        yield Event(review.at, "review", f"{review.decision} {name}: {review.reason}")
    for canary in store.published.canaries(limit=EVENTS):
        passed = "passed" if canary.passed else "failed"
        said = f"{canary.adapter} {passed} at {canary.replica}: {canary.reason}"
        yield Event(canary.at, "canary", said)


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
