"""HTTP servers on 127.0.0.1 that answer as a test wants."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
                with suppress(ConnectionError):  # who asked may have left
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


class FakeRegistries(Loopback):
    """PyPI's Simple API, npm's registry and a sparse index of crates, with a few packages each."""

    def __init__(self) -> None:
        super().__init__()
        self.pypi = {"pip": ["24.0"], "requests": ["2.31.0", "2.32.5"]}
        """name to versions"""
        self.npm = {"npm": ["10.0.0"], "left-pad": ["1.2.0", "1.3.0"]}
        self.crates = {"serde": ["1.0.0", "1.0.228"], "serde_json": ["1.0.1"]}
        root = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "PIP_INDEX_URL": f"{root}/simple",
            "npm_config_registry": f"{root}/npm",
            "CARGO_REGISTRIES_FAKE_INDEX": f"sparse+{root}/index/",
        }
        """the environment that asks it; of cargo's sources ``fake`` has to replace ``crates-io``"""

    def answer(self, path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        """As each registry answers."""
        kind, _, rest = path.strip("/").partition("/")
        if path == "/archive.tar.gz":
            return 200, {"Content-Type": "application/gzip"}, self._archive()
        name = rest.rpartition("/")[2]
        if kind == "simple" and name in self.pypi:
            page = {
                "meta": {"api-version": "1.1"}, "name": name, "versions": self.pypi[name],
                "files": [{"filename": f"{name}-1.tar.gz"}],
            }  # fmt: skip
            return 200, {"Content-Type": JSON_TYPE}, json.dumps(page).encode()
        if kind == "npm" and name in self.npm:
            versions = self.npm[name]
            document = {
                "name": name, "versions": {version: {} for version in versions},
                "dist-tags": {"latest": versions[-1]},
            }  # fmt: skip
            return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()
        if kind == "index" and name in self.crates and rest == crate_path(name):
            return 200, {"Content-Type": "text/plain"}, self._crate(name)
        return 404, {}, b""

    def _crate(self, name: str) -> bytes:
        """A crate's file in the index."""
        lines = (
            {"name": name, "vers": version, "deps": [], "cksum": "0" * 64, "yanked": False}
            for version in self.crates[name]
        )
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    def _archive(self) -> bytes:
        """The index of crates as a git host packs it."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            files = {"config.json": b"{}", "README.md": b""}
            files |= {crate_path(name): self._crate(name) for name in self.crates}
            for path, body in files.items():
                entry = tarfile.TarInfo(f"index-0123abc/{path}")
                entry.mtime = 1_780_000_000  # 2026-05-28
                entry.size = len(body)
                tar.addfile(entry, io.BytesIO(body))
        return packed.getvalue()


def crate_path(name: str) -> str:
    """Where a sparse index has a name of four letters or more."""
    return f"{name[:2]}/{name[2:4]}/{name}"
