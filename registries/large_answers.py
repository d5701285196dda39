"""One large answer into a file that is gone afterwards: asked for again where it breaks off.

For the lists of all names. `transport.Client` asks for single names, many at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

import httpx
import stamina

from ghostbust.errors import DataError, RegistryError
from ghostbust.registries.transport import Patience

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and their total; the total is None where nobody says it."""

MAX_BYTES = 1 << 30
"""an answer is refused beyond this, unpacked; PyPI's list of names had some 40 MB in 2026"""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """There is nothing newer than what is known already."""


class TryAgainError(Exception):
    """An answer that may be better next time."""


@contextmanager
def passing_file(folder: Path, place: str, what: str) -> Iterator[BufferedRandom]:
    """A nameless file in ``folder``, for what is fetched from ``place`` and read at once.

    Everything that goes wrong in the block is mapped here: RegistryError where no usable
    answer came, DataError where ``folder`` can't be written. ``what`` names what was wanted.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except TryAgainError as exc:
        raise RegistryError(f"{place}: no usable {what} ({exc})") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise RegistryError(f"{place}: can't be reached ({type(exc).__name__}: {exc})") from exc
    except OSError as exc:
        raise DataError(f"{folder}: can't keep the {what} ({exc.strerror})") from exc


def attempts(patience: Patience | None) -> Iterator[stamina.Attempt]:
    """To be looped over, each attempt a ``with``: the block runs until it doesn't break off."""
    patience = patience or Patience()
    again = stamina.retry_context(
        on=(httpx.TransportError, httpx.DecodingError, TryAgainError),
        attempts=patience.attempts,
        timeout=None,
        wait_initial=patience.initial_s,
        wait_max=patience.longest_s,
        wait_jitter=patience.jitter_s,
    )
    return iter(again)


def check_status(place: str, response: httpx.Response, whose: str) -> None:
    """Returns for 200. Raises TryAgainError for what may pass, RegistryError for the rest."""
    status = response.status_code
    if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
        raise TryAgainError(f"HTTP {status}")
    if status != httpx.codes.OK:
        raise RegistryError(f"{place}: HTTP {status}; check the address in {whose} configuration")


def save(
    place: str,
    response: httpx.Response,
    file: BufferedRandom,
    *,
    progress: Progress,
    max_bytes: int = MAX_BYTES,
) -> None:
    """Writes the body, unpacked, into the file, in the place of what an earlier attempt left.

    Raises RegistryError where it is larger than ``max_bytes``.
    """
    file.seek(0)
    file.truncate()
    told = response.headers.get("Content-Length", "")
    total = int(told) if told.isdecimal() else None
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise RegistryError(f"{place}: its answer is larger than {max_bytes:,} bytes")
        file.write(chunk)
        progress(response.num_bytes_downloaded, total)
    file.seek(0)
