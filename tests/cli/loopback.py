"""HTTP servers on 127.0.0.1 that answer as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


class Loopback:
    """Answers GET and POST; keeps what it was asked, each path with the headers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.date: str | None = None
        """what its header Date says; None: the time"""
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                own.asked.append((self.path, dict(self.headers)))
                status, headers, body = own.answer(self.path, self.headers["If-None-Match"])
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return own.date or super().date_time_string(timestamp)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port

    def answer(self, path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; ``known``: the ETag that the client has."""
        raise NotImplementedError

    @contextmanager
    def serving(self) -> Iterator[None]:
        """It answers until the block is left."""
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield
        self.server.shutdown()
        self.server.server_close()
        thread.join()


class FakeIndex(Loopback):
    """A package index with the few names that a test gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.names = ["pip", "requests", "left-pad"]
        self.etag = '"one"'
        self.status = 200
        """anything but 200 is the answer to every question"""
        self.url = f"http://127.0.0.1:{self.port}/simple"

    def answer(self, path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        """As an index answers below ``/simple/``."""
        name = path.removeprefix("/simple/").strip("/")
        if self.status != 200 or (name and name not in self.names):
            return (self.status if self.status != 200 else 404), {}, b""
        headers = {"Content-Type": JSON_TYPE, "ETag": self.etag}
        if not name and known == self.etag:
            return 304, headers, b""
        meta = {"api-version": "1.1"}
        page: dict[str, object] = {"meta": meta, "projects": [{"name": n} for n in self.names]}
        if name:
            page = {"meta": meta, "name": name, "files": [{"filename": "x-1.tar.gz"}]}
        return 200, headers, json.dumps(page).encode()


class ModelServer(Loopback):
    """Answers with what a test puts on its pages; any other path is 404."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, tuple[int, Any]] = {"/v1/models": (200, {"data": [{"id": "coder"}]})}
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def answer(self, path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        """The page, as JSON."""
        status, said = self.pages.get(path, (404, {"detail": "Not Found"}))
        return status, {}, json.dumps(said).encode()
