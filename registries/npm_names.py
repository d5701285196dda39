"""Every npm name, from a package on npm that lists them: asked for once, checked, streamed.

The registry itself publishes no list. The package is other people's work, made from the
registry's feed of changes; a name that it lacks needn't be absent, so a snapshot made of it is
complete only if the user says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

import httpx
import stamina

from ghostbust.errors import DataError, RegistryError
from ghostbust.records import Ecosystem
from ghostbust.registries.asking import CANARIES
from ghostbust.registries.listing import MAX_BYTES, Progress, Unchanged
from ghostbust.registries.names import is_valid_name
from ghostbust.registries.simple_page import aware_time
from ghostbust.registries.transport import USER_AGENT, Patience

NAMES_PACKAGE = "all-the-package-names"
"""the package that lists the names; it is published daily"""
_NAMES_FILE = "package/names.json"
_ABBREVIATED = "application/vnd.npm.install-v1+json"


@dataclass(frozen=True, slots=True)
class NpmNames:
    """All names that the package lists."""

    names: frozenset[str]
    skipped: int
    """entries that are no valid names"""
    version: str
    """of the package"""
    published: date | None
    """when the package was last changed; None where the registry doesn't tell"""


class _TryAgainError(Exception):
    """An answer that may be better next time."""


def fetch_npm_names(
    client: httpx.Client,
    url: str,
    folder: Path,
    *,
    package: str,
    known_version: str,
    progress: Progress,
    patience: Patience | None = None,
) -> NpmNames | Unchanged:
    """The names in the newest version of ``package``, unless that is ``known_version``.

    The tarball passes through a file in ``folder``, and has to have the hash that the registry
    tells of it. Raises RegistryError where no usable and complete answer came, DataError where
    ``folder`` can't be written.
    """
    patience = patience or Patience()
    place = f"{url}/{package.replace('/', '%2f')}"
    try:
        with tempfile.TemporaryFile(dir=folder) as tarball:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, httpx.DecodingError, _TryAgainError),
                attempts=patience.attempts,
                timeout=None,
                wait_initial=patience.initial_s,
                wait_max=patience.longest_s,
                wait_jitter=patience.jitter_s,
            ):
                with attempt:
                    version, dist, published = _newest(client, place)
                    if version == known_version:
                        return Unchanged()
                    _download(client, place, dist, tarball, progress)
            names, skipped = _names(place, tarball)
        return NpmNames(names, skipped, version, published)
    except _TryAgainError as exc:
        raise RegistryError(f"{place}: no usable list of names ({exc})") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise RegistryError(f"{place}: can't be reached ({type(exc).__name__}: {exc})") from exc
    except OSError as exc:
        raise DataError(f"{folder}: can't keep the list of names ({exc.strerror})") from exc


def _newest(client: httpx.Client, place: str) -> tuple[str, Mapping[str, Any], date | None]:
    """Version, tarball and day of the newest version of the package."""
    headers = {"Accept": f"{_ABBREVIATED}, application/json;q=0.8", "User-Agent": USER_AGENT}
    response = client.get(place, headers=headers, follow_redirects=True)
    _check(place, response)
    try:
        document = response.json()
        version = str(document["dist-tags"]["latest"])
        dist = document["versions"][version]["dist"]
        if not {"tarball", "integrity"} <= dist.keys():
            raise RegistryError(f"{place}: it doesn't tell tarball and hash of {version}")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _TryAgainError("its document is cut or broken") from exc
    told = document.get("modified") or document.get("time", {}).get(version)
    changed = aware_time(told)
    return version, dist, None if changed is None else changed.date()


def _check(place: str, response: httpx.Response) -> None:
    status = response.status_code
    if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
        raise _TryAgainError(f"HTTP {status}")
    if status != httpx.codes.OK:
        raise RegistryError(f"{place}: HTTP {status}; check the registry in npm's configuration")


def _download(
    client: httpx.Client,
    place: str,
    dist: Mapping[str, Any],
    file: IO[bytes],
    progress: Progress,
) -> None:
    """Writes the tarball into the file. Raises _TryAgainError where its hash is another."""
    file.seek(0)
    file.truncate()
    # The strongest one last, as the registry may tell several.
    method, _, wanted = max(str(dist["integrity"]).split()).partition("-")
    if method not in ("sha256", "sha384", "sha512"):
        raise RegistryError(f"{place}: it tells no hash of its tarball that can be trusted")
    digest = hashlib.new(method)
    headers = {"User-Agent": USER_AGENT}
    with client.stream("GET", dist["tarball"], headers=headers, follow_redirects=True) as response:
        _check(place, response)
        told = response.headers.get("Content-Length", "")
        total = int(told) if told.isdecimal() else None
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > MAX_BYTES:
                raise RegistryError(f"{place}: its tarball is larger than {MAX_BYTES:,} bytes")
            digest.update(chunk)
            file.write(chunk)
            progress(response.num_bytes_downloaded, total)
    if base64.b64encode(digest.digest()).decode() != wanted:
        raise _TryAgainError(f"its tarball doesn't have the {method} that the registry tells")


def _names(place: str, tarball: IO[bytes]) -> tuple[frozenset[str], int]:
    """The valid names in the tarball, and how many entries are none."""
    tarball.seek(0)
    try:
        with tarfile.open(fileobj=tarball, mode="r|gz") as tar:
            listed = next(
                json.load(found)
                for entry in tar
                if entry.name == _NAMES_FILE
                and entry.size <= MAX_BYTES
                and (found := tar.extractfile(entry)) is not None
            )
    except (tarfile.TarError, EOFError, ValueError, StopIteration) as exc:
        raise RegistryError(f"{place}: there is no list of names in {_NAMES_FILE}") from exc
    if not isinstance(listed, list):
        raise RegistryError(f"{place}: its {_NAMES_FILE} is no list")
    valid = (n for n in listed if isinstance(n, str) and is_valid_name(Ecosystem.NPM, n))
    names = frozenset(valid)
    if CANARIES[Ecosystem.NPM] not in names:
        raise RegistryError(
            f"{place}: its {len(names):,} names lack {CANARIES[Ecosystem.NPM]!r}, so they aren't"
            " all of npm's"
        )
    return names, len(listed) - len(names)
