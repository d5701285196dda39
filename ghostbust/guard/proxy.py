"""An OpenAI-compatible pass-through that reads what a model server answers. An ASGI application.

It reads ``…/chat/completions`` and ``…/completions``, and passes everything else byte for byte. It
logs no header, no prompt and no answer; what it keeps of these is what ``guard.log`` is for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

from anyio import CancelScope
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.errors import GhostbustError
from ghostbust.files import PRIVATE
from ghostbust.guard.filtering import AnswerFilter, Nearest
from ghostbust.guard.reading import Asked, Guard, Reading
from ghostbust.guard.relay import AnswerRelay, Json, UnreadableError
from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.nearest import NearestNames
from ghostbust.sections import GuardSection

MAX_REQUEST: Final = 64 << 20
"""bytes of a request's body; a conversation with pictures has some megabytes"""
SILENCE_S: Final = 600.0
"""longest wait for the next byte of an answer"""
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_LEFT: Final = 499
"""status for a client that has left, as proxies log it; nobody gets it"""

log = logging.getLogger(__name__)
T = TypeVar("T")
Read = Callable[[Asked], Reading]


@dataclass(slots=True)
class GuardHealth:
    """What ``GET /guard/health`` says."""

    answers: int = 0
    inventions: int = 0
    """invented names, up to three a line"""
    errors: int = 0
    """answers that the guard couldn't read"""
    failing: bool = False
    """whether the last one was such an answer"""


def nearest_of(guard: Guard) -> Nearest:
    """Popular names that look like an absent one; none of a registry that has no snapshot."""
    snapshots = guard.judge.snapshots

    @cache
    def names(ecosystem: Ecosystem) -> NearestNames:
        return NearestNames(snapshots[ecosystem])

    def nearest(lookup: Lookup) -> Sequence[str]:
        if lookup.verdict is not Verdict.ABSENT or lookup.ecosystem not in snapshots:
            return ()
        return names(lookup.ecosystem).of(lookup.name)

    return nearest


class GuardProxy:
    """The application; ``app`` is what a server runs."""

    def __init__(
        self,
        section: GuardSection,
        read: Read,
        nearest: Nearest,
        *,
        transport: http.AsyncBaseTransport | None = None,
    ) -> None:
        """``read`` begins to read an answer; what it raises is an error of the guard.

        Raises UsageError for an upstream that is no address.
        """
        url = http.server_url(section.upstream or "", "guard.upstream")
        self._root = url.path.rstrip("/").removesuffix("/v1").encode()
        self._upstream = url
        self._where = url.netloc.decode()
        self._section, self._read, self._nearest = section, read, nearest
        self._transport = transport
        self.health = GuardHealth()
        self.app = Starlette(
            routes=[
                Route("/guard/health", self._health),
                Route("/{path:path}", self._forward, methods=_METHODS),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with http.plain_client(silence_s=SILENCE_S, transport=self._transport) as client:
            self._client = client
            yield

    async def _health(self, _request: Request) -> Response:
        health = self.health
        state = "ok" if not health.failing else f"failing {self._section.on_error}"
        counts = {
            "answers": health.answers, "inventions": health.inventions, "errors": health.errors,
        }  # fmt: skip
        takes_away = health.failing and self._section.on_error == "closed"
        return JSONResponse({"state": state, **counts}, 503 if takes_away else 200)

    async def _forward(self, request: Request) -> Response:
        """The upstream's answer, read if it is one of a model."""
        try:
            body = await _body_of(request)
        except http.TooLargeError:
            return _error(413, f"the request is larger than {MAX_REQUEST:,} bytes", "too_large")
        except ClientDisconnect:
            return Response(status_code=_LEFT)
        path = request.url.path.rstrip("/")
        reads = request.method == "POST" and path.endswith("/completions")
        headers = http.passed_on(
            request.headers.raw, "host", "content-length", *(["accept-encoding"] * reads)
        )
        if reads:
            headers.append((b"Accept-Encoding", b"identity"))
        asked = self._client.build_request(
            request.method, self._url(request.scope), headers=headers, content=body or None
        )
        try:
            answer = await _unless_left(request, self._client.send(asked, stream=True))
        except ClientDisconnect:
            return Response(status_code=_LEFT)
        except http.ERRORS as exc:
            return _error(502, http.failure(exc, self._where), "upstream_error")
        if not reads or answer.status_code != 200:
            return _Passing(answer, answer.aiter_raw())
        is_chat = path.endswith("/chat/completions")
        return await self._read_answer(request, body, answer, is_chat=is_chat)

    def _url(self, scope: Scope) -> http.URL:
        """The same place at the upstream."""
        path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
        raw = self._root + path.partition(b"?")[0] + (b"?" + query if query else b"")
        return self._upstream.copy_with(raw_path=raw)

    async def _read_answer(
        self, request: Request, body: bytes, answer: http.Response, *, is_chat: bool
    ) -> Response:
        asked = _request_of(body)
        relay = AnswerRelay(
            asked,
            is_chat=is_chat,
            filter_of=lambda asked: AnswerFilter(
                self._read(asked), self._section.action, self._nearest
            ),
            on_error=self._section.on_error,
            failed=self._failed,
        )
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        if answer.headers.get("content-encoding", "identity") != "identity":
            return await self._unread(answer, answer.aiter_raw(), "packed")
        if is_stream:
            ended = partial(self._ended, relay, asked)
            return _Passing(answer, self._events(relay, answer), ended, is_changed=True)
        whole, chunks = bytearray(), answer.aiter_raw()
        try:
            await _unless_left(request, _fill(whole, chunks))
            if len(whole) > http.MAX_BYTES:
                return await self._unread(answer, _behind(whole, chunks), "too large")
            content = await relay.whole(bytes(whole))
        except (ClientDisconnect, UnreadableError, *http.ERRORS) as exc:
            await answer.aclose()
            return self._broken(exc)
        finally:
            self._ended(relay, asked)
        await answer.aclose()
        response = Response(content)
        response.raw_headers = [
            *http.passed_on(answer.headers.raw, "content-length"),
            (b"content-length", b"%d" % len(content)),
        ]
        return response

    async def _events(self, relay: AnswerRelay, answer: http.Response) -> AsyncIterator[bytes]:
        """What the client gets of a stream; an error is its last event."""
        try:
            async for event in relay.events(answer.aiter_raw()):
                yield event
        except (UnreadableError, *http.ERRORS) as exc:
            yield b"data: " + self._broken(exc).body + b"\n\n"

    async def _unread(
        self, answer: http.Response, content: AsyncIterator[bytes], what: str
    ) -> Response:
        """An answer in a form that isn't read."""
        exc = UnreadableError(f"an answer of {self._where} is {what}, so the guard can't read it")
        self._failed(exc)
        if self._section.on_error == "open":
            return _Passing(answer, content)
        await answer.aclose()
        return self._broken(exc)

    def _broken(self, exc: Exception) -> Response:
        if isinstance(exc, ClientDisconnect):
            return Response(status_code=_LEFT)
        if isinstance(exc, UnreadableError):
            return _error(503, str(exc), "guard_error")
        said = http.failure(exc, self._where, f"{SILENCE_S:g} s")
        log.warning("guard: %s", said)
        return _error(502, said, "upstream_error")

    def _failed(self, exc: Exception) -> None:
        self.health.errors += 1
        self.health.failing = True
        passes = "passes unread" if self._section.on_error == "open" else "is held back"
        # Its text may hold a prompt or an answer.
        said = str(exc) if isinstance(exc, GhostbustError | UnreadableError) else ""
        why = f"{type(exc).__name__}{': ' * bool(said)}{said}"
        log.error("guard: ALARM: an answer can't be read and %s (%s)", passes, why)
        log.debug("guard: the error", exc_info=exc)

    def _ended(self, relay: AnswerRelay, asked: Json) -> None:
        """Counts the answers of a response, and logs them."""
        choices = [one for _, one in sorted(relay.choices.items()) if one.length]
        self.health.answers += len(choices)
        self.health.inventions += sum(one.invented for one in choices)
        if choices and not relay.has_failed:
            self.health.failing = False
        if choices and self._section.log is not None:
            record = {"time": utc_now().isoformat(timespec="seconds"), **relay.record(asked)}
            try:
                append(self._section.log, json.dumps(record).encode() + b"\n")
            except OSError as exc:
                log.error("guard: ALARM: can't write %s (%s)", self._section.log, exc.strerror)


class _Passing(StreamingResponse):
    """An upstream's answer on its way; closes it when it ends, breaks off, or the client leaves."""

    def __init__(
        self,
        answer: http.Response,
        content: AsyncIterator[bytes],
        ended: Callable[[], None] = lambda: None,
        *,
        is_changed: bool = False,
    ) -> None:
        super().__init__(content, answer.status_code)
        less = ["content-length"] if is_changed else []
        self.raw_headers = http.passed_on(answer.headers.raw, *less)
        self._answer, self._ended = answer, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except http.ERRORS as exc:  # the client sees that it isn't complete
            log.warning("guard: an answer broke off (%s)", type(exc).__name__)
        finally:
            with CancelScope(shield=True):
                await self._answer.aclose()
            self._ended()


async def _body_of(request: Request) -> bytes:
    """Raises TooLargeError, and ClientDisconnect."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST:
            raise http.TooLargeError(MAX_REQUEST)
    return bytes(body)


async def _unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; where the client leaves first, raises ClientDisconnect and ends it.

    The request's body has to be read.
    """

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left())
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, leaving):
            one.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _fill(whole: bytearray, chunks: AsyncIterator[bytes]) -> None:
    """Takes chunks until there are no more, or too many."""
    async for chunk in chunks:
        whole += chunk
        if len(whole) > http.MAX_BYTES:
            return


async def _behind(begun: bytearray, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield bytes(begun)
    async for chunk in chunks:
        yield chunk


def _request_of(body: bytes) -> Json:
    """The request; empty where it is none, for the upstream to turn it down."""
    try:
        value = parse_json(body.decode())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _error(status: int, message: str, kind: str) -> Response:
    """An error as OpenAI's API has it."""
    said = {"message": message, "type": kind, "param": None, "code": None}
    return JSONResponse({"error": said}, status)


def append(path: Path, line: bytes) -> None:
    """Adds a line to a file, which is made for the owner alone; whole lines only, at one go."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
