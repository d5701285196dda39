"""Decisions on names are kept with their reasons; a look at the registry is an alarm or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import StoreError, UsageError
from ghostbust.loop.recheck import decide, look_up
from ghostbust.loop.watch import Watcher
from ghostbust.records import Context, Ecosystem, Lookup, Prompt, Verdict, utc_now
from ghostbust.registries.interface import Origin
from ghostbust.registries.judge import Judge, Mode
from ghostbust.registries.live import LiveLookups
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.names import Decision
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

PYPI = Ecosystem.PYPI
GHOST = "zz-ghost-1"


class FakeRegistry:
    """PyPI with one verdict for all."""

    ecosystem = PYPI

    def __init__(self) -> None:
        self.verdict = Verdict.ABSENT

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        # pip is there, by which the look-ups tell a registry from a page that says no to all.
        verdict = Verdict.REAL if name == "pip" else self.verdict
        return Lookup(PYPI, name, verdict, "asked", "made up", "live", utc_now())

    async def origin(self, name: str) -> Origin:
        return Origin(None, "A. Squatter", "origin page")

    async def description(self, name: str) -> str:
        return ""


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def live(registry: FakeRegistry) -> Iterator[Judge]:
    with Judge(Mode.LIVE, snapshots={}, live=LiveLookups({PYPI: registry}, cache=None)) as judge:
        yield judge


@pytest.fixture(autouse=True)
def ledger(store: Store, judge: Judge, scripted: MakeSampler) -> None:
    """The ghost, invented in one answer."""
    prompt = Prompt("do it", Context.CODE, PYPI, "family")
    sampler = scripted(lambda _: f"```bash\npip install {GHOST}\n```")
    Watcher(store, sampler, judge, SamplingSettings()).prompts([prompt], RunKind.WATCH)


@pytest.mark.parametrize("decision", Decision)
def test_a_decision_is_kept_with_its_reason(store: Store, decision: Decision) -> None:
    assert decide(store, PYPI, GHOST, decision, " because ")

    (review,) = store.reviews.recent()
    assert (review.decision, review.reason) == (decision, "because")


def test_without_a_reason_nothing_is_decided(store: Store) -> None:
    with pytest.raises(UsageError, match="reason"):
        decide(store, PYPI, GHOST, Decision.ALLOW, "  ")
    with pytest.raises(StoreError, match="no name"):
        decide(store, PYPI, "zz-other", Decision.ALLOW, "why")
    assert store.reviews.recent() == []


def test_a_name_that_is_registered_now_is_claimed(
    store: Store, live: Judge, registry: FakeRegistry
) -> None:
    registry.verdict = Verdict.REAL
    lookup = look_up(store, live, Config(), PYPI, GHOST)

    assert lookup.verdict is Verdict.REAL
    (alarm,) = store.alarms.recent()
    assert (alarm.name, alarm.uploader) == (GHOST, "A. Squatter")


def test_a_name_that_is_absent_still_is_noted_as_asked(store: Store, live: Judge) -> None:
    lookup = look_up(store, live, Config(), PYPI, GHOST)

    assert lookup.verdict is Verdict.ABSENT, lookup
    assert store.alarms.recent() == []
    cached = store.lookups.get_lookup(PYPI, GHOST)
    assert cached is not None
    assert cached.verdict is Verdict.ABSENT


def test_no_answer_changes_nothing(store: Store, live: Judge, registry: FakeRegistry) -> None:
    registry.verdict = Verdict.UNKNOWN
    assert look_up(store, live, Config(), PYPI, GHOST).verdict is Verdict.UNKNOWN

    assert store.lookups.get_lookup(PYPI, GHOST) is None
    assert store.alarms.recent() == []


def test_only_names_of_the_ledger_are_asked_for(store: Store, live: Judge) -> None:
    with pytest.raises(UsageError, match="no name"):
        look_up(store, live, Config(), PYPI, "requests")
