"""The live registries of this user, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from ghostbust.records import ASKED, Ecosystem
from ghostbust.registries.clients import open_asking_client
from ghostbust.registries.hosts import Hosts
from ghostbust.registries.indexes import Indexes
from ghostbust.registries.interface import Meter, Registry
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import npm_endpoints
from ghostbust.registries.pip_config import pip_extra_indexes, pip_index
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.transport import Client
from ghostbust.registries.trust import trusted


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
