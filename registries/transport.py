"""One polite question to a registry: retries, Retry-After, and an answer or an error."""

from __future__ import annotations

import asyncio
import base64
import netrc
import random
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from io import BufferedRandom
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import stamina
from aiolimiter import AsyncLimiter

import ghostbust
from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.errors import ConfigError, DataError, RegistryError, SpentError, UnansweredError
from ghostbust.records import utc_now

# --- heard
# What registries said to this process: requests by outcome, and when they were last heard of.


class Outcome(StrEnum):
    """What came of one request."""

    ANSWERED = "answered"
    """with something usable, "no such package" included"""
    UNANSWERED = "unanswered"
    """no connection, no time left, busy, or nothing usable; it may go better another time"""
    REFUSED = "refused"
    """with a status that no repetition changes, such as 401"""


@dataclass
class Heard:
    """A tally. For any thread."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    last_answer: datetime | None = None
    """when a registry last answered; None before the first time"""
    last_failure: datetime | None = None
    """when one last didn't; None before the first time"""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: Outcome) -> None:
        """Notes a request that is over."""
        with self._lock:
            self.counts[outcome] += 1
            if outcome is Outcome.ANSWERED:
                self.last_answer = utc_now()
            else:
                self.last_failure = utc_now()

    @contextmanager
    def request(self) -> Iterator[None]:
        """One request: UNANSWERED or REFUSED where it raises; one that may not be sent is none."""
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


HEARD: Final = Heard()
"""of this process: there is one outside world"""


# --- hosts
# Manners towards one host: how many questions at a time, how often, and when to leave it alone.

IN_FLIGHT = 4
"""questions at a time"""
PER_SECOND = 10.0
"""requests a second, those that are asked again included"""
GIVE_UP_AFTER = 3
"""names in a row without a usable answer, after which a host is left alone"""
LEFT_ALONE_S = 1.0
"""how long at first; then one name is tried, and the others follow if it gets an answer"""
LONGEST_LEFT_ALONE_S = 30.0
"""how long at most; the time doubles with each name that is tried in vain"""


class Breaker:
    """Opens when some names in a row got no answer; closes with the first answer."""

    def __init__(
        self, give_up_after: int = GIVE_UP_AFTER, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._give_up_after = give_up_after
        self._clock = clock
        self._failed: set[str] = set()
        """what was asked in vain since the last answer; a name that fails again counts once"""
        self.why = ""
        """the last failure"""
        self._wait_s = LEFT_ALONE_S
        self._next_try = 0.0

    @property
    def wait_s(self) -> float | None:
        """Seconds until somebody may try again; None where it is closed, so that all may ask."""
        if len(self._failed) < self._give_up_after:
            return None
        return max(0.0, self._next_try - self._clock())

    def try_again(self) -> None:
        """Notes that somebody does; nobody else may for twice as long as before."""
        self._wait_s = min(2 * self._wait_s, LONGEST_LEFT_ALONE_S)
        self._next_try = self._clock() + self._wait_s

    def answered(self) -> None:
        """Notes an answer, "no such package" included."""
        self._failed.clear()
        self._wait_s = LEFT_ALONE_S

    def failed(self, url: str, why: str) -> bool:
        """Notes that ``url`` got no usable answer; True where that is what opens it."""
        before = len(self._failed)
        self._failed.add(url)
        self.why = why
        self._next_try = self._clock() + self._wait_s
        return before < self._give_up_after <= len(self._failed)


@dataclass(frozen=True, slots=True)
class Manners:
    """How one host is treated."""

    in_flight: int = IN_FLIGHT
    per_second: float = PER_SECOND
    give_up_after: int = GIVE_UP_AFTER


class Host:
    """What is known of one host, and the queue before it."""

    def __init__(self, manners: Manners) -> None:
        self.slots = asyncio.Semaphore(manners.in_flight)
        self.rate = AsyncLimiter(manners.per_second, 1)
        self.breaker = Breaker(manners.give_up_after)
        self.gate = asyncio.Lock()
        """held while it is found out whether the host answers at all"""
        self.witness: Callable[[], Awaitable[object]] | None = None
        """asks once for what was answered last; None before the first answer"""


@dataclass(slots=True)
class Hosts:
    """The hosts that were asked, each with a queue of its own. For one event loop."""

    manners: Manners = field(default_factory=Manners)
    _known: dict[str, Host] = field(default_factory=dict)

    def of(self, url: str) -> Host:
        """The host of a URL, its port included."""
        return self._known.setdefault(urlsplit(url).netloc, Host(self.manners))


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

    http: http.AsyncClient
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
        except http.ERRORS as exc:
            raise UnansweredError(http.unreachable(exc, url)) from exc

    def _again(self, exc: Exception) -> bool | float:
        """Whether to ask again after a failure, and after how many seconds if it told."""
        if isinstance(exc, NoAnswerError) and exc.retry_after_s is not None:
            if exc.retry_after_s > self.patience.longest_s:
                return False
            jitter = random.uniform(0, self.patience.jitter_s)  # noqa: S311
            return max(self.patience.floor_s, exc.retry_after_s) + jitter
        return isinstance(exc, NoAnswerError | http.TransportError | http.DecodingError)

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
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Reply(False, url)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return Reply(True, url, changed=False)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in content_types:
            raise NoAnswerError(
                f"it sent {kind or 'no content type'} instead of {content_types[0]}"
            )
        return Reply(True, url, kind, body, _validator(response))


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
        raise RegistryError(f"{url}: HTTP {status}; check the credentials in pip's or npm's config")
    raise RegistryError(f"{url}: HTTP {status}")


async def _body(url: str, response: http.Response) -> bytes:
    """The whole body, unpacked. Raises RegistryError where it is too large to be an answer."""
    try:
        return await http.read_body(response, MAX_BYTES)
    except http.TooLargeError as exc:
        raise RegistryError(f"{url}: {exc}") from exc


def _validator(response: http.Response) -> str:
    """The ETag behind the version that reads the page: another one may read it otherwise."""
    etag = response.headers.get("ETag", "")
    return f"{ghostbust.__version__} {etag}" if etag else ""


def _etag(validator: str) -> str:
    """The ETag of a validator of this version; empty for none, or another version's."""
    version, _, etag = validator.partition(" ")
    return etag if version == ghostbust.__version__ else ""


# --- endpoints
# An address to ask, and the way there, with credentials kept out of sight.


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a registry answers. Its repr and its url never show a credential."""

    url: str
    """base address without user name and password, no slash at the end"""
    origin: str
    """where the setting comes from: a variable, a file, or ``default``"""
    authorization: str | None = field(default=None, repr=False)
    """value of the Authorization header; None to ask without"""

    def headers(self) -> dict[str, str]:
        """The request headers that carry the credentials; empty without any."""
        return {"Authorization": self.authorization} if self.authorization else {}


@dataclass(frozen=True, slots=True)
class Route:
    """What a program's own settings say of proxies."""

    proxy: str | None = field(default=None, repr=False)
    """for all addresses; None leaves it to the environment. May hold a password"""
    origin: str = ""
    """where the setting comes from; empty without one"""
    direct: tuple[str, ...] = ()
    """hosts that are asked without any proxy, and with each the hosts below it"""


def endpoint(
    address: str, origin: str, *, authorization: str | None = None, netrc_file: Path | None = None
) -> Endpoint:
    """The endpoint at ``address``, user name and password taken out of it.

    Credentials: ``authorization`` if given, else those in the address, else those that
    ``netrc_file`` has for its host. Raises ConfigError for anything but an http(s) address;
    the message names ``origin``, not the address, which may hold a password.
    """
    try:
        parts = urlsplit(address.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f"{origin}: the registry's address can't be read") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{origin}: the registry's address must start with http:// or https://")
    if authorization is None and parts.username is not None:
        authorization = basic(unquote(parts.username), unquote(parts.password or ""))
    if authorization is None and netrc_file is not None:
        authorization = _netrc(host, netrc_file)
    bare = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, bare, parts.path.rstrip("/"), "", ""))
    return Endpoint(url, origin, authorization)


def basic(user: str, password: str) -> str:
    """The Authorization header of HTTP basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _netrc(host: str, file: Path) -> str | None:
    """The header for a host that the netrc file knows; None for any other, or without the file."""
    try:
        known = netrc.netrc(file).hosts.get(host)
    except FileNotFoundError:
        return None
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as exc:
        # The parser's message may quote a line that holds a password.
        raise ConfigError(f"{file}: can't be read as a netrc file") from exc
    return basic(known[0], known[2]) if known else None


# --- large_answers
# One large answer into a file that is gone afterwards: asked for again where it breaks off.
#
# For the lists of all names. `transport.Client` asks for single names, many at a time.

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and their total; the total is None where nobody says it."""

MAX_FILE_BYTES = 1 << 30
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
    except http.ERRORS as exc:
        raise RegistryError(http.unreachable(exc, place)) from exc
    except OSError as exc:
        raise DataError(f"{folder}: can't keep the {what} ({exc.strerror})") from exc


def attempts(patience: Patience | None) -> Iterator[stamina.Attempt]:
    """To be looped over, each attempt a ``with``: the block runs until it doesn't break off."""
    patience = patience or Patience()
    again = stamina.retry_context(
        on=(http.TransportError, http.DecodingError, TryAgainError),
        attempts=patience.attempts,
        timeout=None,
        wait_initial=patience.initial_s,
        wait_max=patience.longest_s,
        wait_jitter=patience.jitter_s,
    )
    return iter(again)


def check_status(place: str, response: http.Response, whose: str) -> None:
    """Returns for 200. Raises TryAgainError for what may pass, RegistryError for the rest."""
    status = response.status_code
    if http.may_pass(status):
        raise TryAgainError(f"HTTP {status}")
    if status != HTTPStatus.OK:
        raise RegistryError(f"{place}: HTTP {status}; check the address in {whose} configuration")


def save(
    place: str,
    response: http.Response,
    file: BufferedRandom,
    *,
    progress: Progress,
    max_bytes: int = MAX_FILE_BYTES,
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
