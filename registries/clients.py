"""HTTP clients that reach the network as this user's pip or npm do: their proxies and certificates.

What pip and npm are told of a proxy comes before the environment (``HTTP_PROXY`` and the like),
which comes before none.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx

from ghostbust.errors import ConfigError
from ghostbust.records import Ecosystem
from ghostbust.registries.endpoints import Endpoint, Route
from ghostbust.registries.interface import Meter
from ghostbust.registries.npm_config import npm_route
from ghostbust.registries.pip_config import pip_route
from ghostbust.registries.transport import USER_AGENT
from ghostbust.registries.trust import trusted

TIMEOUT = httpx.Timeout(15.0, connect=10.0)
"""of one name's page"""
FILE_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""of a file"""

T = TypeVar("T")


def open_asking_client(
    ecosystem: Ecosystem,
    trust: ssl.SSLContext,
    npm_project: Path | None = None,
    meter: Meter | None = None,
) -> httpx.AsyncClient:
    """A client for many small questions, over HTTP/2 where it is offered; ``meter`` counts them.

    ``npm_project``: the folder whose ``.npmrc`` counts; None: no folder's. Raises
    ConfigError for a proxy that can't be used.
    """
    route = _route(ecosystem, npm_project)

    async def count(_: httpx.Request) -> None:
        if meter is not None:
            meter.spend()

    return httpx.AsyncClient(
        http2=True,
        event_hooks={"request": [count]},
        timeout=TIMEOUT,
        verify=trust,
        trust_env=route.proxy is None,
        mounts=_mounts(
            route, lambda proxy: httpx.AsyncHTTPTransport(http2=True, verify=trust, proxy=proxy)
        ),
    )


def open_client(
    ecosystem: Ecosystem,
    at: Endpoint,
    meter: Meter | None = None,
    npm_project: Path | None = None,
) -> httpx.Client:
    """A client for a registry and the files that it links to, wherever they are; ``meter`` counts.

    The registry's credentials go to its own scheme, host and port only. ``npm_project``: the folder
    whose ``.npmrc`` counts; None: no folder's. Raises ConfigError for
    certificates that can't be read and a proxy that can't be used.
    """
    trust, route = trusted(npm_project=npm_project), _route(ecosystem, npm_project)
    home = _origin(httpx.URL(at.url))

    def authorize(request: httpx.Request) -> httpx.Request:
        if _origin(request.url) == home:
            request.headers.update(at.headers())
        return request

    def count(_: httpx.Request) -> None:
        if meter is not None:
            meter.spend()

    return httpx.Client(
        auth=authorize,
        event_hooks={"request": [count]},
        headers={"User-Agent": USER_AGENT},
        timeout=FILE_TIMEOUT,
        verify=trust,
        trust_env=route.proxy is None,
        mounts=_mounts(route, lambda proxy: httpx.HTTPTransport(verify=trust, proxy=proxy)),
    )


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _route(ecosystem: Ecosystem, npm_project: Path | None = None) -> Route:
    return pip_route() if ecosystem is Ecosystem.PYPI else npm_route(project=npm_project)


def _mounts(route: Route, make: Callable[[httpx.Proxy], T]) -> dict[str, T | None]:
    """The transports of httpx by the addresses that they are for; None is the direct way.

    Raises ConfigError for a proxy that can't be used; the message doesn't show its address.
    """
    found: dict[str, T | None] = {f"all://*{host}": None for host in route.direct}
    if route.proxy is not None:
        try:
            found["all://"] = make(httpx.Proxy(route.proxy))
        except (ValueError, ImportError, httpx.InvalidURL) as exc:
            raise ConfigError(f"{route.origin}: the proxy's address can't be used") from exc
    return found
