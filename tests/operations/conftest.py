"""A home, a webhook on the loopback, and a place to wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ghostbust.home import Home


class Hook:
    """A webhook that keeps what it gets, and answers as a test wants."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        """of the next answers; 204 when they are used up"""
        self.got: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.bodies.append(body)
                hook.headers.append({key.lower(): value for key, value in self.headers.items()})
                hook.got.append(json.loads(body))
                self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?key=se-cret"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever, args=(0.01,))
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def wait_for(condition: Callable[[], object], longest_s: float = 20) -> None:
    """Returns when it holds; fails where it doesn't in time."""
    limit = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition; fails where it takes too long."""
    return wait_for
