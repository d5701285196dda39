"""HTTP: the client library's names, which statuses and errors may pass, answers within limits.

Nothing else imports httpx, so a successor can take its place here.

A server may send a byte every few seconds, or a few bytes that unpack to gigabytes. httpx limits
neither: its time-outs are for single reads, and its decoders return whatever a chunk unpacks to.
`ask` and `read_body` limit both.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

import ghostbust
from ghostbust.errors import UsageError
from ghostbust.records import utc_now

Client = httpx.Client
AsyncClient = httpx.AsyncClient
Request = httpx.Request
ConnectError = httpx.ConnectError
Response = httpx.Response
URL = httpx.URL
Timeout = httpx.Timeout
Limits = httpx.Limits
Proxy = httpx.Proxy
HTTPTransport = httpx.HTTPTransport
AsyncHTTPTransport = httpx.AsyncHTTPTransport
AsyncBaseTransport = httpx.AsyncBaseTransport
create_ssl_context = httpx.create_ssl_context

Error = httpx.HTTPError
"""any failure between a request and its answer, and `StatusError`"""
StatusError = httpx.HTTPStatusError
"""of ``raise_for_status``"""
TransportError = httpx.TransportError
"""no connection, a broken one, a time-out: another try may do better"""
TimeoutException = httpx.TimeoutException
DecodingError = httpx.DecodingError
InvalidURL = httpx.InvalidURL
ERRORS: Final = (Error, InvalidURL)
"""everything that a request raises"""
BROKEN_OFF: Final = (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout)
"""the connection was made, but the answer broke off"""

USER_AGENT: Final = f"ghostbust/{ghostbust.__version__}"
OVERLOADED: Final = frozenset({429, 503, 529})
"""statuses of a server with too much to do"""
BUSY: Final = frozenset({408, 429, 502, 503, 504})
"""statuses of a gateway or a busy server, which say nothing about the request"""
MAX_BYTES: Final = 16 << 20
"""largest answer of a model server, unpacked; thousands of tokens have less than 0.1 MB"""
CONNECT_S: Final = 10.0
"""to connect, where the whole answer may take longer"""
_GZIP: Final = frozenset({"gzip", "x-gzip"})

_ONE_HOP: Final = frozenset(
    """connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer
    transfer-encoding upgrade""".split()  # noqa: SIM905
)
"""headers that are for the next one only (RFC 9110, 7.6.1)"""


class TooLargeError(Error):
    """An answer with more bytes than allowed."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"its answer is larger than {max_bytes:,} bytes")


def server_url(address: str, what: str) -> URL:
    """The address of a model server. Raises UsageError about ``what`` where it can't be one."""
    try:
        url = URL(address.strip())
    except InvalidURL as exc:
        raise UsageError(f"{what} can't be read as a URL") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{what} must start with http:// or https://")
    if url.userinfo:
        raise UsageError(f"{what} holds credentials; put the key into the environment instead")
    return url


def passed_on(headers: Iterable[tuple[bytes, bytes]], *less: str) -> list[tuple[bytes, bytes]]:
    """The headers that somebody between client and server passes on, but for ``less``."""
    kept = [(name, value) for name, value in headers]
    gone = _ONE_HOP.union(less)
    for name, value in kept:
        if name.lower() == b"connection":
            gone |= {one.strip().lower() for one in value.decode("latin-1").split(",")}
    return [(name, value) for name, value in kept if name.decode("latin-1").lower() not in gone]


def plain_client(*, silence_s: float, transport: AsyncBaseTransport | None = None) -> AsyncClient:
    """A client for the requests of others: no headers of its own, any number of connections.

    ``silence_s``: the longest wait for the next byte.
    """
    client = AsyncClient(
        timeout=Timeout(silence_s, connect=CONNECT_S), limits=Limits(), transport=transport
    )
    client.headers.clear()
    return client


def headers_with_key(variable: str) -> dict[str, str]:
    """The client's name, and the API key that the environment variable holds, if it holds one."""
    key = header_secret(variable)
    return {"User-Agent": USER_AGENT} | ({"Authorization": f"Bearer {key}"} if key else {})


def header_secret(variable: str) -> str:
    """What the environment variable holds, for a header; empty where it isn't set.

    Raises UsageError where no header may have it, and quotes nothing of it.
    """
    value = os.environ.get(variable, "").strip()
    if value and not (value.isascii() and value.isprintable()):
        raise UsageError(f"${variable} holds characters that no header may have")
    return value


def may_pass(status: int) -> bool:
    """Whether the same request may get another answer a little later."""
    return status in (408, 425, 429) or (status >= 500 and status not in (501, 505))


def retry_after_s(response: Response) -> float | None:
    """The wait that Retry-After asks for, as seconds or as a date; None without a readable one."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    when = read_date(asked)
    return None if when is None else max(0.0, (when - utc_now()).total_seconds())


def read_date(text: str) -> datetime | None:
    """The time in a header; None for anything else."""
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for years and zones of many digits
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)  # -0000


def failure(exc: Exception, where: str, within: str = "time") -> str:
    """The failure of a model server, in one line. Quotes nothing that may hold a secret."""
    if isinstance(exc, TimeoutException):
        return f"{where} didn't answer in {within}; is the server overloaded?"
    if isinstance(exc, TooLargeError):
        return f"{where}: {exc}; is it an OpenAI-compatible server?"
    return f"can't reach {where} ({type(exc).__name__}); does it run?"


def unreachable(exc: Exception, place: str) -> str:
    """The failure of a registry, in one line, with the library's own message."""
    return f"{place}: can't be reached ({type(exc).__name__}: {exc})"


def ask(
    method: str,
    url: URL | str,
    *,
    total_s: float,
    max_bytes: int | None = MAX_BYTES,
    headers: Mapping[str, str],
    transport: AsyncBaseTransport | None = None,
    verify: ssl.SSLContext | bool = True,
    **content: Any,
) -> Response:
    """One request and its answer, for callers without an event loop. Raises as `ask_by`."""

    async def once() -> Response:
        timeout = Timeout(total_s, connect=min(CONNECT_S, total_s))
        async with AsyncClient(
            timeout=timeout, transport=transport, verify=verify, headers=headers
        ) as client:
            return await ask_by(
                client, method, url, total_s=total_s, max_bytes=max_bytes, **content
            )

    return asyncio.run(once())


async def ask_by(
    client: AsyncClient,
    method: str,
    url: URL | str,
    *,
    total_s: float | None,
    max_bytes: int | None = MAX_BYTES,
    **content: Any,
) -> Response:
    """The answer, complete within ``total_s`` seconds; None: no limit.

    ``max_bytes`` limits its body, unpacked; None: the body isn't read. ``content`` is as for httpx.
    Raises TooLargeError, httpx.ReadTimeout, and whatever httpx raises.
    """
    plain = {"Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(total_s),
            client.stream(method, url, headers=plain, **content) as response,
        ):
            body = b"" if max_bytes is None else await read_body(response, max_bytes)
    except TimeoutError as exc:
        raise httpx.ReadTimeout(f"not whole after {total_s:g} s") from exc
    headers = {"Content-Encoding", "Content-Length"}
    kept = [(k, v) for k, v in response.headers.multi_items() if k.title() not in headers]
    return Response(response.status_code, headers=kept, content=body, request=response.request)


async def read_body(response: Response, max_bytes: int) -> bytes:
    """The body of an answer that isn't read yet, unpacked, a chunk at a time.

    Raises TooLargeError, DecodingError for one that is packed in any way but once by gzip.
    """
    if response.is_stream_consumed:  # made in this process
        if len(response.content) > max_bytes:
            raise TooLargeError(max_bytes)
        return response.content
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", *_GZIP):
        raise DecodingError("the answer is packed in a way that wasn't asked for")
    unpack = zlib.decompressobj(wbits=31) if packing in _GZIP else None
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        room = max_bytes - len(body)
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, room + 1)
        except zlib.error as exc:
            raise DecodingError(f"the answer can't be unpacked: {exc}") from exc
        if len(body) > max_bytes or received > max_bytes:
            raise TooLargeError(max_bytes)
    return bytes(body)
