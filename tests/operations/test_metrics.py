"""What /metrics counts, and that no label holds what somebody wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance
from ghostbust.loop.signals import JobDone, SystemClock
from ghostbust.operations.metrics import make_registry
from ghostbust.records import Measurement
from ghostbust.registries.transport import Outcome, RequestCounts
from ghostbust.sections import BudgetSection
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.conftest import FillHome

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "operations.md"


def figures(registry: CollectorRegistry) -> dict[str, float]:
    """Each sample, written as ``name{label="value"}``."""
    from prometheus_client import generate_latest

    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def log_watch(home: Home, **changes: Any) -> Measurement:
    """Logs a finished watch of the base and of an adapter, with an earlier run's measurement."""
    with Store.open(home.database) as store:
        measured = next(run.measurement for run in store.runs.recent() if run.measurement)
        for adapter in (None, "round-0001-aa"):
            spec = RunSpec(RunKind.WATCH, "made-up-model", adapter, 9)
            changed = replace(measured, **changes)
            store.runs.finish(store.runs.start(spec), RunStatus.DONE, changed)
    return measured


def test_counters_begin_with_the_daemon_and_count_what_any_process_adds(
    home: Home, fill_home: FillHome
) -> None:
    fill_home(home)
    with Store.open(home.database) as store:
        answers = list(store.answers.read())
    old, collector, _ = make_registry(home, RequestCounts(), Config)
    collector.begin()
    assert figures(old)["ghostbust_samples_total"] == 0

    other = Home.open(home.path.parent / "other")
    new, collector, _ = make_registry(other, RequestCounts(), Config)
    collector.begin()
    fill_home(other)
    for _ in range(2):
        told = figures(new)
        assert told["ghostbust_samples_total"] == len(answers)
        assert told["ghostbust_tokens_total"] == 9 * len(answers)
        assert told['ghostbust_refs_total{verdict="REAL"}'] == len(answers)
        assert told['ghostbust_refs_total{verdict="UNKNOWN"}'] == 0
        assert told["ghostbust_inventions_total"] > 2
        assert told["ghostbust_claimed_names_total"] == 1
        assert told['ghostbust_rounds{state="promoted"}'] == 1
        assert told["ghostbust_promotions_total"] == 1
        assert told["ghostbust_rollbacks_total"] == 0
        assert told['ghostbust_waiting{queue="alarms"}'] == 1
        assert told['ghostbust_waiting_seconds{queue="alarms"}'] > 0
        assert told["ghostbust_store_up"] == 1
        assert told["ghostbust_disk_free_bytes"] > 0
        assert told["ghostbust_database_bytes"] > 10_000
        assert told["process_resident_memory_bytes"] > 1e6


def test_the_size_is_with_what_isnt_merged_yet(home: Home) -> None:
    with Store.open(home.database) as store:
        for n in range(50):
            store.jobs.pause(f"job-{n}-{'x' * 4000}")
        log = home.database.with_name("ghostbust.db-wal")
        assert log.stat().st_size > 100_000
        told = figures(make_registry(home, RequestCounts(), Config)[0])
        whole = home.database.stat().st_size + log.stat().st_size
        assert told["ghostbust_database_bytes"] == whole


def test_the_last_watch_of_each_adapter(home: Home, fill_home: FillHome) -> None:
    fill_home(home)
    measured = log_watch(home)
    told = figures(make_registry(home, RequestCounts(), Config)[0])
    assert told['ghostbust_watch_rate{adapter="base"}'] == measured.rate
    assert told['ghostbust_watch_volume{adapter="round-0001-aa"}'] == measured.volume
    assert told['ghostbust_candidate_names_ratio{figure="supported"}'] == 1.02
    assert told['ghostbust_candidate_names_ratio{figure="all"}'] == 0.9
    log_watch(home, installers=None, rate=0.99)
    told = figures(make_registry(home, RequestCounts(), Config)[0])
    assert told['ghostbust_watch_rate{adapter="base"}'] == measured.rate, "no older measure"


def test_a_database_that_cant_be_read_is_a_figure_too(home: Home) -> None:
    home.database.write_bytes(b"no database at all, for sure, not one")
    told = figures(make_registry(home, RequestCounts(), Config)[0])
    assert told["ghostbust_store_up"] == 0
    assert "ghostbust_samples_total" not in told
    assert "ghostbust_disk_free_bytes" in told


def test_jobs_notices_and_requests(home: Home) -> None:
    heard = RequestCounts()
    heard.count(Outcome.ANSWERED)
    registry, _, jobs = make_registry(home, heard, Config)
    jobs.job_done(JobDone("watch", "ok", 61, ""))
    jobs.job_done(JobDone("watch", "failed", 2, "nobody answers"))
    jobs.job_done(JobDone("round", "skipped", 0, "quiet hours"))
    jobs.notice("sent")
    told = figures(registry)
    assert told['ghostbust_jobs_total{job="watch",outcome="ok"}'] == 1
    assert told['ghostbust_jobs_total{job="watch",outcome="failed"}'] == 1
    assert told['ghostbust_jobs_total{job="round",outcome="skipped"}'] == 1
    assert told['ghostbust_job_duration_seconds_sum{job="watch"}'] == 63
    assert 'ghostbust_job_duration_seconds_sum{job="round"}' not in told
    assert told['ghostbust_job_last_success_timestamp_seconds{job="watch"}'] > 1e9
    assert told['ghostbust_notices_total{outcome="sent"}'] == 1
    assert told['ghostbust_registry_requests_total{outcome="answered"}'] == 1


def test_the_budgets_of_the_day(home: Home) -> None:
    limited = Config(budget=BudgetSection(samples=10, gpu_minutes=1.5))
    with Store.open(home.database) as store:
        Allowance(store, limited, SystemClock()).note({"samples": 12, "tokens": 300})
    told = figures(make_registry(home, RequestCounts(), lambda: limited)[0])
    assert told['ghostbust_budget_spent{budget="samples"}'] == 12
    assert told['ghostbust_budget_spent{budget="tokens"}'] == 300
    assert told['ghostbust_budget_spent{budget="registry_requests"}'] == 0
    limits = {key: value for key, value in told.items() if "budget_limit" in key}
    assert limits == {
        'ghostbust_budget_limit{budget="samples"}': 10,
        'ghostbust_budget_limit{budget="gpu_minutes"}': 1.5,
    }


def families(home: Home) -> Iterator[tuple[str, set[str]]]:
    """Name and labels of all that ghostbust shows of a home where everything happened."""
    limited = Config(budget=BudgetSection(samples=10))
    registry, _, jobs = make_registry(home, RequestCounts(), lambda: limited)
    jobs.job_done(JobDone("watch", "ok", 61, "private words of a prompt"))
    jobs.notice("sent")
    for family in registry.collect():
        if family.name.startswith("ghostbust_"):
            yield family.name, {key for each in family.samples for key in each.labels} - {"le"}


def test_no_label_holds_a_name_a_prompt_or_a_path(
    home: Home, fill_home: FillHome, hostile_names: tuple[str, ...]
) -> None:
    fill_home(home)
    log_watch(home)
    labels = {label for _, found in families(home) for label in found}
    assert labels == {
        "job", "outcome", "verdict", "state", "adapter", "queue", "version", "budget",
        "figure",
    }  # fmt: skip
    shown = "".join(figures(make_registry(home, RequestCounts(), Config)[0]))
    for secret in (*hostile_names, "zz-", '"requests"', str(home.path), "do 1"):
        assert secret not in shown


def test_the_guide_has_every_family_and_no_other(home: Home, fill_home: FillHome) -> None:
    fill_home(home)
    log_watch(home)
    rows = re.findall(r"^\| `(ghostbust_\w+)` \| ([^|]*)\|", GUIDE.read_text("utf-8"), re.M)
    told = {name.removesuffix("_total"): set(re.findall(r"`(\w+)`", row)) for name, row in rows}
    assert told == dict(families(home))


def test_the_dashboard_asks_for_what_the_daemon_exports(home: Home, fill_home: FillHome) -> None:
    """Every metric and every label that a panel names is exported; and no family is forgotten."""
    fill_home(home)
    log_watch(home)
    exported = dict(families(home))
    asked = set()
    dashboard = json.loads(GUIDE.with_name("grafana.json").read_text("utf-8"))
    for target in (one for panel in dashboard["panels"] for one in panel["targets"]):
        samples = re.findall(r"\bghostbust_\w+", target["expr"])
        names = {re.sub("_(total|bucket)$", "", name) for name in samples}
        grouped = ", ".join(re.findall(r"by \(([^)]+)\)", target["expr"])).split(", ")
        labels = {
            *re.findall(r"(\w+)=", target["expr"]),
            *filter(None, grouped),
            *re.findall(r"{{(\w+)}}", target["legendFormat"]),
        } - {"instance", "le"}  # of the scrape, of a histogram
        assert names
        assert all(labels <= exported[name] for name in names), target
        asked |= names
    assert asked == exported.keys()
