"""One polite question to a registry: retries, Retry-After, and an answer or an error."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import stamina

import ghostbust
from ghostbust.errors import RegistryError
from ghostbust.records import utc_now

USER_AGENT = f"ghostbust/{ghostbust.__version__}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to wait for a registry that doesn't answer well."""

    attempts: int = 5
    initial_s: float = 0.5
    """wait before the second attempt; doubles with each further one"""
    longest_s: float = 8.0
    """longest wait between two attempts; a Retry-After beyond it ends the attempts"""
    floor_s: float = 0.5
    """shortest wait after a Retry-After, since npm's says 0"""
    jitter_s: float = 1.0
    """upper end of the random part of every wait"""
    total_s: float = 60.0


class _NoAnswerError(Exception):
    """A response that can't be used but may be better next time."""

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable answer."""

    found: bool
    """False for 404: the registry doesn't have it"""
    url: str
    document: Mapping[str, Any]
    """the JSON object it sent; empty for 404"""


async def ask(
    client: httpx.AsyncClient,
    url: str,
    *,
    accept: str,
    content_types: tuple[str, ...],
    headers: Mapping[str, str],
    patience: Patience,
) -> Reply:
    """What the registry says at ``url``: a JSON object, or that there is nothing.

    Asks again after a lost connection, a timeout, 408, 429, 5xx, a wrong content type and a
    cut or unparsable body. Raises RegistryError when patience ends, and at once for any
    other status, such as 401 and 403.
    """

    def again(exc: Exception) -> bool | float:
        if isinstance(exc, _NoAnswerError) and exc.retry_after_s is not None:
            if exc.retry_after_s > patience.longest_s:
                return False
            jitter = random.uniform(0, patience.jitter_s)  # noqa: S311
            return max(patience.floor_s, exc.retry_after_s) + jitter
        return isinstance(exc, _NoAnswerError | httpx.TransportError | httpx.DecodingError)

    ask_once = stamina.AsyncRetryingCaller(
        attempts=patience.attempts,
        timeout=patience.total_s,
        wait_initial=patience.initial_s,
        wait_max=patience.longest_s,
        wait_jitter=patience.jitter_s,
    )
    wanted = {"Accept": accept, "User-Agent": USER_AGENT, **headers}

    async def once() -> Reply:
        # Without arguments: stamina puts those of what it calls into its log records, and
        # the headers hold credentials.
        return await _ask_once(client, url, wanted, content_types)

    try:
        return await ask_once(again, once)
    except _NoAnswerError as exc:
        raise RegistryError(f"{url}: no usable answer ({exc})") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise RegistryError(f"{url}: can't be reached ({type(exc).__name__}: {exc})") from exc


async def _ask_once(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], content_types: tuple[str, ...]
) -> Reply:
    """One request; raises _NoAnswerError for what may go better next time."""
    response = await client.get(url, headers=headers, follow_redirects=True)
    status = response.status_code
    if status == httpx.codes.NOT_FOUND:
        return Reply(False, url, {})
    if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
        raise _NoAnswerError(f"HTTP {status}", _retry_after_s(response))
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise RegistryError(f"{url}: HTTP {status}; check the credentials in pip's or npm's config")
    if status != httpx.codes.OK:
        raise RegistryError(f"{url}: HTTP {status}")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in content_types:
        raise _NoAnswerError(f"it sent {kind or 'no content type'} instead of {content_types[0]}")
    try:
        document = response.json()
    except ValueError as exc:
        raise _NoAnswerError("its JSON is cut or broken") from exc
    if not isinstance(document, dict):
        raise _NoAnswerError("its JSON is no object")
    return Reply(True, url, document)


def _retry_after_s(response: httpx.Response) -> float | None:
    """What Retry-After asks for, as seconds or as a date; None without a readable one."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - utc_now()).total_seconds())
    except (TypeError, ValueError):
        return None
