"""Answers have a limit in all, in time and in size, whatever a server sends and however slowly."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import BaseModel

from ghostbust.errors import EndpointError
from ghostbust.http import TooLargeError, ask
from ghostbust.loop.alarms import post
from ghostbust.publishers.control import Control
from ghostbust.samplers.servers import request_json

if TYPE_CHECKING:
    Answer = Callable[[BaseHTTPRequestHandler], None]

MEGABYTE = 1 << 20


def send(handler: BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def packed(handler: BaseHTTPRequestHandler) -> None:
    """A small answer that unpacks to 100 MiB, though nobody asked for a packed one."""
    send(handler, gzip.compress(bytes(100 * MEGABYTE)), Content_Encoding="gzip")


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A status, then a byte each tenth of a second, for as long as somebody reads."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    _drip(handler)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    """A status line, then a header that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    _drip(handler)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    try:
        for _ in range(600):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Starts a server on the loopback that answers so; its address."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        servers[-1].daemon_threads = True
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,)).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Serve = Callable[["Answer"], str]


def test_an_answer_comes_as_it_is(serve: Serve) -> None:
    url = serve(lambda handler: send(handler, b"yes", X_Mine="a"))
    answer = ask("GET", url, total_s=5, headers={})
    assert (answer.status_code, answer.content, answer.headers["x-mine"]) == (200, b"yes", "a")


def test_one_that_unpacks_to_more_is_given_up(serve: Serve) -> None:
    with pytest.raises(TooLargeError, match="larger than 16,777,216 bytes"):
        ask("GET", serve(packed), total_s=60, headers={})


@pytest.mark.parametrize("slow", [drip, drip_headers])
def test_one_that_drips_has_a_limit_in_all(serve: Serve, slow: Answer) -> None:
    with pytest.raises(httpx.ReadTimeout):
        ask("GET", serve(slow), total_s=1, headers={})


def test_a_webhook_that_drips_has_said_enough(serve: Serve) -> None:
    assert post(serve(drip), b"{}", timeout_s=5) == ""
    wrong = post(serve(drip_headers), b"{}", timeout_s=1)
    assert wrong == "the webhook can't be reached (ReadTimeout)"


@pytest.mark.parametrize(
    ("answer", "said"), [(packed, "larger than 16,777,216 bytes"), (drip, "didn't answer in 1 s")]
)
def test_a_servers_control_has_both_limits(serve: Serve, answer: Answer, said: str) -> None:
    with pytest.raises(EndpointError, match=said):
        Control(serve(answer), timeout_s=60 if answer is packed else 1).get("/v1/models")


@pytest.mark.parametrize(
    ("answer", "said"), [(packed, "larger than 16,777,216 bytes"), (drip, "didn't answer in time")]
)
async def test_a_model_server_has_both_limits(serve: Serve, answer: Answer, said: str) -> None:
    timeout_s = 60 if answer is packed else 1
    async with httpx.AsyncClient(base_url=serve(answer), timeout=timeout_s) as client:
        with pytest.raises(EndpointError, match=said):
            await request_json(client, "GET", "/models", None, BaseModel, attempts=1)
