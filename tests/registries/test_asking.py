"""Asking live registries: the cache, the canary, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.asking import (
    CANARIES,
    GIVE_UP_AFTER,
    IN_FLIGHT,
    NEGATIVE_TTL,
    POSITIVE_TTL,
    LiveLookups,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def verdict(
    name: str, said: Verdict, *, age: timedelta = timedelta(0), source: str = "live"
) -> Lookup:
    reason = SuspectReason.QUARANTINED if said is Verdict.SUSPECT else said.lower()
    return Lookup(Ecosystem.PYPI, name, said, reason, "evidence", source, NOW - age)


class FakeRegistry:
    """A registry that knows the given names, fails for others, and says what it was asked."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, *, real: set[str], down: set[str] | None = None) -> None:
        self.real = real
        self.down = down or set()
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def look_up(self, name: str) -> Lookup:
        self.asked.append(name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if name in self.down or "*" in self.down:
            raise RegistryError(f"{name}: connection lost")
        return verdict(name, Verdict.REAL if name in self.real else Verdict.ABSENT)


class FakeCache:
    """A cache in memory."""

    def __init__(self, *lookups: Lookup) -> None:
        self.kept = {lookup.name: lookup for lookup in lookups}

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        return self.kept.get(name)

    def put_lookup(self, lookup: Lookup) -> None:
        self.kept[lookup.name] = lookup


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry(real={"pip", "a", "b"})


@pytest.fixture
def cache() -> FakeCache:
    return FakeCache()


@pytest.fixture
def live(registry: FakeRegistry, cache: FakeCache) -> Iterator[LiveLookups]:
    lookups = LiveLookups({Ecosystem.PYPI: registry}, cache=cache, now=lambda: NOW)
    yield lookups
    lookups.close()


def test_each_name_is_asked_once_and_kept(
    live: LiveLookups, registry: FakeRegistry, cache: FakeCache
) -> None:
    found = live.look_up(Ecosystem.PYPI, ["a", "b", "a"])
    assert {name: lookup.verdict for name, lookup in found.items()} == {
        "a": Verdict.REAL, "b": Verdict.REAL,
    }  # fmt: skip
    assert sorted(registry.asked) == ["a", "b"]
    assert live.look_up(Ecosystem.PYPI, ["a"])["a"] is cache.kept["a"]
    assert sorted(registry.asked) == ["a", "b"]


def test_few_at_a_time(live: LiveLookups, registry: FakeRegistry) -> None:
    registry.real |= {f"n{i}" for i in range(3 * IN_FLIGHT)}
    names = sorted(registry.real)[:9]
    live.look_up(Ecosystem.PYPI, names)
    assert 1 < registry.most_at_once <= IN_FLIGHT


@pytest.mark.parametrize(
    ("said", "ttl"),
    [
        (Verdict.REAL, POSITIVE_TTL),
        (Verdict.ABSENT, NEGATIVE_TTL),
        (Verdict.SUSPECT, NEGATIVE_TTL),
    ],
)
def test_verdicts_are_believed_for_their_time(
    live: LiveLookups, registry: FakeRegistry, cache: FakeCache, said: Verdict, ttl: timedelta
) -> None:
    cache.put_lookup(verdict("a", said, age=ttl - timedelta(seconds=1)))
    assert live.look_up(Ecosystem.PYPI, ["a"])["a"].verdict is said
    assert registry.asked == []
    cache.put_lookup(verdict("a", said, age=ttl))
    live.look_up(Ecosystem.PYPI, ["a"])
    assert registry.asked == ["a"]


def test_only_live_verdicts_are_taken_from_the_cache(
    live: LiveLookups, registry: FakeRegistry, cache: FakeCache
) -> None:
    cache.put_lookup(verdict("a", Verdict.ABSENT, source="snapshot:2026-01-01"))
    cache.put_lookup(verdict("b", Verdict.UNKNOWN))
    found = live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert {lookup.verdict for lookup in found.values()} == {Verdict.REAL}
    assert len(registry.asked) == 2


def test_a_failure_is_unknown_and_never_kept(
    live: LiveLookups, registry: FakeRegistry, cache: FakeCache
) -> None:
    registry.down = {"b"}
    found = live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert found["a"].verdict is Verdict.REAL
    assert (found["b"].verdict, found["b"].reason) == (Verdict.UNKNOWN, "unreachable")
    assert "connection lost" in found["b"].evidence
    assert set(cache.kept) == {"a"}


def test_a_registry_that_is_down_is_not_asked_for_every_name(
    live: LiveLookups, registry: FakeRegistry
) -> None:
    registry.down = {"*"}
    found = live.look_up(Ecosystem.PYPI, [f"n{i}" for i in range(50)])
    assert {lookup.reason for lookup in found.values()} == {"unreachable"}
    assert len(found) == 50
    assert len(registry.asked) < GIVE_UP_AFTER + IN_FLIGHT


def test_failures_in_between_do_not_add_up(live: LiveLookups, registry: FakeRegistry) -> None:
    registry.down = {"x1", "x2", "x3"}
    names = ["x1", "a", "x2", "b", "pip", "x3", "c"]
    registry.real.add("c")
    found = {name: live.look_up(Ecosystem.PYPI, [name])[name].verdict for name in names}
    assert found["c"] is Verdict.REAL


def test_a_no_counts_only_from_a_registry_that_knows_its_canary(
    live: LiveLookups, registry: FakeRegistry, cache: FakeCache
) -> None:
    registry.real = set()
    lookup = live.look_up(Ecosystem.PYPI, ["nope"])["nope"]
    assert (lookup.verdict, lookup.reason) == (Verdict.UNKNOWN, "unreachable")
    assert "'pip'" in lookup.evidence
    assert not cache.kept


def test_the_canary_is_asked_for_once(live: LiveLookups, registry: FakeRegistry) -> None:
    found = live.look_up(Ecosystem.PYPI, ["no1", "no2", "no3"])
    live.look_up(Ecosystem.PYPI, ["no4"])
    assert {lookup.verdict for lookup in found.values()} == {Verdict.ABSENT}
    assert registry.asked.count(CANARIES[Ecosystem.PYPI]) == 1


def test_an_ecosystem_that_was_not_set_up_is_unknown(live: LiveLookups) -> None:
    assert live.look_up(Ecosystem.NPM, ["react"])["react"].reason == "unreachable"


def test_closing_closes_what_it_was_given_once(registry: FakeRegistry) -> None:
    closed = []

    async def on_close() -> None:
        closed.append(True)

    live = LiveLookups({Ecosystem.PYPI: registry}, on_close=on_close)
    live.look_up(Ecosystem.PYPI, ["a"])
    live.close()
    live.close()
    assert closed == [True]
