"""The live registries of this user: their HTTP clients, and look-ups behind a cache.

The clients reach the network as this user's pip, npm and cargo do, through their proxies and with
their certificates. A proxy of a tool's own settings comes before those of the environment
(``HTTP_PROXY`` and the like). ``npm_project`` is everywhere the folder whose ``.npmrc`` and
``.cargo/config.toml`` count (None: no folder's).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ghostbust import http
from ghostbust.errors import ConfigError, RegistryError, UnansweredError
from ghostbust.plugins import make_by_plugin, plugin_names
from ghostbust.records import ASKED, Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.cargo_config import CargoSettings
from ghostbust.registries.crates import CratesRegistry
from ghostbust.registries.endpoints import Endpoint, Route
from ghostbust.registries.interface import LookupCache, Meter, Origin, Registry
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmSettings
from ghostbust.registries.pip_config import PipSettings
from ghostbust.registries.pypi import Indexes, PyPIRegistry
from ghostbust.registries.transport import Client, Hosts, Patience

TIMEOUT = http.Timeout(15.0, connect=10.0)
"""of one name's page"""
FILE_TIMEOUT = http.Timeout(30.0, connect=10.0)
"""of a file"""
POSITIVE_TTL = timedelta(days=7)
"""how long a live REAL counts"""
NEGATIVE_TTL = timedelta(hours=6)
"""how long a live ABSENT or SUSPECT counts"""
PASSES = 4
"""how often one call asks for a name without an answer, if other names do get answers"""
CANARIES = {Ecosystem.PYPI: "pip", Ecosystem.NPM: "npm", Ecosystem.CARGO: "serde"}
"""names that any usable registry has; one that lacks them is a wrong address, not a "no\""""
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")

T = TypeVar("T")


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
        on_close: Callable[[], Coroutine[Any, Any, None]] | None = None,
        now: Callable[[], datetime] = utc_now,
        limit_s: float | None = None,
    ) -> None:
        """``limit_s``: for all look-ups, from now on; None: as long as the transport is patient."""
        self._registries = registries
        self._cache = cache
        self._on_close = on_close
        self._now = now
        self._limit_s = limit_s
        self._until = None if limit_s is None else time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._runner = asyncio.Runner()
        self._trusted: set[Ecosystem] = set()
        """ecosystems whose registry has its canary"""
        self._canary_lock = asyncio.Lock()

    def close(self) -> None:
        """Closes the connections; does nothing the second time."""
        with self._lock:
            if self._on_close is not None:
                on_close, self._on_close = self._on_close, None
                self._runner.run(on_close())
            self._runner.close()

    def look_up(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, Lookup]:
        """The verdict on each canonical name; UNKNOWN, ``unreachable``, where no answer came.

        Answers go into the cache as they come; failures never do.
        """
        with self._lock:
            found: dict[str, Lookup] = {}
            to_ask: dict[str, Lookup | None] = {}
            for name in dict.fromkeys(names):
                cache = self._cache
                known = None if cache is None else cache.get_lookup(ecosystem, name)
                if known and (known.source != "live" or known.verdict is Verdict.UNKNOWN):
                    known = None
                ttl = POSITIVE_TTL if known and known.verdict is Verdict.REAL else NEGATIVE_TTL
                if known and self._now() - known.looked_up_at < ttl:
                    found[name] = known
                else:
                    to_ask[name] = known
            if to_ask:
                found |= self._runner.run(self._ask_in_time(ecosystem, to_ask))
            return found

    def origin(self, ecosystem: Ecosystem, name: str) -> Origin:
        """Who published a registered name, and when first. Raises RegistryError."""
        with self._lock:
            return self._runner.run(self._registry(ecosystem).origin(name))

    def descriptions(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, str]:
        """What registered packages say about themselves, where they say something.

        Names without an answer are left out: whoever wants a few descriptions takes others.
        """
        with self._lock:
            return self._runner.run(self._describe_all(ecosystem, list(names)))

    def versions(
        self, ecosystem: Ecosystem, names: Iterable[str], limit_s: float
    ) -> dict[str, Sequence[str]]:
        """Every version of packages, as far as answers come within ``limit_s`` seconds.

        Names without an answer are left out, as is the rest after the first few in vain.
        """
        with self._lock:
            left_s = limit_s if self._left_s is None else min(limit_s, self._left_s)
            return self._runner.run(self._versions_of_all(ecosystem, list(names), left_s))

    @property
    def _left_s(self) -> float | None:
        """Seconds that are left of the limit; None where there is none."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    async def _versions_of_all(
        self, ecosystem: Ecosystem, names: Sequence[str], limit_s: float
    ) -> dict[str, Sequence[str]]:
        registry = self._registry(ecosystem)
        asked = {asyncio.ensure_future(registry.versions(name)): name for name in names}
        done, late = await asyncio.wait(asked, timeout=limit_s) if asked else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        found: dict[str, Sequence[str]] = {}
        for task in done:
            try:
                found[asked[task]] = task.result()
            except RegistryError:
                continue
        return found

    async def _describe_all(self, ecosystem: Ecosystem, names: Sequence[str]) -> dict[str, str]:
        registry = self._registry(ecosystem)
        asked = (registry.description(name) for name in names)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found: dict[str, str] = {}
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, RegistryError):
                raise answer
            if isinstance(answer, str) and answer:
                found[name] = answer
        return found

    async def _ask_in_time(
        self, ecosystem: Ecosystem, names: Mapping[str, Lookup | None]
    ) -> dict[str, Lookup]:
        """`_ask_all` within the limit: a name without an answer by then is UNKNOWN."""
        found: dict[str, Lookup] = {}
        try:
            async with asyncio.timeout(self._left_s) as limit:
                await self._ask_all(ecosystem, names, found)
        except TimeoutError:
            if not limit.expired():
                raise
        late = f"the registries took more than {self._limit_s or 0:g} s"
        return {
            name: found.get(name) or self._unanswered(ecosystem, name, f"{name}: {late}")
            for name in names
        }

    async def _ask_all(
        self,
        ecosystem: Ecosystem,
        names: Mapping[str, Lookup | None],
        found: dict[str, Lookup],
    ) -> None:
        """Asks for every name, given with its expired verdict; puts each answer into ``found``.

        The transport limits how many at a time, and for how long where none gets an answer. A
        registry that answers some names usually answers the others if they are asked for again.
        """
        waiting = list(names)
        for _ in range(PASSES):
            again: list[str] = []
            asked = (self._ask_one(ecosystem, name, names[name], found, again) for name in waiting)
            await asyncio.gather(*asked)
            if len(again) in (0, len(waiting)):
                break
            waiting = again

    async def _ask_one(
        self,
        ecosystem: Ecosystem,
        name: str,
        known: Lookup | None,
        found: dict[str, Lookup],
        again: list[str],
    ) -> None:
        """Puts one answer into ``found`` and the cache; UNKNOWN for a failure, not into the cache.

        Adds the name to ``again`` if it may get an answer another time.
        """
        try:
            found[name] = await self._ask(ecosystem, name, known)
        except RegistryError as exc:
            if isinstance(exc, UnansweredError):
                again.append(name)
            found[name] = self._unanswered(ecosystem, name, str(exc))
            return
        if self._cache is not None:
            self._cache.put_lookup(found[name])

    def _unanswered(self, ecosystem: Ecosystem, name: str, why: str) -> Lookup:
        return Lookup(ecosystem, name, Verdict.UNKNOWN, "unreachable", why, "live", self._now())

    async def _ask(self, ecosystem: Ecosystem, name: str, known: Lookup | None) -> Lookup:
        """The registry's verdict; its first "no" counts only if it has its canary."""
        registry = self._registry(ecosystem)
        lookup = await registry.look_up(name, known)
        # A scope may have its own registry, which needn't hold the canary.
        if lookup.verdict is Verdict.ABSENT and not name.startswith("@"):
            # Locked, so that many first 404s at a time ask for the canary once.
            async with self._canary_lock:
                if ecosystem not in self._trusted:
                    canary = await registry.look_up(CANARIES[ecosystem])
                    if canary.verdict is not Verdict.REAL:
                        raise RegistryError(
                            f"{canary.evidence}: it doesn't have {canary.name!r} either; "
                            "check the registry's address in its tool's configuration"
                        )
                    self._trusted.add(ecosystem)
        return lookup

    def _registry(self, ecosystem: Ecosystem) -> Registry:
        if ecosystem not in self._registries:
            raise RegistryError(f"no live {ecosystem} registry was set up")
        return self._registries[ecosystem]


# Setting the registries up.


def live_registries(
    clients: Mapping[Ecosystem, Client],
    may_be_young: Callable[[str, datetime], bool] = lambda _name, _changed: False,
    npm_project: Path | None = None,
) -> Mapping[Ecosystem, Registry]:
    """One registry for each ecosystem, at the addresses of pip's, npm's and cargo's configuration.

    A plug-in named for an ecosystem is asked instead. ``may_be_young``: see `NpmRegistry`. Raises
    ConfigError, and UsageError for a plug-in that can't be used.
    """
    pip = PipSettings()
    indexes = [
        PyPIRegistry(clients[Ecosystem.PYPI], index)
        for index in (pip.index(), *pip.extra_indexes())
    ]
    ours: dict[Ecosystem, Registry] = {
        Ecosystem.PYPI: Indexes(*indexes, has_links=pip.has_links()),
        Ecosystem.NPM: NpmRegistry(
            clients[Ecosystem.NPM], NpmSettings(npm_project).endpoints(), may_be_young=may_be_young
        ),
        Ecosystem.CARGO: CratesRegistry(clients[Ecosystem.CARGO], CargoSettings(npm_project).index),
    }
    names = set(plugin_names("registries"))
    for eco in ASKED:
        if eco in names:
            ours[eco] = make_by_plugin("registries", eco, RegistryError, clients[eco])
    return ours


def open_clients(
    npm_project: Path | None = None, meter: Meter | None = None
) -> Mapping[Ecosystem, Client]:
    """A client for each ecosystem, since pip and npm may use different proxies.

    They share one queue for each host; ``meter`` counts their requests together. Raises
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


def open_asking_client(
    ecosystem: Ecosystem,
    trust: ssl.SSLContext,
    npm_project: Path | None = None,
    meter: Meter | None = None,
) -> http.AsyncClient:
    """A client for many small questions, over HTTP/2 where it is offered; ``meter`` counts them.

    Raises ConfigError for a proxy that can't be used.
    """
    route = _route(ecosystem, npm_project)

    async def count(_: http.Request) -> None:
        if meter is not None:
            meter.spend()

    return http.AsyncClient(
        http2=True,
        event_hooks={"request": [count]},
        timeout=TIMEOUT,
        verify=trust,
        trust_env=route.proxy is None,
        mounts=_mounts(
            route, lambda proxy: http.AsyncHTTPTransport(http2=True, verify=trust, proxy=proxy)
        ),
    )


def open_client(
    ecosystem: Ecosystem, at: Endpoint, meter: Meter | None = None, npm_project: Path | None = None
) -> http.Client:
    """A client for a registry and the files that it links to, wherever they are; ``meter`` counts.

    Sends the registry's credentials to its own scheme, host and port only. Raises ConfigError for
    unreadable certificates and a proxy that can't be used.
    """
    trust, route = trusted(npm_project=npm_project), _route(ecosystem, npm_project)
    own = http.URL(at.url)

    def authorize(request: http.Request) -> http.Request:
        url = request.url
        if (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port):
            request.headers.update(at.headers())
        return request

    def count(_: http.Request) -> None:
        if meter is not None:
            meter.spend()

    return http.Client(
        auth=authorize,
        event_hooks={"request": [count]},
        headers={"User-Agent": http.USER_AGENT},
        timeout=FILE_TIMEOUT,
        verify=trust,
        trust_env=route.proxy is None,
        mounts=_mounts(route, lambda proxy: http.HTTPTransport(verify=trust, proxy=proxy)),
    )


def trusted(
    environ: Mapping[str, str] = os.environ, *, npm_project: Path | None = None
) -> ssl.SSLContext:
    """The context in which servers prove who they are.

    Trusts httpx's own certificates, or those of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``; besides
    them the system's, pip's ``cert``, npm's ``cafile`` and ``ca``, cargo's ``cainfo``, and the
    files that ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` and ``NODE_EXTRA_CA_CERTS`` name. Raises
    ConfigError for one that can't be read.
    """
    context = http.create_ssl_context()
    context.load_default_certs()  # httpx has its own only
    npm = NpmSettings(npm_project, environ)
    places = [
        ("pip's 'cert'", PipSettings(environ).certificates()),
        ("npm's 'cafile'", npm.certificates()),
        ("cargo's 'http.cainfo'", CargoSettings(npm_project, environ).certificates()),
        *((name, Path(environ[name]).expanduser()) for name in _CA_VARIABLES if environ.get(name)),
    ]
    for origin, place in places:
        if place is None:
            continue
        file, folder = (None, place) if place.is_dir() else (place, None)
        try:
            context.load_verify_locations(file, folder)
        except OSError as exc:
            raise ConfigError(f"{origin}: {place} can't be read as certificates") from exc
    if authority := npm.authority():
        try:
            context.load_verify_locations(cadata=authority)
        except (OSError, ValueError) as exc:
            raise ConfigError("npm's 'ca': it can't be read as certificates") from exc
    return context


def _route(ecosystem: Ecosystem, npm_project: Path | None) -> Route:
    match ecosystem:
        case Ecosystem.PYPI:
            return PipSettings().route()
        case Ecosystem.CARGO:
            return CargoSettings(npm_project).route()
        case _:
            return NpmSettings(npm_project).route()


def _mounts(route: Route, make: Callable[[http.Proxy], T]) -> dict[str, T | None]:
    """The transports by the addresses that they are for; None connects directly.

    Raises ConfigError for a proxy that can't be used; the message doesn't show its address.
    """
    found: dict[str, T | None] = {f"all://*{host}": None for host in route.direct}
    if route.proxy is not None:
        try:
            found["all://"] = make(http.Proxy(route.proxy))
        except (ValueError, ImportError, http.InvalidURL) as exc:
            raise ConfigError(f"{route.origin}: the proxy's address can't be used") from exc
    return found


# Whether the user's own registry answers, and what time it has: `ghostbust doctor` asks once.


@dataclass(frozen=True, slots=True)
class Reached:
    """A registry that answered."""

    where: str
    """its host"""
    wall_s: float
    """until its answer was complete"""
    ahead: timedelta | None
    """how far its clock is ahead of this machine's; None where it doesn't say the time"""


def reach(ecosystem: Ecosystem, npm_project: Path | None = None) -> Reached:
    """Asks the registry of pip's, npm's or cargo's configuration for its canary, once.

    Raises RegistryError where it gives no usable answer or lacks the canary, ConfigError for
    settings of these tools that can't be used.
    """
    return asyncio.run(_reach(ecosystem, npm_project))


async def _reach(ecosystem: Ecosystem, npm_project: Path | None) -> Reached:
    clients = open_clients(npm_project)
    answered: list[tuple[str, timedelta | None]] = []

    async def note(response: http.Response) -> None:
        host = urlsplit(str(response.url)).netloc.rpartition("@")[2]
        answered.append((host, ahead_of_us(response)))

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
    where, ahead = answered[-1]
    if found.verdict is not Verdict.REAL:
        raise RegistryError(
            f"{where} doesn't have {CANARIES[ecosystem]!r}, which every such registry has: check"
            " its address in its tool's configuration"
        )
    return Reached(where, wall_s, ahead)


def ahead_of_us(response: http.Response) -> timedelta | None:
    """How far the sender's clock is ahead, to the second; None without a Date that can be read."""
    then = http.read_date(response.headers.get("Date", ""))
    return None if then is None else then - utc_now()
