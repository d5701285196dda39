"""A proxy on the loopback that spoils a share of a server's answers, each in one of many ways."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import pytest

START_S = 20.0
"""longest start of a proxy on a busy machine"""


class Fault(StrEnum):
    """What the proxy does to an answer."""

    TIMEOUT = "no answer at all"
    LIMIT = "429, Retry-After: 0"
    ERROR = "500"
    GATEWAY = "502 with a page"
    CUT = "half of the body, then the connection ends"
    CUT_UNSEEN = "half of the body, of no told length"
    WRONG_TYPE = "the right body as application/octet-stream"
    LOGIN_PAGE = "200, a page of HTML that has nothing to do with it"
    DRIP = "a byte now and then"
    RESET = "the connection is reset"


LOGIN = b"<!DOCTYPE html><html><body><a href='/login'>Please log in</a></body></html>"


@dataclass
class FaultProxy:
    """An HTTP proxy before one server, which spoils a share of the answers, chosen by a seed."""

    upstream: str
    seed: int = 0
    share: float = 0.5
    port: int = 0
    log: dict[str, list[Fault | None]] = field(default_factory=lambda: defaultdict(list))
    """path to what became of each answer; None for one that was sent as it was"""
    busy: set[asyncio.Task[None] | None] = field(default_factory=set)
    """what is still at a question"""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._host, self._port = urlsplit(self.upstream).hostname, urlsplit(self.upstream).port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{urlsplit(self.upstream).path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question; the connection isn't used again."""
        self.busy.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            spoilt = "dead" in path or self._random.random() < self.share
            fault = self._random.choice(list(Fault)) if spoilt else None
            if fault is not None:
                self.log[path].append(fault)
            await self._answer(head, fault, writer)
            if fault is None:  # now that all of it is on its way
                self.log[path].append(None)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            await _closed(writer)
            self.busy.discard(asyncio.current_task())

    async def _answer(self, head: bytes, fault: Fault | None, writer: asyncio.StreamWriter) -> None:
        match fault:
            case Fault.TIMEOUT:
                await asyncio.sleep(3)
            case Fault.LIMIT:
                writer.write(b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
            case Fault.ERROR:
                writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
            case Fault.GATEWAY:
                writer.write(_response("502 Bad Gateway", "text/html", LOGIN))
            case Fault.LOGIN_PAGE:
                writer.write(_response("200 OK", "text/html", LOGIN))
            case Fault.RESET:
                linger = b"\1\0\0\0\0\0\0\0"  # on, 0 s: closing sends a reset
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case _:
                await self._pass_on(head, fault, writer)
        await writer.drain()

    async def _pass_on(
        self, head: bytes, fault: Fault | None, writer: asyncio.StreamWriter
    ) -> None:
        status, kind, body = await self._ask(head)
        if fault in (Fault.CUT, Fault.CUT_UNSEEN, Fault.DRIP) and len(body) < 2:
            body = LOGIN
        whole = _response(status, kind, body)
        if fault is Fault.WRONG_TYPE:
            whole = _response("200 OK", "application/octet-stream", body)
        elif fault is Fault.CUT_UNSEEN:
            # Of a 404 nothing that counts is lost, so that it would be an answer.
            status = "200 OK" if status.startswith("404") else status
            whole = _response(status, kind, body, length=False)
        if fault in (Fault.CUT, Fault.CUT_UNSEEN):
            whole = whole[: len(whole) - len(body) // 2 - 1]
        if fault is Fault.DRIP:
            for byte in whole[:-1]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
            return
        writer.write(whole)

    async def _ask(self, head: bytes) -> tuple[str, str, bytes]:
        """Status, content type and body that the server answers to the question."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        lines = [line for line in head.split(b"\r\n")[:-2] if _is_passed_on(line)]
        writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        answer = await reader.read()
        await _closed(writer)
        told, _, body = answer.partition(b"\r\n\r\n")
        first, *fields = told.decode().split("\r\n")
        headers = {key.lower(): value for key, value in (f.split(": ", 1) for f in fields)}
        assert "transfer-encoding" not in headers, "the proxy can't read chunks"
        return first.split(" ", 1)[1], headers.get("content-type", ""), body


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _is_passed_on(line: bytes) -> bool:
    return not line.lower().startswith((b"connection:", b"accept-encoding:"))


def _response(status: str, kind: str, body: bytes, *, length: bool = True) -> bytes:
    told = f"Content-Length: {len(body)}\r\n" if length else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{told}Connection: close\r\n\r\n"
    return head.encode() + body


@contextmanager
def proxied(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """The proxy at work, in a thread of its own, on a free port."""
    ready, ends = threading.Event(), []

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with await asyncio.start_server(proxy.handle, "127.0.0.1", 0) as server:
            proxy.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            server.close()
            # Who sleeps or drips is done within seconds; thrown away with the loop, he complains.
            await asyncio.gather(*filter(None, proxy.busy), return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(START_S)
    yield proxy
    ends[0]()
    thread.join()


@pytest.fixture
def make_proxy() -> Iterator[Callable[[str, int], FaultProxy]]:
    """Starts a proxy before the server at a URL, with a seed; half of its answers are spoilt."""
    with ExitStack() as stack:
        yield lambda url, seed: stack.enter_context(proxied(FaultProxy(url, seed)))
