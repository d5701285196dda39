"""The live registries of this user, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import httpx

from ghostbust.records import Ecosystem
from ghostbust.registries.indexes import Indexes
from ghostbust.registries.interface import Registry
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import npm_endpoints
from ghostbust.registries.pip_config import pip_extra_indexes, pip_index
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.transport import Client
from ghostbust.registries.trust import trusted

TIMEOUT = httpx.Timeout(15.0, connect=10.0)


def open_client() -> Client:
    """One client for all registries, HTTP/2 where they offer it; close its ``http``.

    Proxies come from the environment, certificates from there and from pip's and npm's
    settings. Raises ConfigError for unusable certificates.
    """
    return Client(httpx.AsyncClient(http2=True, timeout=TIMEOUT, verify=trusted()))


def live_registries(
    client: Client, may_be_young: Callable[[str, datetime], bool] = lambda _name, _changed: False
) -> Mapping[Ecosystem, Registry]:
    """One registry for each ecosystem, at the addresses of pip's and npm's configuration.

    ``may_be_young``: see `NpmRegistry`.
    """
    pypi = [PyPIRegistry(client, index) for index in (pip_index(), *pip_extra_indexes())]
    return {
        Ecosystem.PYPI: Indexes(*pypi),
        Ecosystem.NPM: NpmRegistry(client, npm_endpoints(), may_be_young=may_be_young),
    }
