"""The daemon's HTTP pages: ``/healthz``, ``/readyz``, ``/metrics``. Read-only, without secrets.

Off unless ``daemon.listen`` is set: everybody who can reach the port reads rates and reasons.

Readiness is what was seen last. The model servers are asked for their list of models every LOOK_S
seconds, not for each request. Registries aren't asked: what they answered to the jobs counts.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ghostbust.config import Config
from ghostbust.documents import json_text
from ghostbust.errors import ConfigError, GhostbustError, StoreError
from ghostbust.home import Home
from ghostbust.loop.build import make_endpoint
from ghostbust.loop.signals import JobDone
from ghostbust.operations.repeating import Repeating
from ghostbust.records import utc_now
from ghostbust.registries.transport import RequestCounts
from ghostbust.store.store import Store

log = logging.getLogger(__name__)

LOOK_S: Final = 60.0
"""between two looks at the model servers"""
REQUEST_S: Final = 10.0
"""how long a client may take to send its request and to read the answer"""
JSON: Final = "application/json"

Page = tuple[HTTPStatus, str, bytes]
"""status, content type, body"""


@dataclass(frozen=True, slots=True)
class PartState:
    """The state of one thing that the daemon needs."""

    ready: bool
    reason: str
    """why, in one line"""
    seen: datetime | None
    """when that was found; None if never"""


class Readiness:
    """A companion that checks the model servers; any thread may call `parts`."""

    def __init__(
        self,
        home: Home,
        config: Callable[[], Config],
        requests: RequestCounts,
        shown: Callable[[str], str] = str,
    ) -> None:
        """``config``: the settings in force. ``shown`` removes secrets and prompts from a text."""
        self._home, self._config, self._requests, self._shown = home, config, requests, shown
        self._lock = threading.Lock()
        self._model = PartState(True, "not looked at yet", None)
        self._looks = Repeating("readiness", self.look, LOOK_S)

    def start(self) -> None:
        """Starts the thread."""
        self._looks.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._looks.stop()

    def job_done(self, done: JobDone) -> None:
        """Checks the servers soon if a job failed."""
        if done.state == "failed":
            self._looks.nudge()

    def look(self) -> None:
        """Asks the model servers, if there are any, for their models."""
        config = self._config()
        if not config.model.servers:
            part = PartState(
                True, f"{config.model.name} runs in the daemon's own process", utc_now()
            )
        else:
            part = self._ask(config)
        with self._lock:
            self._model = part

    def parts(self) -> dict[str, PartState]:
        """The last known states, by name. Only the database is checked now."""
        with self._lock:
            model = self._model
        return {"database": self._database(), "model": model, "registries": self._registries()}

    def _ask(self, config: Config) -> PartState:
        try:
            sampler = make_endpoint(config, None)
            sampler.check()
        except GhostbustError as exc:
            return PartState(False, self._shown(str(exc)), utc_now())
        away = [state.said for state in sampler.health if state.in_row]
        servers = len(config.model.servers)
        said = f"{servers - len(away)} of {servers} servers list {config.model.served_as}"
        return PartState(True, self._shown("; ".join([said, *away])), utc_now())

    def _database(self) -> PartState:
        try:
            with Store.open(self._home.database, read_only=True) as store:
                store.growth.marks()
        except StoreError as exc:
            return PartState(False, self._shown(str(exc)), utc_now())
        return PartState(True, "it can be read", utc_now())

    def _registries(self) -> PartState:
        registry = self._config().registry
        if registry.mode == "snapshot" or registry.as_of is not None:
            return PartState(True, "a snapshot is asked, which is always there", utc_now())
        answer, failure = self._requests.last_answer, self._requests.last_failure
        if answer is None and failure is None:
            return PartState(True, "not asked yet", None)
        if failure is not None and (answer is None or failure > answer):
            said = "the last request got no usable answer"
            return PartState(False, said, failure)
        return PartState(True, "the last request was answered", answer)


class HealthEndpoint:
    """A companion that answers over HTTP."""

    def __init__(
        self,
        listen: tuple[str, int],
        *,
        alive: Callable[[], bool],
        readiness: Readiness,
        metrics: CollectorRegistry,
    ) -> None:
        """``listen``: host and port, 0 for any free. ``alive``: whether the schedule runs."""
        self._listen = listen
        self._alive = alive
        self._readiness = readiness
        self._metrics = metrics
        self._began = time.monotonic()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port at which it listens, once it has started."""
        return self._listen[1] if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listens. Raises ConfigError if the address is taken or can't be used."""
        host, port = self._listen
        try:
            self._server = _Server(self._listen, _handler(self.page))
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
        """Closes the port."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def job_done(self, done: JobDone) -> None:
        """Nothing."""

    def page(self, path: str, accept: str) -> Page:
        """The page at the path; ``accept`` is the header of that name."""
        alive = self._alive()
        match path.partition("?")[0]:
            case "/healthz":
                good, said = alive, {
                    "ok": alive,
                    "process": "alive",
                    "scheduler": "alive" if alive else "not running",
                    "up_s": round(time.monotonic() - self._began, 1),
                }  # fmt: skip
            case "/readyz":
                parts = self._readiness.parts()
                good = alive and all(part.ready for part in parts.values())
                said = {"ready": good, "scheduler": alive, "parts": parts}
            case "/metrics":
                # The library's own app answers any path, and no HEAD; wrapping it takes more code.
                encode, kind = choose_encoder(accept)
                return HTTPStatus.OK, kind, encode(self._metrics)
            case _:
                pages = {"pages": ["/healthz", "/readyz", "/metrics"]}
                return HTTPStatus.NOT_FOUND, JSON, _body(pages)
        return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, JSON, _body(said)


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
        """Logs only for debugging: clients may leave, or send nonsense."""
        log.debug("http: a request failed", exc_info=True)


def _handler(page: Callable[[str, str], Page]) -> type[BaseHTTPRequestHandler]:
    class PageHandler(BaseHTTPRequestHandler):
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
            """Logs nothing: probes come every few seconds, and their paths are anybody's text."""

    return PageHandler


def _body(said: Mapping[str, object]) -> bytes:
    return json_text(said).encode() + b"\n"
