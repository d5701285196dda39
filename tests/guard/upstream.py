"""A model server on the loopback that says what a test wants, and how to run an app beside it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Its address, while the block runs; it answers from a thread of its own."""
    config = uvicorn.Config(
        app, port=0, log_config=None, ws="none", server_header=False, date_header=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class Upstream:
    """Answers every path with the same; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        """method, path with query, headers, body"""
        self.status = 200
        self.headers = {"content-type": "text/event-stream; charset=utf-8"}
        self.chunks: Sequence[bytes] = ()
        """the body, as it is cut for sending"""
        self.stays = False
        """whether the answer never ends"""
        self.dies = False
        """whether the connection breaks off behind the chunks"""
        self.left = threading.Event()
        """set when the client of an answer without end has left"""
        methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode() + "?" * bool(request.url.query)
        body = await request.body()
        self.asked.append((request.method, path + request.url.query, dict(request.headers), body))
        return StreamingResponse(self._body(), self.status, self.headers)

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
                await asyncio.sleep(0)
            if self.stays:
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.left.set()
            raise
        if self.dies:
            raise ConnectionResetError

    def says(self, *pieces: str, chat: bool = True, index: int = 0, end: str = "stop") -> None:
        """Streams these pieces as the answer, an event each."""
        self.chunks = [
            *(event(piece, chat=chat, index=index) for piece in pieces),
            event("", chat=chat, index=index, end=end),
            b"data: [DONE]\n\n",
        ]


def event(
    text: str, *, chat: bool = True, index: int = 0, end: str | None = None, **more: Any
) -> bytes:
    """A piece of a streamed answer, as vLLM writes it."""
    said: dict[str, Any] = {"delta": {"content": text} if text else {}} if chat else {"text": text}
    choice = {"index": index, **said, "finish_reason": end}
    kind = "chat.completion.chunk" if chat else "text_completion"
    body = {"id": "c-1", "object": kind, "created": 1, "model": "coder", "choices": [choice]}
    return b"data: " + json.dumps(body | more).encode() + b"\n\n"


def texts_of(body: bytes) -> dict[int, str]:
    """What the events of a body say, by choice."""
    found: dict[int, str] = {}
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:]).get("choices", ()):
                text = choice.get("text") or choice.get("delta", {}).get("content") or ""
                found[choice["index"]] = found.get(choice["index"], "") + text
    return found
