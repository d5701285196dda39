"""Asking live registries: cache first, few at a time, and not for long where none answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from aiolimiter import AsyncLimiter

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.interface import Registry

POSITIVE_TTL = timedelta(days=7)
"""how long a live REAL is believed"""
NEGATIVE_TTL = timedelta(hours=6)
"""how long a live ABSENT or SUSPECT is believed"""
IN_FLIGHT = 4
"""questions at a time"""
PER_SECOND = 10
"""questions a second"""
GIVE_UP_AFTER = 3
"""failures without an answer in between, after which the other names aren't asked for"""
CANARIES = {Ecosystem.PYPI: "pip", Ecosystem.NPM: "npm"}
"""names that any usable registry has; one that lacks them is a wrong address, not a "no\""""


class LookupCache(Protocol):
    """Where live verdicts are kept between runs."""

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The newest verdict on a name, however old; None if there is none."""

    def put_lookup(self, lookup: Lookup) -> None:
        """Keeps a verdict."""


class LiveLookups:
    """The live registries behind a cache. Synchronous from the outside.

    One call at a time asks the network, other threads wait for it, so that no name is asked
    for twice at once. Must not be called from inside a running event loop.
    """

    def __init__(
        self,
        registries: Mapping[Ecosystem, Registry],
        *,
        cache: LookupCache | None = None,
        on_close: Callable[[], Awaitable[None]] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._registries = registries
        self._cache = cache
        self._on_close = on_close
        self._now = now
        self._lock = threading.Lock()
        self._runner = asyncio.Runner()
        self._limiter = AsyncLimiter(PER_SECOND, 1)
        self._trusted: set[Ecosystem] = set()
        """ecosystems whose registry has been seen to know its canary"""
        self._canary_lock = asyncio.Lock()

    def close(self) -> None:
        """Closes the connections; does nothing the second time."""
        with self._lock:
            if self._on_close is not None:
                on_close, self._on_close = self._on_close, None
                self._runner.run(_await(on_close()))
            self._runner.close()

    def look_up(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, Lookup]:
        """The verdict on each canonical name; UNKNOWN, ``unreachable``, where none could be had.

        Answers go into the cache as they come; failures never do.
        """
        with self._lock:
            found: dict[str, Lookup] = {}
            to_ask = []
            for name in dict.fromkeys(names):
                known = self._cached(ecosystem, name)
                if known is None:
                    to_ask.append(name)
                else:
                    found[name] = known
            if to_ask:
                found |= self._runner.run(self._ask_all(ecosystem, to_ask))
            return found

    def _cached(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """A live verdict that is still believed; None without one."""
        known = self._cache.get_lookup(ecosystem, name) if self._cache is not None else None
        if known is None or known.source != "live" or known.verdict is Verdict.UNKNOWN:
            return None
        ttl = POSITIVE_TTL if known.verdict is Verdict.REAL else NEGATIVE_TTL
        return known if self._now() - known.looked_up_at < ttl else None

    async def _ask_all(self, ecosystem: Ecosystem, names: list[str]) -> dict[str, Lookup]:
        """Asks for every name, `IN_FLIGHT` at a time, until `GIVE_UP_AFTER` in a row fail."""
        slots = asyncio.Semaphore(IN_FLIGHT)
        failed: list[str] = []

        async def one(name: str) -> Lookup:
            async with slots:
                if len(failed) >= GIVE_UP_AFTER:
                    return self._unreachable(ecosystem, name, f"not asked, since {failed[-1]}")
                async with self._limiter:
                    try:
                        lookup = await self._ask(ecosystem, name)
                    except RegistryError as exc:
                        failed.append(str(exc))
                        return self._unreachable(ecosystem, name, str(exc))
            failed.clear()
            if self._cache is not None:
                self._cache.put_lookup(lookup)
            return lookup

        return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))

    async def _ask(self, ecosystem: Ecosystem, name: str) -> Lookup:
        """The registry's verdict; its first "no" counts only if it knows its canary."""
        if ecosystem not in self._registries:
            raise RegistryError(f"no live {ecosystem} registry was set up")
        registry = self._registries[ecosystem]
        lookup = await registry.look_up(name)
        # A scope may have its own registry, which needn't hold the canary.
        if lookup.verdict is Verdict.ABSENT and not name.startswith("@"):
            async with self._canary_lock:
                if ecosystem not in self._trusted:
                    canary = await registry.look_up(CANARIES[ecosystem])
                    if canary.verdict is not Verdict.REAL:
                        raise RegistryError(
                            f"{canary.evidence}: it doesn't have {canary.name!r} either; "
                            "check the registry's address in pip's or npm's configuration"
                        )
                    self._trusted.add(ecosystem)
        return lookup

    def _unreachable(self, ecosystem: Ecosystem, name: str, why: str) -> Lookup:
        return Lookup(ecosystem, name, Verdict.UNKNOWN, "unreachable", why, "live", self._now())


async def _await(closing: Awaitable[None]) -> None:
    """Awaits it, as a coroutine, which is what a Runner runs."""
    await closing
