"""Every name that a package index lists (PEP 691's root page), asked for once and streamed.

The npm registry has no such page. Only a complete answer counts: one without the canary, or
with far fewer names than before, is another index or a cut one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import stamina

from ghostbust.errors import DataError, RegistryError
from ghostbust.records import Ecosystem
from ghostbust.registries.asking import CANARIES
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.transport import USER_AGENT, Patience

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and their total; the total is None where the index doesn't say."""

MAX_BYTES = 1 << 30
"""the page is refused beyond this, unpacked; PyPI's had some 40 MB in 2026"""
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


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The index has nothing newer than what the validators stand for."""


class _TryAgainError(Exception):
    """An answer that may be better next time."""


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
    patience = patience or Patience()
    headers = {"Accept": _JSON, "User-Agent": USER_AGENT, **known.headers()}
    try:
        with tempfile.TemporaryFile(dir=folder) as page:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, httpx.DecodingError, _TryAgainError),
                attempts=patience.attempts,
                timeout=None,
                wait_initial=patience.initial_s,
                wait_max=patience.longest_s,
                wait_jitter=patience.jitter_s,
            ):
                with attempt:
                    got = _download(client, f"{url}/", headers, page, progress, max_bytes)
            return got if isinstance(got, Unchanged) else _read(url, page, got)
    except _TryAgainError as exc:
        raise RegistryError(f"{url}: no usable listing ({exc})") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise RegistryError(f"{url}: can't be reached ({type(exc).__name__}: {exc})") from exc
    except OSError as exc:
        raise DataError(f"{folder}: can't keep the index's listing ({exc.strerror})") from exc


def _download(
    client: httpx.Client,
    url: str,
    headers: dict[str, str],
    page: IO[bytes],
    progress: Progress,
    max_bytes: int,
) -> Validators | Unchanged:
    """Writes the page into the file and returns its validators."""
    page.seek(0)
    page.truncate()
    with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
        status = response.status_code
        if status == httpx.codes.NOT_MODIFIED and headers.keys() & {
            "If-None-Match",
            "If-Modified-Since",
        }:
            return Unchanged()
        if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
            raise _TryAgainError(f"HTTP {status}")
        if status != httpx.codes.OK:
            raise RegistryError(f"{url}: HTTP {status}; check the index in pip's configuration")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in _CONTENT_TYPES:
            raise RegistryError(f"{url}: it has no listing as JSON (PEP 691), only {kind or '?'}")
        told = response.headers.get("Content-Length", "")
        total = int(told) if told.isdecimal() else None
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > max_bytes:
                raise RegistryError(f"{url}: its listing is larger than {max_bytes:,} bytes")
            page.write(chunk)
            progress(response.num_bytes_downloaded, total)
        return Validators(
            response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        )


def _read(url: str, page: IO[bytes], validators: Validators) -> Listing:
    """The names on the page. Raises RegistryError for anything but a complete listing."""
    page.seek(0)
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
