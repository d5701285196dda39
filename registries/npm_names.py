"""Every npm name, from a package on npm that lists them: asked for once, checked, streamed.

The registry itself publishes no list. The package is other people's work, made from the
registry's feed of changes; a name that it lacks needn't be absent, so a snapshot made of it is
complete only if the user says so.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import BufferedRandom
from pathlib import Path
from typing import Any

import httpx

from ghostbust.errors import RegistryError
from ghostbust.parsing import parse_json
from ghostbust.records import Ecosystem
from ghostbust.registries.asking import CANARIES
from ghostbust.registries.large_answers import (
    MAX_BYTES,
    Progress,
    TryAgainError,
    Unchanged,
    attempts,
    check_status,
    passing_file,
    save,
)
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
    place = f"{url}/{package.replace('/', '%2f')}"
    with passing_file(folder, place, "list of names") as tarball:
        for attempt in attempts(patience):
            with attempt:
                version, dist, published = _newest(client, place)
                if version == known_version:
                    return Unchanged()
                _download(client, place, dist, tarball, progress)
        names, skipped = _names(place, tarball)
    return NpmNames(names, skipped, version, published)


def _newest(client: httpx.Client, place: str) -> tuple[str, Mapping[str, Any], date | None]:
    """Version, tarball and day of the newest version of the package."""
    headers = {"Accept": f"{_ABBREVIATED}, application/json;q=0.8", "User-Agent": USER_AGENT}
    response = client.get(place, headers=headers, follow_redirects=True)
    check_status(place, response, "npm's")
    try:
        document = parse_json(response.content)
        version = str(document["dist-tags"]["latest"])
        dist = document["versions"][version]["dist"]
        if not {"tarball", "integrity"} <= dist.keys():
            raise RegistryError(f"{place}: it doesn't tell tarball and hash of {version}")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise TryAgainError("its document is cut or broken") from exc
    told = document.get("modified") or document.get("time", {}).get(version)
    changed = aware_time(told)
    return version, dist, None if changed is None else changed.date()


def _download(
    client: httpx.Client,
    place: str,
    dist: Mapping[str, Any],
    file: BufferedRandom,
    progress: Progress,
) -> None:
    """Writes the tarball into the file. Raises TryAgainError where its hash is another."""
    # The strongest one last, as the registry may tell several.
    method, _, wanted = max(str(dist["integrity"]).split()).partition("-")
    if method not in ("sha256", "sha384", "sha512"):
        raise RegistryError(f"{place}: it tells no hash of its tarball that can be trusted")
    headers = {"User-Agent": USER_AGENT}
    with client.stream("GET", dist["tarball"], headers=headers, follow_redirects=True) as response:
        check_status(place, response, "npm's")
        save(place, response, file, progress=progress)
    digest = hashlib.file_digest(file, method)
    if base64.b64encode(digest.digest()).decode() != wanted:
        raise TryAgainError(f"its tarball doesn't have the {method} that the registry tells")
    file.seek(0)


def _names(place: str, tarball: BufferedRandom) -> tuple[frozenset[str], int]:
    """The valid names in the tarball, and how many entries are none."""
    try:
        with tarfile.open(fileobj=tarball, mode="r|gz") as tar:
            listed = next(
                parse_json(found.read())
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
