"""One file over HTTP into a ``.part`` file: resumable, and every failure is one clear line.

It doesn't check what arrived and doesn't know what it is for: ``wheels.py`` does both.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import stamina

from ghostbust.errors import FetchError, HomeError

Progress = Callable[[str, int, int | None], None]
"""Called with (what is going on, done so far, total); bytes for downloads, total None where the
server doesn't say it."""

ATTEMPTS: Final = 3
"""connections tried before a broken transfer is given up; each goes on where the last one ended"""
_BROKEN_OFF = (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout)


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Shows no progress."""


def download(
    url: httpx.URL, part: Path, *, client: httpx.Client, progress: Progress = silent
) -> None:
    """Fetches ``url`` into ``part``, going on behind what ``part`` already holds.

    A server that doesn't know ranges, or whose file is shorter than ``part``, makes it start
    again from the first byte. A transfer that breaks off is tried again, ``ATTEMPTS`` in all.

    Raises FetchError when the server can't be reached or refuses (``part`` stays, so the next
    call goes on), HomeError when the disk is full (``part`` is removed) or can't be written.
    """
    with mapped_fetch_errors(url.netloc.decode()), mapped_disk_errors(part.parent, part):
        for attempt in stamina.retry_context(
            on=_BROKEN_OFF, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5
        ):
            with attempt:
                _transfer(url, part, client, progress)


def _transfer(url: httpx.URL, part: Path, client: httpx.Client, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    # identity: with a compressed body neither ranges nor lengths would count the file's own bytes
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # the file is whole already
            part.unlink()
            return _transfer(url, part, client, progress)
        response.raise_for_status()
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if response.status_code == httpx.codes.PARTIAL_CONTENT and resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if have else "wb") as file:
            progress("download", have, total)
            # no chunk size: httpx would hold the last bytes back and lose them at a break
            for chunk in response.iter_bytes():
                file.write(chunk)
                have += len(chunk)
                progress("download", have, total)


@contextmanager
def mapped_fetch_errors(host: str) -> Iterator[None]:
    """Turns what httpx raises while talking to ``host`` into a FetchError of one line.

    The text of the httpx error is left out where it could show a URL with credentials in it.
    """
    try:
        yield
    except httpx.HTTPStatusError as exc:
        status = exc.response.status_code
        raise FetchError(f"the package index at {host} answered {status}; try again later") from exc
    except _BROKEN_OFF as exc:
        raise FetchError(f"the transfer from {host} broke off; run it again to go on") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise FetchError(
            f"can't reach the package index at {host or 'an address without a host'}"
            f" ({type(exc).__name__}); check the network and pip's index-url"
        ) from exc


@contextmanager
def mapped_disk_errors(folder: Path, leftover: Path | None = None) -> Iterator[None]:
    """Turns an OSError while writing into ``folder`` into a HomeError of one line.

    On a full disk ``leftover`` is removed, so that a failed download doesn't keep it full.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            if leftover is not None:
                leftover.unlink(missing_ok=True)
            raise HomeError(f"no space left in {folder}; free some and run it again") from exc
        raise HomeError(
            f"can't write to {folder} ({exc.strerror}); make it writable or set XDG_CACHE_HOME"
        ) from exc
