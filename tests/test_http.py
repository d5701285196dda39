"""Answers have a limit in all, in time and in size, whatever a server sends and however slowly."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import BaseModel

from ghostbust import http
from ghostbust.errors import EndpointError, UsageError
from ghostbust.http import TooLargeError, ask
from ghostbust.loop.alarms import post
from ghostbust.publishers.control import Control
from ghostbust.records import utc_now
from ghostbust.registries.live import ahead_of_us
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
    """A small answer that unpacks to 20 MiB, though nobody asked for a packed one."""
    send(handler, gzip.compress(bytes(20 * MEGABYTE)), Content_Encoding="gzip")


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A status, then a byte every 50 ms, for as long as somebody reads."""
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
            time.sleep(0.05)
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


def test_which_statuses_may_pass() -> None:
    passing, lasting = (408, 425, 429, 500, 502, 503, 504, 520, 529), (501, 505)
    others = (200, 301, 400, 401, 403, 404, 409, 422)
    assert [one for one in (*passing, *lasting, *others) if http.may_pass(one)] == [*passing]


@pytest.mark.parametrize(
    ("told", "waits_s"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Mon, 01 Jan 1990 00:00:00 GMT", 0),
        ("Mon, 01 Jan 1990 00:00:00 -0000", 0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        (None, None),
    ],
)
def test_retry_after(told: str | None, waits_s: float | None) -> None:
    headers = {} if told is None else {"Retry-After": told}
    assert http.retry_after_s(httpx.Response(429, headers=headers)) == waits_s


def test_retry_after_may_be_a_date_to_come() -> None:
    then = format_datetime(utc_now() + timedelta(seconds=30), usegmt=True)
    waits_s = http.retry_after_s(httpx.Response(429, headers={"Retry-After": then}))
    assert waits_s is not None
    assert 20 <= waits_s <= 30


@pytest.mark.parametrize(
    "text", ["", "soon", "Mon, 01 Jan 2035 00:00:00 +99999999999999", f"Mon, 01 Jan {9**40}"]
)
def test_a_date_that_cant_be_read(text: str) -> None:
    """A registry's or server's own Date ended `doctor` with an OverflowError (1708091)."""
    assert http.read_date(text) is None
    assert ahead_of_us(httpx.Response(200, headers={"Date": text})) is None


@pytest.mark.parametrize(
    ("exc", "said"),
    [
        (httpx.ConnectTimeout("t"), "host/v1 didn't answer in 5 s; is the server overloaded?"),
        (TooLargeError(5), "host/v1: its answer is larger than 5 bytes; is it an OpenAI-"),
        (httpx.ConnectError("key"), "can't reach host/v1 (ConnectError); does it run?"),
        (httpx.InvalidURL("key"), "can't reach host/v1 (InvalidURL); does it run?"),
    ],
)
def test_failures_are_one_line_without_the_errors_own_words(exc: Exception, said: str) -> None:
    line = http.failure(exc, "host/v1", "5 s")
    assert line.startswith(said)
    assert "key" not in line


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("model.example.test/v1", "the server must start with http"),
        ("ftp://model.example.test", "must start with http"),
        ("https://me:secret@model.example.test", "holds credentials"),
        ("https://model.example.test:port", "can't be read"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        http.server_url(address, "the server")
    assert "secret" not in str(caught.value)


def test_a_key_comes_from_the_environment_and_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    assert set(http.headers_with_key("MY_KEY")) == {"User-Agent"}
    monkeypatch.setenv("MY_KEY", "sk-one\n")
    assert http.headers_with_key("MY_KEY")["Authorization"] == "Bearer sk-one"
    monkeypatch.setenv("MY_KEY", "schlüssel")
    with pytest.raises(UsageError, match=r"\$MY_KEY holds characters") as caught:
        http.headers_with_key("MY_KEY")
    assert "schlüssel" not in str(caught.value)


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
        ask("GET", serve(slow), total_s=0.3, headers={})


def test_a_webhook_that_drips_has_said_enough(serve: Serve) -> None:
    assert post(serve(drip), b"{}", timeout_s=5) == ""
    wrong = post(serve(drip_headers), b"{}", timeout_s=0.3)
    assert wrong == "the webhook can't be reached (ReadTimeout)"


@pytest.mark.parametrize(
    ("answer", "said"), [(packed, "larger than 16,777,216 bytes"), (drip, "didn't answer in 0.3 s")]
)
def test_a_servers_control_has_both_limits(serve: Serve, answer: Answer, said: str) -> None:
    with pytest.raises(EndpointError, match=said):
        Control(serve(answer), timeout_s=60 if answer is packed else 0.3).get("/v1/models")


@pytest.mark.parametrize(
    ("answer", "said"), [(packed, "larger than 16,777,216 bytes"), (drip, "didn't answer in time")]
)
async def test_a_model_server_has_both_limits(serve: Serve, answer: Answer, said: str) -> None:
    timeout_s = 60 if answer is packed else 0.3
    async with httpx.AsyncClient(base_url=serve(answer), timeout=timeout_s) as client:
        with pytest.raises(EndpointError, match=said):
            await request_json(client, "GET", "/models", None, BaseModel, attempts=1)


def test_headers_for_one_hop_are_not_passed_on() -> None:
    kept = [(b"Authorization", b"Bearer x"), (b"X-Own", b"1")]
    one_hop = [(b"Connection", b"keep-alive, X-Hop"), (b"X-Hop", b"1"), (b"Transfer-Encoding", b"")]
    assert http.passed_on([*kept, *one_hop, (b"Host", b"a")], "host") == kept
