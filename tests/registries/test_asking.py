"""Asking live registries: the cache, the canary, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ghostbust.errors import RegistryError, UnansweredError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.interface import Origin
from ghostbust.registries.live import CANARIES, NEGATIVE_TTL, PASSES, POSITIVE_TTL, LiveLookups

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
        self.known: list[Lookup | None] = []
        self.error: type[RegistryError] = UnansweredError

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        self.asked.append(name)
        self.known.append(known)
        await asyncio.sleep(0)
        if name in self.down or "*" in self.down:
            raise self.error(f"{name}: connection lost")
        return verdict(name, Verdict.REAL if name in self.real else Verdict.ABSENT)

    async def origin(self, name: str) -> Origin:
        return Origin(NOW, "somebody", f"asked for {name}")

    async def description(self, name: str) -> str:
        if name in self.down:
            raise self.error(f"{name}: connection lost")
        return f"What {name} does." if name in self.real else ""


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


def test_names_without_an_answer_are_asked_for_again_while_others_get_one(
    live: LiveLookups, registry: FakeRegistry
) -> None:
    registry.down = {"b"}
    found = live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert found["b"].reason == "unreachable"
    assert registry.asked.count("a") == 1
    assert registry.asked.count("b") == 2, "not a third time: nobody got an answer in the second"


def test_a_second_look_may_get_the_answer() -> None:
    class Flaky(FakeRegistry):
        async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
            if name in self.asked:
                self.down.discard(name)
            return await super().look_up(name, known)

    flaky = Flaky(real={"pip", "a", "b"}, down={"b"})
    lookups = LiveLookups({Ecosystem.PYPI: flaky}, now=lambda: NOW)
    verdicts = lookups.look_up(Ecosystem.PYPI, ["a", "b"])
    lookups.close()
    assert {lookup.verdict for lookup in verdicts.values()} == {Verdict.REAL}
    assert flaky.asked.count("b") == 2 <= PASSES


def test_a_definite_refusal_is_not_asked_again(live: LiveLookups, registry: FakeRegistry) -> None:
    registry.down, registry.error = {"b"}, RegistryError
    assert live.look_up(Ecosystem.PYPI, ["a", "b"])["b"].reason == "unreachable"
    assert registry.asked.count("b") == 1


def test_an_old_answer_is_shown_to_the_registry(
    live: LiveLookups, registry: FakeRegistry, cache: FakeCache
) -> None:
    old = verdict("a", Verdict.REAL, age=POSITIVE_TTL)
    cache.put_lookup(old)
    live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert dict(zip(registry.asked, registry.known, strict=True)) == {"a": old, "b": None}


def test_the_origin_is_the_registrys(live: LiveLookups) -> None:
    assert live.origin(Ecosystem.PYPI, "a").uploader == "somebody"
    with pytest.raises(RegistryError, match="no live npm registry"):
        live.origin(Ecosystem.NPM, "a")


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


def test_descriptions_that_can_not_be_had_are_left_out(
    live: LiveLookups, registry: FakeRegistry
) -> None:
    registry.down = {"b"}
    assert live.descriptions(Ecosystem.PYPI, ["a", "b", "nobody"]) == {"a": "What a does."}
    with pytest.raises(RegistryError, match="no live npm registry"):
        live.descriptions(Ecosystem.NPM, ["a"])
