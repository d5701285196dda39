"""The live registries of this user, ready to be asked."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from ghostbust.errors import ConfigError
from ghostbust.records import Ecosystem
from ghostbust.registries.interface import Registry
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import npm_endpoints
from ghostbust.registries.pip_config import pip_certificates, pip_index
from ghostbust.registries.pypi import PyPIRegistry

TIMEOUT_S = 15.0


def open_client() -> httpx.AsyncClient:
    """An HTTP client that trusts what the user's pip trusts; the caller closes it.

    Proxies come from the environment. Raises ConfigError for unusable certificates.
    """
    return httpx.AsyncClient(timeout=TIMEOUT_S, verify=certificates())


def certificates() -> ssl.SSLContext | bool:
    """What to check servers against: pip's own bundle if one is configured, else True."""
    file = pip_certificates()
    if file is None:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"{file}: pip's 'cert' can't be read as certificates") from exc


def live_registries(client: httpx.AsyncClient) -> Mapping[Ecosystem, Registry]:
    """One registry for each ecosystem, at the addresses of pip's and npm's configuration."""
    return {
        Ecosystem.PYPI: PyPIRegistry(client, pip_index()),
        Ecosystem.NPM: NpmRegistry(client, npm_endpoints()),
    }
