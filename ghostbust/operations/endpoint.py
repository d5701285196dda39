"""The daemon's own address: ``/healthz``, ``/readyz``, ``/metrics``. Read-only, and no secrets.

Off unless ``daemon.listen`` names a place: whoever can reach it reads rates and reasons.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ghostbust.errors import ConfigError
from ghostbust.loop.companions import JobDone
from ghostbust.operations.readiness import Readiness

log = logging.getLogger(__name__)

REQUEST_S: Final = 10.0
"""how long a client may take to say what it wants, and to read the answer"""
JSON: Final = "application/json"

Page = tuple[HTTPStatus, str, bytes]
"""status, content type, body"""


class Endpoint:
    """A companion that answers over HTTP."""

    def __init__(
        self,
        listen: tuple[str, int],
        *,
        alive: Callable[[], bool],
        readiness: Readiness,
        metrics: CollectorRegistry,
    ) -> None:
        """``listen``: host and port, 0 for any free. ``alive``: whether the schedule goes on."""
        self._listen = listen
        self._alive = alive
        self._readiness = readiness
        self._metrics = metrics
        self._began = time.monotonic()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens at, once it has started."""
        return self._listen[1] if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listens. Raises ConfigError where the place can't be had."""
        host, port = self._listen
        try:
            self._server = _Server(self._listen, _asker(self.page))
        except OSError as exc:
            raise ConfigError(
                f"daemon.listen: can't listen at {host}:{port}: {exc.strerror}; choose another port"
            ) from exc
        if not is_loopback(host):
            log.warning("daemon: %s is no loopback address: others can read what is there", host)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="http", daemon=True
        )
        self._thread.start()
        log.info("daemon: health and metrics at http://%s:%d", host, self.port)

    def stop(self) -> None:
        """Answers no more."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def job_done(self, done: JobDone) -> None:
        """Nothing."""

    def page(self, path: str, accept: str) -> Page:
        """What stands at the path; ``accept`` is the header of that name."""
        match path.partition("?")[0]:
            case "/healthz":
                return self._health()
            case "/readyz":
                return self._ready()
            case "/metrics":
                encode, kind = choose_encoder(accept)
                return HTTPStatus.OK, kind, encode(self._metrics)
        said = {"pages": ["/healthz", "/readyz", "/metrics"]}
        return HTTPStatus.NOT_FOUND, JSON, _json(said)

    def _health(self) -> Page:
        alive = self._alive()
        said = {
            "ok": alive,
            "process": "alive",
            "scheduler": "alive" if alive else "not running",
            "up_s": round(time.monotonic() - self._began, 1),
        }
        return HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE, JSON, _json(said)

    def _ready(self) -> Page:
        parts = self._readiness.parts()
        ready = self._alive() and all(part.ready for part in parts.values())
        told = {name: asdict(part) for name, part in parts.items()}
        for part in told.values():
            part["seen"] = None if part["seen"] is None else part["seen"].isoformat()
        said = {"ready": ready, "scheduler": self._alive(), "parts": told}
        return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, JSON, _json(said)


def read_listen(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``:PORT`` or ``[::1]:PORT``; without a host the loopback.

    Raises ConfigError for anything else.
    """
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ConfigError(f"daemon.listen: should be HOST:PORT or :PORT, not {text!r}")
    return host or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it; False for a name other than ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listen: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in listen[0]:
            self.address_family = socket.AF_INET6
        super().__init__(listen, handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that left, or sent nonsense, is no news."""
        log.debug("http: a request failed", exc_info=True)


def _asker(page: Callable[[str, str], Page]) -> type[BaseHTTPRequestHandler]:
    class Asked(BaseHTTPRequestHandler):
        timeout = REQUEST_S
        server_version = "ghostbust"
        sys_version = ""

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            status, kind, body = page(self.path, self.headers.get("Accept", ""))
            self.send_response(status)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ):
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: a probe every few seconds is no news, and its path is anybody's text."""

    return Asked


def _json(said: object) -> bytes:
    return json.dumps(said).encode() + b"\n"
