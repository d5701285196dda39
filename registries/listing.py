"""Every name that a package index lists (PEP 691's root page), asked for once and streamed.

The npm registry has no such page. Only a complete answer counts: one without the canary, or
with far fewer names than before, is another index or a cut one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem
from ghostbust.registries.asking import CANARIES
from ghostbust.registries.large_answers import (
    MAX_BYTES,
    Progress,
    Unchanged,
    attempts,
    check_status,
    passing_file,
    save,
)
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.transport import USER_AGENT, Patience

_JSON = "application/vnd.pypi.simple.v1+json"
_CONTENT_TYPES = (_JSON, "application/vnd.pypi.simple.latest+json")


@dataclass(frozen=True, slots=True)
class Validators:
    """What an index said of its page's version, to ask only for a newer one next time."""

    etag: str = ""
    last_modified: str = ""

    def headers(self) -> dict[str, str]:
        """The conditional request headers; empty where nothing is known."""
        told = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Listing:
    """All names of an index."""

    names: frozenset[str]
    """canonical"""
    skipped: int
    """entries that are no valid names"""
    validators: Validators


def fetch_listing(
    client: httpx.Client,
    url: str,
    folder: Path,
    *,
    known: Validators,
    progress: Progress,
    patience: Patience | None = None,
    max_bytes: int = MAX_BYTES,
) -> Listing | Unchanged:
    """The names that the index at ``url`` lists; the page passes through a file in ``folder``.

    ``client`` brings credentials, certificates and proxies. ``max_bytes`` is the limit of the
    unpacked page. Raises RegistryError where no usable and complete answer came, DataError
    where ``folder`` can't be written.
    """
    headers = {"Accept": _JSON, "User-Agent": USER_AGENT, **known.headers()}
    with passing_file(folder, url, "listing") as page:
        for attempt in attempts(patience):
            with (
                attempt,
                client.stream("GET", f"{url}/", headers=headers, follow_redirects=True) as response,
            ):
                if response.status_code == httpx.codes.NOT_MODIFIED and known.headers():
                    return Unchanged()
                _check(url, response)
                save(url, response, page, progress=progress, max_bytes=max_bytes)
        told = response.headers
        validators = Validators(told.get("ETag", ""), told.get("Last-Modified", ""))
        return _read(url, page, validators)


def _check(url: str, response: httpx.Response) -> None:
    """Returns for a listing as JSON."""
    check_status(url, response, "pip's")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in _CONTENT_TYPES:
        raise RegistryError(f"{url}: it has no listing as JSON (PEP 691), only {kind or '?'}")


def _read(url: str, page: IO[bytes], validators: Validators) -> Listing:
    """The names on the page. Raises RegistryError for anything but a complete listing."""
    try:
        # The hook keeps a million entries as bare names instead of as dictionaries.
        listed = json.load(page, object_hook=lambda entry: entry.get("name", entry))
        version, projects = str(listed["meta"]["api-version"]), listed["projects"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RegistryError(f"{url}: its listing is cut or broken") from exc
    if version.partition(".")[0] != "1" or not isinstance(projects, list):
        raise RegistryError(f"{url}: no Simple API listing of version 1")
    names = set()
    skipped = 0
    for entry in projects:
        if isinstance(entry, str) and is_valid_name(Ecosystem.PYPI, entry.strip()):
            names.add(canonical_name(Ecosystem.PYPI, entry))
        else:
            skipped += 1
    if CANARIES[Ecosystem.PYPI] not in names:
        raise RegistryError(
            f"{url}: its listing of {len(names):,} names lacks {CANARIES[Ecosystem.PYPI]!r}, so it"
            " isn't all of PyPI"
        )
    return Listing(frozenset(names), skipped, validators)
