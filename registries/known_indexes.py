"""Whether an address that a text names is a public index, or one that the user's own settings name.

Of the first the public verdict counts; the second has been asked, or can be. Any other index is
named by nobody but the text, which can't vouch for itself.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from ghostbust.records import Ecosystem
from ghostbust.registries.npm_config import NpmEndpoints, npm_endpoints, public_npm
from ghostbust.registries.pip_config import pip_extra_indexes, pip_index

# Hosts under which Yarn's authors serve the public npm registry: classic lock files name them.
# As SHA-256, since no registry's address stands in this repository.
_OTHER_NPM_HOSTS = frozenset({"70bb4000cd2fab03af01fed086c6bf3c2c970f8b8b8001c311028ec3b80e775a"})


class KnownIndexes:
    """The public indexes, and the user's own unless nobody is asked anyway. Reads settings late."""

    def __init__(self, *, asks: bool, npm_project: Path | None = None) -> None:
        """``asks``: the user's own indexes are asked; False for judging by a snapshot only."""
        self._asks = asks
        self._npm_project = npm_project

    def is_public(self, ecosystem: Ecosystem, address: str) -> bool:
        """True for the public index itself, and for what lies below it."""
        if ecosystem is Ecosystem.PYPI:
            return _is_below(address, _public_pypi())
        return _is_below(address, public_npm()) or _host_hash(address) in _OTHER_NPM_HOSTS

    def is_own(self, ecosystem: Ecosystem, address: str, name: str) -> bool:
        """True for an index that the user's pip or npm asks for a package of that name.

        Raises ConfigError for settings that can't be used.
        """
        if not self._asks:
            return False
        if ecosystem is Ecosystem.PYPI:
            return any(_is_below(address, url) for url in self._pip)
        return _is_below(address, self._npm.of(name).url)

    @cached_property
    def _pip(self) -> list[str]:
        return [index.url for index in (pip_index(), *pip_extra_indexes())]

    @cached_property
    def _npm(self) -> NpmEndpoints:
        return npm_endpoints(project=self._npm_project)


def without_credentials(address: str) -> str:
    """An address without user name, password, query and fragment, no slash at the end."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return ""
    if not parts.netloc:
        return address.strip()
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _is_below(address: str, base: str) -> bool:
    bare, base = without_credentials(address), without_credentials(base)
    return bool(base) and "/.." not in bare and (bare == base or bare.startswith(f"{base}/"))


def _host_hash(address: str) -> str:
    host = without_credentials(address).partition("://")[2].partition("/")[0]
    return hashlib.sha256(host.encode()).hexdigest()


def _public_pypi() -> str:
    # Imported here: it costs 0.3 s, and few texts name an index.
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT
