"""The live registries of this user, ready to be asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ghostbust import http
from ghostbust.errors import RegistryError, UnansweredError
from ghostbust.records import ASKED, Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.clients import open_asking_client, trusted
from ghostbust.registries.interface import Meter, Origin, Registry
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import npm_endpoints
from ghostbust.registries.pip_config import pip_extra_indexes, pip_index
from ghostbust.registries.pypi import Indexes, PyPIRegistry
from ghostbust.registries.transport import Client, Hosts, Patience


def open_clients(
    npm_project: Path | None = None, meter: Meter | None = None
) -> Mapping[Ecosystem, Client]:
    """A client for each ecosystem, since pip and npm may use different proxies.

    A host is treated as one by all of them; ``meter`` counts their requests together. Raises
    ConfigError for unusable certificates and proxies. Close them with `close_clients`.
    """
    trust, hosts = trusted(npm_project=npm_project), Hosts()
    return {
        eco: Client(open_asking_client(eco, trust, npm_project, meter), hosts=hosts)
        for eco in ASKED
    }


async def close_clients(clients: Mapping[Ecosystem, Client]) -> None:
    """Closes the connections."""
    for client in clients.values():
        await client.http.aclose()


def live_registries(
    clients: Mapping[Ecosystem, Client],
    may_be_young: Callable[[str, datetime], bool] = lambda _name, _changed: False,
    npm_project: Path | None = None,
) -> Mapping[Ecosystem, Registry]:
    """One registry for each ecosystem, at the addresses of pip's and npm's configuration.

    ``may_be_young``: see `NpmRegistry`. ``npm_project``: the folder whose ``.npmrc`` counts; None:
    no folder's.
    """
    pypi = [
        PyPIRegistry(clients[Ecosystem.PYPI], index)
        for index in (pip_index(), *pip_extra_indexes())
    ]
    return {
        Ecosystem.PYPI: Indexes(*pypi),
        Ecosystem.NPM: NpmRegistry(
            clients[Ecosystem.NPM], npm_endpoints(project=npm_project), may_be_young=may_be_young
        ),
    }


# --- asking
# Asking live registries: cache first, each name once, and "no" only from one that knows.

POSITIVE_TTL = timedelta(days=7)
"""how long a live REAL is believed"""
NEGATIVE_TTL = timedelta(hours=6)
"""how long a live ABSENT or SUSPECT is believed"""
PASSES = 4
"""how often a name without an answer is asked for in one call, if others do get answers"""
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
            to_ask: dict[str, Lookup | None] = {}
            for name in dict.fromkeys(names):
                known = self._cached(ecosystem, name)
                if known is not None and self._is_fresh(known):
                    found[name] = known
                else:
                    to_ask[name] = known
            if to_ask:
                found |= self._runner.run(self._ask_all(ecosystem, to_ask))
            return found

    def origin(self, ecosystem: Ecosystem, name: str) -> Origin:
        """Who published a registered name, and when first. Raises RegistryError."""
        with self._lock:
            return self._runner.run(self._registry(ecosystem).origin(name))

    def descriptions(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, str]:
        """What registered packages say of themselves, where they say something.

        What could not be asked is left out: whoever wants a few descriptions takes others.
        """
        with self._lock:
            return self._runner.run(self._describe_all(ecosystem, list(names)))

    async def _describe_all(self, ecosystem: Ecosystem, names: Sequence[str]) -> dict[str, str]:
        registry = self._registry(ecosystem)
        asked = (registry.description(name) for name in names)
        found = await asyncio.gather(*asked, return_exceptions=True)
        told: dict[str, str] = {}
        for name, said in zip(names, found, strict=True):
            if isinstance(said, BaseException) and not isinstance(said, RegistryError):
                raise said
            if isinstance(said, str) and said:
                told[name] = said
        return told

    def _cached(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The last live verdict, however old; None without one."""
        known = self._cache.get_lookup(ecosystem, name) if self._cache is not None else None
        if known is None or known.source != "live" or known.verdict is Verdict.UNKNOWN:
            return None
        return known

    def _is_fresh(self, known: Lookup) -> bool:
        ttl = POSITIVE_TTL if known.verdict is Verdict.REAL else NEGATIVE_TTL
        return self._now() - known.looked_up_at < ttl

    async def _ask_all(
        self, ecosystem: Ecosystem, names: Mapping[str, Lookup | None]
    ) -> dict[str, Lookup]:
        """Asks for every name, given with what was known of it. How many at a time, and for how
        long where none gets an answer, is the transport's business.

        A registry that answers some names answers the others if they are asked for once more.
        """
        found: dict[str, Lookup] = {}
        waiting = list(names)
        for _ in range(PASSES):
            again: list[str] = []
            asked = (self._ask_one(ecosystem, name, names[name], again) for name in waiting)
            found |= dict(zip(waiting, await asyncio.gather(*asked), strict=True))
            if len(again) in (0, len(waiting)):
                break
            waiting = again
        return {name: found[name] for name in names}

    async def _ask_one(
        self, ecosystem: Ecosystem, name: str, known: Lookup | None, again: list[str]
    ) -> Lookup:
        """One answer, which goes into the cache; UNKNOWN for a failure, which doesn't.

        Adds the name to ``again`` if it may get an answer another time.
        """
        try:
            lookup = await self._ask(ecosystem, name, known)
        except RegistryError as exc:
            if isinstance(exc, UnansweredError):
                again.append(name)
            return Lookup(
                ecosystem, name, Verdict.UNKNOWN, "unreachable", str(exc), "live", self._now()
            )
        if self._cache is not None:
            self._cache.put_lookup(lookup)
        return lookup

    def _registry(self, ecosystem: Ecosystem) -> Registry:
        if ecosystem not in self._registries:
            raise RegistryError(f"no live {ecosystem} registry was set up")
        return self._registries[ecosystem]

    async def _ask(self, ecosystem: Ecosystem, name: str, known: Lookup | None) -> Lookup:
        """The registry's verdict; its first "no" counts only if it knows its canary."""
        registry = self._registry(ecosystem)
        lookup = await registry.look_up(name, known)
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


async def _await(closing: Awaitable[None]) -> None:
    """Awaits it, as a coroutine, which is what a Runner runs."""
    await closing


# --- reach
# Whether a user's own registry answers, and what time it thinks it is. Asks one question.


@dataclass(frozen=True, slots=True)
class Reached:
    """A registry that answered."""

    where: str
    """its host"""
    wall_s: float
    """until its answer was there"""
    ahead: timedelta | None
    """how far its clock is ahead of this machine's; None where it doesn't say the time"""


def reach(ecosystem: Ecosystem, npm_project: Path | None = None) -> Reached:
    """Asks the registry of pip's or npm's configuration for a name that it must have, once.

    ``npm_project``: the folder whose ``.npmrc`` counts; None: no folder's. Raises RegistryError
    where it gives no usable answer or lacks the name, ConfigError for settings of pip or npm that
    can't be used.
    """
    return asyncio.run(_reach(ecosystem, npm_project))


def ahead_of_us(response: http.Response) -> timedelta | None:
    """How far the sender's clock is ahead, to the second; None without a Date that can be read."""
    then = http.read_date(response.headers.get("Date", ""))
    return None if then is None else then - utc_now()


async def _reach(ecosystem: Ecosystem, npm_project: Path | None) -> Reached:
    clients = open_clients(npm_project)
    heard: list[tuple[str, timedelta | None]] = []

    async def note(response: http.Response) -> None:
        heard.append((urlsplit(str(response.url)).netloc.rpartition("@")[2], ahead_of_us(response)))

    try:
        for client in clients.values():
            client.http.event_hooks = {**client.http.event_hooks, "response": [note]}
        once = {
            eco: replace(client, patience=Patience(attempts=1)) for eco, client in clients.items()
        }
        began = time.monotonic()
        registries = live_registries(once, npm_project=npm_project)
        found = await registries[ecosystem].look_up(CANARIES[ecosystem])
        wall_s = time.monotonic() - began
    finally:
        await close_clients(clients)
    where, ahead = heard[-1]
    if found.verdict is not Verdict.REAL:
        raise RegistryError(
            f"{where} doesn't have {CANARIES[ecosystem]!r}, which every such registry has: check"
            " its address in pip's or npm's configuration"
        )
    return Reached(where, wall_s, ahead)
