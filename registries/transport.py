"""One polite question to a registry: retries, Retry-After, and an answer or an error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import stamina

import ghostbust
from ghostbust.errors import RegistryError, SpentError, UnansweredError
from ghostbust.http import TooLargeError, read_body
from ghostbust.parsing import parse_json
from ghostbust.records import utc_now
from ghostbust.registries.heard import HEARD, Heard
from ghostbust.registries.hosts import LEFT_ALONE_S, Host, Hosts

USER_AGENT = f"ghostbust/{ghostbust.__version__}"
MAX_BYTES = 64 << 20
"""an answer is given up beyond this, unpacked; npm's largest had some 10 MB in 2026"""

T = TypeVar("T")


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
    answer_s: float = 30.0
    """longest time for one answer, its last byte included: a body may come drop by drop"""
    total_s: float = 60.0
    """no attempt begins later than this after the first"""


class NoAnswerError(Exception):
    """An answer that can't be used but may be better next time."""

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status that says something."""

    found: bool
    """False for 404: the registry doesn't have it"""
    url: str
    """what was asked, without credentials"""
    kind: str = ""
    """content type, lower case, without parameters"""
    body: bytes = b""
    """empty for 404 and for what didn't change"""
    validator: str = ""
    """what to give `Client.ask` the next time; empty where the registry sent no ETag"""
    changed: bool = True
    """False where the registry says that the page is still that of the validator"""

    @property
    def document(self) -> Mapping[str, Any]:
        """The JSON object that it sent. Raises NoAnswerError for anything else."""
        try:
            document = parse_json(self.body)
        except ValueError as exc:
            raise NoAnswerError("its JSON is cut or broken") from exc
        if not isinstance(document, dict):
            raise NoAnswerError("its JSON is no object")
        return document


@dataclass(frozen=True)
class Client:
    """An HTTP client with manners, shared by all registries. For one event loop."""

    http: httpx.AsyncClient
    patience: Patience = field(default_factory=Patience)
    hosts: Hosts = field(default_factory=Hosts)
    heard: Heard = field(default_factory=lambda: HEARD)
    """where its requests are counted"""

    async def ask(
        self,
        url: str,
        read: Callable[[Reply], T],
        *,
        accept: str,
        content_types: tuple[str, ...],
        headers: Mapping[str, str],
        validator: str = "",
    ) -> T:
        """What ``read`` makes of the registry's answer at ``url``.

        Asks again after a lost connection, a timeout, 408, 429, 5xx, a wrong content type, a
        cut body, and where ``read`` raises NoAnswerError. Raises UnansweredError when patience
        ends, and without asking while the host is left alone because it gave no answers;
        RegistryError at once for any other status, such as 401 and 403; SpentError where the
        HTTP client's meter forbids the request.
        """
        wanted = {
            "Accept": accept, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT, **headers
        }  # fmt: skip
        if etag := _etag(validator):
            wanted["If-None-Match"] = etag
        host = self.hosts.of(url)

        async def once() -> T:
            # Without arguments: stamina puts those of what it calls into its log records, and
            # the headers hold credentials.
            await host.rate.acquire()
            with self.heard.request():
                return read(await self._ask_once(url, wanted, content_types))

        async with host.slots:
            async with host.gate:
                await self._check(host, url)
            try:
                answer = await self._patiently(url, once)
            except SpentError:
                raise  # which is no fault of the host's
            except RegistryError as exc:
                async with host.gate:
                    await self._blame(host, url, str(exc))
                raise
            host.breaker.answered()
            host.witness = once
            return answer

    async def _check(self, host: Host, url: str) -> None:
        """Returns where the host may be asked. Raises UnansweredError while it is left alone.

        When that time is over, it is asked for what it answered before; where it hasn't
        answered anything yet, the caller tries for all.
        """
        wait_s = host.breaker.wait_s
        if wait_s is None:
            return
        if wait_s > (LEFT_ALONE_S if host.witness else 0):
            raise UnansweredError(f"{url}: not asked, since {host.breaker.why}")
        await asyncio.sleep(wait_s)
        host.breaker.try_again()
        if host.witness is not None and not await self._answers(host, url):
            raise UnansweredError(f"{url}: not asked, since {host.breaker.why}")

    async def _blame(self, host: Host, url: str, why: str) -> None:
        """Notes that a name got no answer.

        Where the host would be left alone for that, it is asked for what it answered before: if
        it does so again, it is the names that get no answer, and the others are asked for.
        """
        if host.breaker.failed(url, why):
            await self._answers(host, url)

    async def _answers(self, host: Host, url: str) -> bool:
        """Whether the host answers again what it answered last; False where that is nothing."""
        if host.witness is None:
            return False
        try:
            await self._patiently(url, host.witness)
        except RegistryError:
            return False
        host.breaker.answered()
        return True

    async def _patiently(self, url: str, once: Callable[[], Awaitable[T]]) -> T:
        """What ``once`` returns in one of the attempts. Raises UnansweredError if it never does."""
        patience = self.patience
        ask_once = stamina.AsyncRetryingCaller(
            attempts=patience.attempts,
            timeout=patience.total_s,
            wait_initial=patience.initial_s,
            wait_max=patience.longest_s,
            wait_jitter=patience.jitter_s,
        )
        try:
            return await ask_once(self._again, once)
        except NoAnswerError as exc:
            raise UnansweredError(f"{url}: no usable answer ({exc})") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise UnansweredError(f"{url}: can't be reached ({type(exc).__name__}: {exc})") from exc

    def _again(self, exc: Exception) -> bool | float:
        """Whether to ask again after a failure, and after how many seconds if it told."""
        if isinstance(exc, NoAnswerError) and exc.retry_after_s is not None:
            if exc.retry_after_s > self.patience.longest_s:
                return False
            jitter = random.uniform(0, self.patience.jitter_s)  # noqa: S311
            return max(self.patience.floor_s, exc.retry_after_s) + jitter
        return isinstance(exc, NoAnswerError | httpx.TransportError | httpx.DecodingError)

    async def _ask_once(
        self, url: str, headers: dict[str, str], content_types: tuple[str, ...]
    ) -> Reply:
        """One request, its body read to the end; raises NoAnswerError for what may go better."""
        try:
            async with (
                asyncio.timeout(self.patience.answer_s),
                self.http.stream("GET", url, headers=headers, follow_redirects=True) as response,
            ):
                _check_status(url, response, conditional="If-None-Match" in headers)
                body = await _body(url, response)
        except TimeoutError as exc:
            raise NoAnswerError(f"not whole after {self.patience.answer_s:g} s") from exc
        if response.status_code == httpx.codes.NOT_FOUND:
            return Reply(False, url)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return Reply(True, url, changed=False)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in content_types:
            raise NoAnswerError(
                f"it sent {kind or 'no content type'} instead of {content_types[0]}"
            )
        return Reply(True, url, kind, body, _validator(response))


def _check_status(url: str, response: httpx.Response, *, conditional: bool) -> None:
    """Returns for a status that is an answer: 200, 404, and 304 to a conditional request."""
    status = response.status_code
    if status in (httpx.codes.OK, httpx.codes.NOT_FOUND):
        return
    if status == httpx.codes.NOT_MODIFIED and conditional:
        return
    if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
        raise NoAnswerError(f"HTTP {status}", _retry_after_s(response))
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise RegistryError(f"{url}: HTTP {status}; check the credentials in pip's or npm's config")
    raise RegistryError(f"{url}: HTTP {status}")


async def _body(url: str, response: httpx.Response) -> bytes:
    """The whole body, unpacked. Raises RegistryError where it is too large to be an answer."""
    try:
        return await read_body(response, MAX_BYTES)
    except TooLargeError as exc:
        raise RegistryError(f"{url}: {exc}") from exc


def _validator(response: httpx.Response) -> str:
    """The ETag behind the version that reads the page: another one may read it otherwise."""
    etag = response.headers.get("ETag", "")
    return f"{ghostbust.__version__} {etag}" if etag else ""


def _etag(validator: str) -> str:
    """The ETag of a validator of this version; empty for none, or another version's."""
    version, _, etag = validator.partition(" ")
    return etag if version == ghostbust.__version__ else ""


def _retry_after_s(response: httpx.Response) -> float | None:
    """What Retry-After asks for, as seconds or as a date; None without a readable one."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - utc_now()).total_seconds())
    except (TypeError, ValueError):
        return None
