"""The figures of ``/metrics``: counts of this process, and what the database holds.

No label holds free text: no package, no prompt, no path. Label values are verdicts, states, kinds,
and names of jobs, budgets and adapters, all of which ghostbust made.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ghostbust import __version__
from ghostbust.config import Config
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance
from ghostbust.loop.signals import JobDone, SystemClock
from ghostbust.records import Verdict, utc_now
from ghostbust.registries.transport import RequestCounts
from ghostbust.store.daemon import Grown, Marks
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

SECONDS: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)
"""upper ends of the buckets of a job's duration"""
WATCHED_RUNS: Final = 50
"""newest watches among which each adapter's last one is shown"""
MOVES: Final = {"promote": "promotions", "rollback": "rollbacks"}

Key = TypeVar("Key", bound=str)


class JobMetrics:
    """A companion that counts jobs and notifications."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._jobs = Counter(
            "ghostbust_jobs", "Runs of the daemon's jobs.", ["job", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "ghostbust_job_duration_seconds",
            "How long runs of a job took that weren't skipped.",
            ["job"],
            buckets=SECONDS,
            registry=registry,
        )
        self._last = Gauge(
            "ghostbust_job_last_success_timestamp_seconds",
            "When a job was last done, since the daemon began.",
            ["job"],
            registry=registry,
        )
        self._notices = Counter(
            "ghostbust_notices", "Notifications by what came of them.", ["outcome"],
            registry=registry,
        )  # fmt: skip

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def job_done(self, done: JobDone) -> None:
        """Counts the run."""
        self._jobs.labels(done.name, done.state).inc()
        if done.state != "skipped":
            self._seconds.labels(done.name).observe(done.seconds)
        if done.state == "ok":
            self._last.labels(done.name).set_to_current_time()

    def notice(self, outcome: str) -> None:
        """Counts a notification: ``sent``, ``failed`` or ``dropped``."""
        self._notices.labels(outcome).inc()


class HomeCollector(Collector):
    """The figures of a home folder, read for each request. For any thread.

    Counters begin at 0 with the daemon, and count what every process adds to the database. If that
    can't be read, ``ghostbust_store_up`` is 0 and its figures are missing.
    """

    def __init__(self, home: Home, requests: RequestCounts, config: Callable[[], Config]) -> None:
        self._home, self._requests, self._config = home, requests, config
        self._lock = threading.Lock()
        self._marks: Marks | None = None
        self._samples = self._tokens = self._inventions = 0
        self._refs: dict[str, int] = dict.fromkeys(Verdict, 0)

    def begin(self) -> None:
        """Starts the counters. Without it, the first request does."""
        try:
            with self._lock, Store.open(self._home.database, read_only=True) as store:
                self._marks = store.growth.marks()
        except StoreError:
            self._marks = Marks()  # there is no database yet, so everything will be new

    def collect(self) -> Iterator[Metric]:
        """Every family of figures."""
        yield _gauge("build_info", "Version of ghostbust.", {__version__: 1}, "version")
        yield _counter(
            "registry_requests", "Requests to registries, of this process.", self._requests.counts,
            "outcome",
        )  # fmt: skip
        disk = shutil.disk_usage(self._home.path)
        yield _gauge("disk_free_bytes", "Free space of the home folder's disk.", disk.free)
        yield _gauge("disk_bytes", "Size of the home folder's disk.", disk.total)
        with self._lock:
            try:
                with Store.open(self._home.database, read_only=True) as store:
                    families = [
                        *self._grown(store), *_standing(store), *_budgets(store, self._config())
                    ]  # fmt: skip
            except StoreError:
                families = []
        yield _gauge("store_up", "Whether the database can be read.", int(bool(families)))
        yield from families

    def _grown(self, store: Store) -> Iterator[Metric]:
        marks = store.growth.marks()
        self._add(store.growth.between(self._marks or marks, marks))
        self._marks = marks
        yield _counter("samples", "Answers that were logged.", self._samples)
        yield _counter("tokens", "Tokens of those answers.", self._tokens)
        yield _counter("refs", "Packages named in those answers.", self._refs, "verdict")
        yield _counter("inventions", "Invented names never seen before.", self._inventions)
        log = self._home.database.with_name(f"{self._home.database.name}-wal")
        size = sum(file.stat().st_size for file in (self._home.database, log) if file.exists())
        yield _gauge("database_bytes", "Size of the database and its write-ahead log.", size)

    def _add(self, grown: Grown) -> None:
        self._samples += grown.samples
        self._tokens += grown.tokens
        self._inventions += grown.inventions
        for verdict, refs in grown.refs.items():
            self._refs[verdict] = self._refs.get(verdict, 0) + refs


def make_registry(
    home: Home, requests: RequestCounts, config: Callable[[], Config]
) -> tuple[CollectorRegistry, HomeCollector, JobMetrics]:
    """All figures, with the process's own memory, CPU time and open files.

    ``config``: the settings in force.
    """
    registry = CollectorRegistry()
    collector = HomeCollector(home, requests, config)
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry, collector, JobMetrics(registry)


def _standing(store: Store) -> Iterator[Metric]:
    """Figures of the whole database, whenever it was written; reads small tables only."""
    states = dict.fromkeys(RoundState, 0) | store.growth.round_states()
    yield _gauge("rounds", "Rounds by how far they got.", states, "state")
    moves = store.growth.moves()
    for kind, name in MOVES.items():
        yield _counter(name, f"Moves of the deployed pointer: {kind}.", moves.get(kind, 0))
    yield _counter("claimed_names", "Invented names found registered.", store.ledger.claimed())
    points = store.runs.rates(WATCHED_RUNS, RunKind.WATCH)  # oldest first: the last one stays
    # Figures of an older measure are no part of the same series.
    watches = {point.adapter or "base": point for point in points if not point.measure}
    rates = {adapter: point.rate for adapter, point in watches.items()}
    yield _gauge("watch_rate", "Hallucination rate of the last watch.", rates, "adapter")
    volumes = {adapter: point.volume for adapter, point in watches.items()}
    yield _gauge("watch_volume", "Real names an answer, last watch.", volumes, "adapter")
    names = _names_of_candidate(store)
    yield _gauge("candidate_names_ratio", "The base's: 1; of the newest gated.", names, "figure")
    queues, now = store.growth.waiting(), utc_now()
    counts = {name: queue.count for name, queue in queues.items()}
    yield _gauge("waiting", "What waits for somebody.", counts, "queue")
    ages = {
        name: max(0.0, (now - queue.since).total_seconds()) if queue.since else 0.0
        for name, queue in queues.items()
    }
    yield _gauge("waiting_seconds", "How long the oldest of it waits.", ages, "queue")


def _names_of_candidate(store: Store) -> dict[str, float]:
    """Supported and all names an answer / the base's, as the newest volume gate measured them."""
    for one in store.rounds.recent(WATCHED_RUNS):
        report = store.rounds.gate_report(one.id)
        for result in () if report is None else report.results:
            ratios = {
                name: result.details.get(key)
                for name, key in (("supported", "ratio"), ("all", "all_ratio"))
            }
            known = {n: ratio for n, ratio in ratios.items() if isinstance(ratio, int | float)}
            if result.gate == "volume" and len(known) == len(ratios):
                return known
    return {}


def _budgets(store: Store, config: Config) -> Iterator[Metric]:
    """What jobs and rounds spent today, and the limits of the day."""
    allowance = Allowance(store, config, SystemClock())
    yield _gauge(
        "budget_spent", "Spent of each budget of the day so far.", allowance.spent(), "budget"
    )
    yield _gauge(
        "budget_limit", "What the day has of each budget that has a limit.", allowance.limits,
        "budget",
    )  # fmt: skip


def _family(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    help_: str,
    value: float | Mapping[Key, float],
    label: str = "",
) -> Metric:
    """The family with each figure; a single one has no label."""
    made = kind(f"ghostbust_{name}", help_, labels=[label] if label else [])
    for key, each in value.items() if isinstance(value, Mapping) else (("", value),):
        made.add_metric([str(key)] if label else [], float(each))
    return made


_gauge = partial(_family, GaugeMetricFamily)
_counter = partial(_family, CounterMetricFamily)
