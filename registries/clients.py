"""HTTP clients that reach the network as this user's pip or npm do: their proxies and certificates.

What pip and npm are told of a proxy comes before the environment (``HTTP_PROXY`` and the like),
which comes before none.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ghostbust import http
from ghostbust.errors import ConfigError
from ghostbust.records import Ecosystem
from ghostbust.registries.interface import Meter
from ghostbust.registries.npm_config import npm_authority, npm_certificates, npm_route
from ghostbust.registries.pip_config import PipPlaces, pip_certificates, pip_route
from ghostbust.registries.transport import USER_AGENT, Endpoint, Route

# --- trust
# Whose certificates to believe: the usual ones, and those that this user's pip and npm believe.

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def trusted(
    environ: Mapping[str, str] = os.environ, *, npm_project: Path | None = None
) -> ssl.SSLContext:
    """The context in which servers prove who they are.

    httpx's own certificates, or those of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``; besides them
    the system's, pip's ``cert``, npm's ``cafile`` and ``ca``, and the files that
    ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` and ``NODE_EXTRA_CA_CERTS`` name. ``npm_project``:
    the folder whose ``.npmrc`` counts; None: no folder's. Raises ConfigError for one that
    can't be read.
    """
    context = http.create_ssl_context()
    context.load_default_certs()
    for origin, place in _additional(environ, npm_project):
        file, folder = (None, place) if place.is_dir() else (place, None)
        try:
            context.load_verify_locations(file, folder)
        except OSError as exc:
            raise ConfigError(f"{origin}: {place} can't be read as certificates") from exc
    if held := npm_authority(environ, project=npm_project):
        try:
            context.load_verify_locations(cadata=held)
        except (OSError, ValueError) as exc:
            raise ConfigError("npm's 'ca': it can't be read as certificates") from exc
    return context


def _additional(environ: Mapping[str, str], npm_project: Path | None) -> Iterator[tuple[str, Path]]:
    """Where a setting comes from, and the file or folder that it names."""
    if (file := pip_certificates(PipPlaces(environ))) is not None:
        yield "pip's 'cert'", file
    if (file := npm_certificates(environ, project=npm_project)) is not None:
        yield "npm's 'cafile'", file
    for variable in _VARIABLES:
        if value := environ.get(variable):
            yield variable, Path(value).expanduser()


TIMEOUT = http.Timeout(15.0, connect=10.0)
"""of one name's page"""
FILE_TIMEOUT = http.Timeout(30.0, connect=10.0)
"""of a file"""

T = TypeVar("T")


def open_asking_client(
    ecosystem: Ecosystem,
    trust: ssl.SSLContext,
    npm_project: Path | None = None,
    meter: Meter | None = None,
) -> http.AsyncClient:
    """A client for many small questions, over HTTP/2 where it is offered; ``meter`` counts them.

    ``npm_project``: the folder whose ``.npmrc`` counts; None: no folder's. Raises
    ConfigError for a proxy that can't be used.
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
    ecosystem: Ecosystem,
    at: Endpoint,
    meter: Meter | None = None,
    npm_project: Path | None = None,
) -> http.Client:
    """A client for a registry and the files that it links to, wherever they are; ``meter`` counts.

    The registry's credentials go to its own scheme, host and port only. ``npm_project``: the folder
    whose ``.npmrc`` counts; None: no folder's. Raises ConfigError for
    certificates that can't be read and a proxy that can't be used.
    """
    trust, route = trusted(npm_project=npm_project), _route(ecosystem, npm_project)
    home = _origin(http.URL(at.url))

    def authorize(request: http.Request) -> http.Request:
        if _origin(request.url) == home:
            request.headers.update(at.headers())
        return request

    def count(_: http.Request) -> None:
        if meter is not None:
            meter.spend()

    return http.Client(
        auth=authorize,
        event_hooks={"request": [count]},
        headers={"User-Agent": USER_AGENT},
        timeout=FILE_TIMEOUT,
        verify=trust,
        trust_env=route.proxy is None,
        mounts=_mounts(route, lambda proxy: http.HTTPTransport(verify=trust, proxy=proxy)),
    )


def _origin(url: http.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _route(ecosystem: Ecosystem, npm_project: Path | None = None) -> Route:
    return pip_route() if ecosystem is Ecosystem.PYPI else npm_route(project=npm_project)


def _mounts(route: Route, make: Callable[[http.Proxy], T]) -> dict[str, T | None]:
    """The transports by the addresses that they are for; None is the direct way.

    Raises ConfigError for a proxy that can't be used; the message doesn't show its address.
    """
    found: dict[str, T | None] = {f"all://*{host}": None for host in route.direct}
    if route.proxy is not None:
        try:
            found["all://"] = make(http.Proxy(route.proxy))
        except (ValueError, ImportError, http.InvalidURL) as exc:
            raise ConfigError(f"{route.origin}: the proxy's address can't be used") from exc
    return found
