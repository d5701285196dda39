"""Asks a registry one question politely: few at a time, again where that may help, never for ever.

`Client.ask` returns what the caller reads from the answer, or raises RegistryError. It is for
single names, many at a time; `ghostbust.registries.sync` downloads whole lists of names.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import stamina
from aiolimiter import AsyncLimiter

import ghostbust
from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.errors import RegistryError, SpentError, UnansweredError
from ghostbust.records import utc_now

MAX_BYTES = 64 << 20
"""largest answer, unpacked; npm's largest had some 10 MB in 2026"""
IN_FLIGHT = 4
"""questions to one host at a time"""
PER_SECOND = 10.0
"""requests to one host, retries included"""
GIVE_UP_AFTER = 3
"""names in a row without a usable answer, after which a host is left alone"""
LEFT_ALONE_S = 1.0
"""first pause; then one name is tried, and the others follow if it gets an answer"""
LONGEST_LEFT_ALONE_S = 30.0
"""longest pause; it doubles with each name that is tried in vain"""

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

    @property
    def waits(self) -> dict[str, Any]:
        """The arguments of stamina's functions that it settles, all but the time in all."""
        return {
            "attempts": self.attempts, "wait_initial": self.initial_s, "wait_max": self.longest_s,
            "wait_jitter": self.jitter_s,
        }  # fmt: skip


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
    """the address that was asked, without credentials"""
    kind: str = ""
    """content type, lower case, without parameters"""
    body: bytes = b""
    """empty for 404 and for an unchanged page"""
    validator: str = ""
    """to pass to `Client.ask` next time; empty where the registry sent no ETag"""
    changed: bool = True
    """False where the registry says that the page is still that of the validator"""

    @property
    def document(self) -> Mapping[str, Any]:
        """The JSON object in the body. Raises NoAnswerError for anything else."""
        try:
            document = parse_json(self.body)
        except ValueError as exc:
            raise NoAnswerError("its JSON is cut or broken") from exc
        if not isinstance(document, dict):
            raise NoAnswerError("its JSON is no object")
        return document


# Counting: the daemon's metrics and its readiness report what this process asked.


class Outcome(StrEnum):
    """How one request ended."""

    ANSWERED = "answered"
    """with something usable, "no such package" included"""
    UNANSWERED = "unanswered"
    """no connection, no time left, busy, or nothing usable; another try may do better"""
    REFUSED = "refused"
    """with a status that no retry changes, such as 401"""


@dataclass
class RequestCounts:
    """How many requests ended how, and when the last ones did. Safe for threads."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    last_answer: datetime | None = None
    """when a registry last answered; None before the first time"""
    last_failure: datetime | None = None
    """when one last didn't; None before the first time"""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: Outcome) -> None:
        """Counts a finished request."""
        with self._lock:
            self.counts[outcome] += 1
            if outcome is Outcome.ANSWERED:
                self.last_answer = utc_now()
            else:
                self.last_failure = utc_now()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts the request in the block by what it raises, unless a meter forbade it."""
        try:
            yield
        except SpentError:
            raise
        except RegistryError:
            self.count(Outcome.REFUSED)
            raise
        except Exception:
            self.count(Outcome.UNANSWERED)
            raise
        self.count(Outcome.ANSWERED)


REQUESTS: Final = RequestCounts()
"""of this process"""


# How each host is treated.


@dataclass(frozen=True, slots=True)
class Manners:
    """The limits for one host."""

    in_flight: int = IN_FLIGHT
    per_second: float = PER_SECOND
    give_up_after: int = GIVE_UP_AFTER


class Host:
    """The queue in front of one host, and whether the host is left alone for a while.

    It is left alone when some names in a row got no answer, until the first answer.
    """

    def __init__(self, manners: Manners, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = asyncio.Semaphore(manners.in_flight)
        self.rate = AsyncLimiter(manners.per_second, 1)
        self.gate = asyncio.Lock()
        """held while somebody finds out whether the host answers at all"""
        self.witness: Callable[[], Awaitable[object]] | None = None
        """asks once more for what was answered last; None before the first answer"""
        self.why = ""
        """the last failure"""
        self._give_up_after = manners.give_up_after
        self._clock = clock
        self._failed: set[str] = set()
        """asked in vain since the last answer; a name that fails again counts once"""
        self._pause_s = LEFT_ALONE_S
        self._next_try = 0.0

    @property
    def wait_s(self) -> float | None:
        """Seconds until somebody may try again; None where everybody may ask."""
        if len(self._failed) < self._give_up_after:
            return None
        return max(0.0, self._next_try - self._clock())

    def try_again(self) -> None:
        """Somebody tries; nobody else may for twice as long as before."""
        self._pause_s = min(2 * self._pause_s, LONGEST_LEFT_ALONE_S)
        self._next_try = self._clock() + self._pause_s

    def answered(self) -> None:
        """An answer came, "no such package" included."""
        self._failed.clear()
        self._pause_s = LEFT_ALONE_S

    def failed(self, url: str, why: str) -> bool:
        """No usable answer came for ``url``. True where the host is left alone from now on."""
        before = len(self._failed)
        self._failed.add(url)
        self.why = why
        self._next_try = self._clock() + self._pause_s
        return before < self._give_up_after <= len(self._failed)


@dataclass(slots=True)
class Hosts:
    """The hosts that were asked. For one event loop."""

    manners: Manners = field(default_factory=Manners)
    _known: dict[str, Host] = field(default_factory=dict)

    def of(self, url: str) -> Host:
        """The host of a URL, its port included."""
        return self._known.setdefault(urlsplit(url).netloc, Host(self.manners))


@dataclass(frozen=True)
class Client:
    """An HTTP client with manners, shared by all registries. For one event loop."""

    http: http.AsyncClient
    patience: Patience = field(default_factory=Patience)
    hosts: Hosts = field(default_factory=Hosts)
    counts: RequestCounts = field(default_factory=lambda: REQUESTS)

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

        Asks again after a lost connection, a time-out, a status that may pass, a wrong content
        type (none in ``content_types``: any will do), a cut body, and where ``read`` raises
        NoAnswerError. Raises UnansweredError when
        patience ends, and without asking while the host is left alone; RegistryError at once for
        any other status, such as 401 and 403; SpentError where a meter forbids the request.
        """
        # gzip is the only packing that `http.read_body` unpacks within a limit.
        wanted = {
            "Accept": accept, "Accept-Encoding": "gzip", "User-Agent": http.USER_AGENT, **headers
        }  # fmt: skip
        # A validator of another version is dropped: that version may have read the page otherwise.
        version, _, etag = validator.partition(" ")
        if etag and version == ghostbust.__version__:
            wanted["If-None-Match"] = etag
        host = self.hosts.of(url)

        async def once() -> T:
            # Without arguments: stamina puts those of what it calls into its log records, and
            # the headers hold credentials.
            await host.rate.acquire()
            with self.counts.request():
                return read(await self._ask_once(url, wanted, content_types))

        async with host.slots:
            async with host.gate:
                await self._wait_for(host, url)
            try:
                answer = await self._patiently(url, once)
            except SpentError:
                raise  # not the host's fault
            except RegistryError as exc:
                async with host.gate:
                    # Before the host is left alone it is asked for what it answered before. If
                    # it answers, only these names fail, and the others are asked for as usual.
                    if host.failed(url, str(exc)):
                        await self._answers(host, url)
                raise
            host.answered()
            host.witness = once
            return answer

    async def _wait_for(self, host: Host, url: str) -> None:
        """Returns where the host may be asked. Raises UnansweredError while it is left alone.

        After the pause it is asked for what it answered before; a host that hasn't answered
        anything yet is asked for this caller's name first.
        """
        wait_s = host.wait_s
        if wait_s is None:
            return
        # The first pause is short enough to wait for its end. Without a witness the caller's own
        # name must be tried, so only once the pause is over.
        if wait_s <= (LEFT_ALONE_S if host.witness else 0):
            await asyncio.sleep(wait_s)
            host.try_again()
            if host.witness is None or await self._answers(host, url):
                return
        raise UnansweredError(f"{url}: not asked, since {host.why}")

    async def _answers(self, host: Host, url: str) -> bool:
        """Whether the host answers again what it answered last; False where that is nothing."""
        if host.witness is None:
            return False
        try:
            await self._patiently(url, host.witness)
        except RegistryError:
            return False
        host.answered()
        return True

    async def _patiently(self, url: str, once: Callable[[], Awaitable[T]]) -> T:
        """What ``once`` returns in one of the attempts. Raises UnansweredError if it never does."""
        patience = self.patience
        ask_once = stamina.AsyncRetryingCaller(timeout=patience.total_s, **patience.waits)
        try:
            return await ask_once(self._retry, once)
        except NoAnswerError as exc:
            raise UnansweredError(f"{url}: no usable answer ({exc})") from exc
        except http.ERRORS as exc:
            raise UnansweredError(http.unreachable(exc, url)) from exc

    def _retry(self, exc: Exception) -> bool | float:
        """Whether to ask again after a failure; as seconds where the registry asked to wait."""
        if isinstance(exc, NoAnswerError) and exc.retry_after_s is not None:
            if exc.retry_after_s > self.patience.longest_s:
                return False
            jitter = random.uniform(0, self.patience.jitter_s)  # noqa: S311
            return max(self.patience.floor_s, exc.retry_after_s) + jitter
        return isinstance(exc, NoAnswerError | http.TransportError | http.DecodingError)

    async def _ask_once(
        self, url: str, headers: dict[str, str], content_types: tuple[str, ...]
    ) -> Reply:
        """One request, its body read to the end. Raises NoAnswerError where a retry may help."""
        try:
            async with (
                asyncio.timeout(self.patience.answer_s),
                self.http.stream("GET", url, headers=headers, follow_redirects=True) as response,
            ):
                _check_status(url, response, conditional="If-None-Match" in headers)
                body = await http.read_body(response, MAX_BYTES)
        except TimeoutError as exc:
            raise NoAnswerError(f"not whole after {self.patience.answer_s:g} s") from exc
        except http.TooLargeError as exc:
            raise RegistryError(f"{url}: {exc}") from exc
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Reply(False, url)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return Reply(True, url, changed=False)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_types and kind not in content_types:
            raise NoAnswerError(
                f"it sent {kind or 'no content type'} instead of {content_types[0]}"
            )
        etag = response.headers.get("ETag", "")
        return Reply(True, url, kind, body, f"{ghostbust.__version__} {etag}" if etag else "")


def _check_status(url: str, response: http.Response, *, conditional: bool) -> None:
    """Returns for a status that is an answer: 200, 404, and 304 to a conditional request."""
    status = response.status_code
    if status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
        return
    if status == HTTPStatus.NOT_MODIFIED and conditional:
        return
    if http.may_pass(status):
        raise NoAnswerError(f"HTTP {status}", http.retry_after_s(response))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise RegistryError(f"{url}: HTTP {status}; check the credentials in its tool's config")
    raise RegistryError(f"{url}: HTTP {status}")
