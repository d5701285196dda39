"""Answers over HTTP within limits: to the time of a whole one, and to its size, also unpacked.

A server may send a byte every few seconds, or a few bytes that unpack to gigabytes: httpx limits
neither, since its time-outs are those of single reads and its decoders give what a chunk holds.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from typing import Any, Final

import httpx

MAX_BYTES: Final = 16 << 20
"""of an answer of a model server, unpacked; thousands of tokens have less than 0.1 MB"""
CONNECT_S: Final = 10.0
"""for a connection, where the whole answer may take longer"""
_GZIP: Final = frozenset({"gzip", "x-gzip"})


class TooLargeError(httpx.HTTPError):
    """An answer of more bytes than it may have."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"its answer is larger than {max_bytes:,} bytes")


def ask(
    method: str,
    url: httpx.URL | str,
    *,
    total_s: float,
    max_bytes: int | None = MAX_BYTES,
    headers: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None = None,
    verify: ssl.SSLContext | bool = True,
    **content: Any,
) -> httpx.Response:
    """One question and its answer, for callers without an event loop. Raises as `ask_by`."""

    async def once() -> httpx.Response:
        timeout = httpx.Timeout(total_s, connect=min(CONNECT_S, total_s))
        async with httpx.AsyncClient(
            timeout=timeout, transport=transport, verify=verify, headers=headers
        ) as client:
            return await ask_by(
                client, method, url, total_s=total_s, max_bytes=max_bytes, **content
            )

    return asyncio.run(once())


async def ask_by(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    *,
    total_s: float | None,
    max_bytes: int | None = MAX_BYTES,
    **content: Any,
) -> httpx.Response:
    """The answer, which has come as a whole after ``total_s`` seconds; None: no limit.

    ``max_bytes``: of its body, unpacked; None: the body isn't read. ``content`` is as for httpx.
    Raises TooLargeError, httpx.ReadTimeout, and what httpx raises.
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
    return httpx.Response(
        response.status_code, headers=kept, content=body, request=response.request
    )


async def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """The body of an answer that isn't read yet, unpacked, a chunk at a time.

    Raises TooLargeError, httpx.DecodingError for one that is packed otherwise than once by gzip.
    """
    if response.is_stream_consumed:  # made in this process
        return _checked(response.content, max_bytes)
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", *_GZIP):
        raise httpx.DecodingError("the answer is packed in a way that wasn't asked for")
    unpack = zlib.decompressobj(wbits=31) if packing in _GZIP else None
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        room = max_bytes - len(body)
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, room + 1)
        except zlib.error as exc:
            raise httpx.DecodingError(f"the answer can't be unpacked: {exc}") from exc
        if len(body) > max_bytes or received > max_bytes:
            raise TooLargeError(max_bytes)
    return bytes(body)


def _checked(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise TooLargeError(max_bytes)
    return body
