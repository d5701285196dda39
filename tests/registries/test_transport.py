"""One question: what is asked again, how hosts are treated, what is counted, where it goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from ghostbust import http
from ghostbust.errors import ConfigError, RegistryError, UnansweredError
from ghostbust.records import utc_now
from ghostbust.registries import transport
from ghostbust.registries.endpoints import basic, endpoint
from ghostbust.registries.transport import (
    LEFT_ALONE_S,
    Client,
    Host,
    Hosts,
    Manners,
    NoAnswerError,
    Outcome,
    Patience,
    Reply,
    RequestCounts,
)
from tests.registries.conftest import HASTE

KIND = "application/vnd.pypi.simple.v1+json"
URL = "https://index.example.test/simple/x/"
SECRET = "s3cret"

Answer = httpx.Response | type[Exception]


def good(**headers: str) -> httpx.Response:
    kind = {"Content-Type": f"{KIND}; charset=utf-8"}
    return httpx.Response(200, json={"name": "x"}, headers=kind | headers)


class Server:
    """Gives the answers in turn; the last one for good."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("lost")


def parsed(reply: Reply) -> Reply:
    """The reply, if its document can be read where it has one."""
    if reply.found and reply.changed:
        assert reply.document
    return reply


async def ask(
    server: Callable[[httpx.Request], httpx.Response],
    *,
    patience: Patience = HASTE,
    read: Callable[[Reply], Reply] = parsed,
    headers: dict[str, str] | None = None,
    validator: str = "",
    counts: RequestCounts | None = None,
) -> Reply:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http:
        client = Client(http, patience, counts=counts or RequestCounts())
        return await client.ask(
            URL, read, accept=KIND, content_types=(KIND,), headers=headers or {},
            validator=validator,
        )  # fmt: skip


async def test_found_or_not_and_how_it_is_asked() -> None:
    server = Server(good(), httpx.Response(404, text="<html>"))
    reply = await ask(server, headers={"Authorization": "Bearer t"})
    assert (reply.found, reply.document) == (True, {"name": "x"})
    sent = server.seen[0].headers
    assert (sent["Accept"], sent["User-Agent"]) == (KIND, http.USER_AGENT)
    assert sent["Authorization"] == "Bearer t"
    assert not (await ask(server)).found
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "bad",
    [
        httpx.Response(500),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(408),
        httpx.Response(200, text="<html>", headers={"Content-Type": "text/html"}),
        httpx.Response(200, text='{"name": "x', headers={"Content-Type": KIND}),
        httpx.Response(200, text="[]", headers={"Content-Type": KIND}),
        httpx.ConnectError,
        httpx.ReadTimeout,
        httpx.RemoteProtocolError,
    ],
)
async def test_asked_again_and_an_error_in_the_end(bad: Answer) -> None:
    server = Server(bad, good())
    assert (await ask(server)).found
    assert len(server.seen) == 2
    server = Server(bad)
    with pytest.raises(UnansweredError, match=r"index\.example\.test"):
        await ask(server)
    assert len(server.seen) == HASTE.attempts


async def test_what_the_reader_refuses_is_asked_again() -> None:
    server = Server(good())

    def second(reply: Reply) -> Reply:
        if len(server.seen) < 2:
            raise NoAnswerError("another page")
        return reply

    assert (await ask(server, read=second)).found


@pytest.mark.parametrize(
    "refusal",
    [
        *map(httpx.Response, (304, 400, 401, 403, 410, 418)),
        httpx.Response(429, headers={"Retry-After": "3600"}),
    ],
)
async def test_other_statuses_and_long_waits_are_errors_at_once(refusal: httpx.Response) -> None:
    server = Server(refusal, good())
    with pytest.raises(RegistryError, match=f"HTTP {refusal.status_code}"):
        await ask(server)
    assert len(server.seen) == 1


async def test_a_body_that_comes_drop_by_drop_is_given_up() -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    server = Server(httpx.Response(200, content=drops(), headers={"Content-Type": KIND}), good())
    assert (await ask(server, patience=replace(HASTE, answer_s=0.05))).found
    assert len(server.seen) == 2


async def test_an_answer_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_BYTES", 1000)
    server = Server(httpx.Response(200, content=b" " * 2000, headers={"Content-Type": KIND}))
    with pytest.raises(RegistryError, match=r"larger than 1,000 bytes"):
        await ask(server)
    assert len(server.seen) == 1


async def test_an_unchanged_page_is_not_sent_again() -> None:
    server = Server(good(ETag='"e 1"'), httpx.Response(304), good())
    first = await ask(server)
    second = await ask(server, validator=first.validator)
    assert (first.changed, second.changed) == (True, False)
    assert [request.headers.get("If-None-Match") for request in server.seen] == [None, '"e 1"']
    await ask(server, validator='0.0.0 "e 1"')
    assert "If-None-Match" not in server.seen[2].headers, "another version may read it otherwise"


async def waits(answer: httpx.Response, patience: Patience, sleep: pytest.MonkeyPatch) -> float:
    """The wait, in seconds, that one bad answer leads to."""
    slept: list[float] = []

    async def no_sleep(seconds: float) -> None:
        slept.append(seconds)

    # The waits themselves are stamina's; only the clock is replaced.
    sleep.setattr(asyncio, "sleep", no_sleep)
    await ask(Server(answer, good()), patience=patience)
    return slept[0]


@pytest.mark.parametrize(
    ("status", "retry_after", "patience", "least", "most"),
    [
        (429, "0", Patience(floor_s=0.5, jitter_s=0.25), 0.5, 0.75),
        (503, "2", Patience(floor_s=0.5, jitter_s=0.25), 2, 2.25),
        (429, "in 5 s", Patience(jitter_s=0), 3, 5),
        (429, "soon", Patience(initial_s=0.75, jitter_s=0), 0.75, 0.75),
    ],
)
async def test_retry_after_has_a_floor_and_jitter_and_may_be_a_date(
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    retry_after: str,
    patience: Patience,
    least: float,
    most: float,
) -> None:
    date = format_datetime(utc_now() + timedelta(seconds=5), usegmt=True)
    headers = {"Retry-After": retry_after.replace("in 5 s", date)}
    answer = httpx.Response(status, headers=headers)
    assert least <= await waits(answer, patience, monkeypatch) <= most


async def test_credentials_are_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RegistryError) as caught:
        await ask(
            Server(httpx.Response(500), httpx.Response(401)),
            headers={"Authorization": f"Bearer {SECRET}"},
        )
    assert any(record.name == "stamina" for record in caplog.records)
    logged = "".join(repr(record.__dict__) for record in caplog.records)
    assert SECRET not in logged + str(caught.value)


# How hosts are treated


class Ups:
    """Hosts that answer, but for the hosts and names in ``dead``."""

    def __init__(self, client: Callable[[httpx.MockTransport], Client]) -> None:
        self.dead: set[str] = set()
        self.asked: list[str] = []
        self._client = client(httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        place = f"{request.url.host}{request.url.path}"
        self.asked.append(place)
        return httpx.Response(500) if {place, request.url.host} & self.dead else good()

    async def ask(self, place: str) -> Reply:
        return await self._client.ask(
            f"https://{place}", parsed, accept=KIND, content_types=(KIND,), headers={}
        )

    async def fail(self, *places: str, why: str = "HTTP 500") -> None:
        for place in places:
            with pytest.raises(UnansweredError, match=why):
                await self.ask(place)


@pytest.fixture
async def ups() -> AsyncIterator[Ups]:
    """Each name is asked for once; a host is left alone after two failures."""
    opened: list[httpx.AsyncClient] = []

    def client(mock: httpx.MockTransport) -> Client:
        opened.append(httpx.AsyncClient(transport=mock))
        return Client(opened[0], replace(HASTE, attempts=1), Hosts(Manners(give_up_after=2)))

    yield Ups(client)
    await opened[0].aclose()


async def test_a_host_that_gives_no_answers_is_left_alone(ups: Ups) -> None:
    ups.dead = {"down.test"}
    await ups.fail("down.test/a", "down.test/b")
    await ups.fail("down.test/c", why="not asked, since .*500")
    assert (await ups.ask("up.test/a")).found
    assert ups.asked == ["down.test/a", "down.test/b", "up.test/a"]


async def test_names_that_never_get_an_answer_do_not_hide_the_others(ups: Ups) -> None:
    await ups.ask("up.test/good")
    ups.dead = {f"up.test/{n}" for n in range(6)}
    await ups.fail(*sorted(ups.dead))
    assert (await ups.ask("up.test/other")).found
    assert ups.asked.count("up.test/good") == 4, "the witness, once for every two that fail"


async def test_a_host_that_no_longer_answers_is_left_alone_until_it_does(
    ups: Ups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LEFT_ALONE_S", 0.02)
    await ups.ask("up.test/good")
    ups.dead = {"up.test"}
    await ups.fail("up.test/a", "up.test/b")
    assert ups.asked.count("up.test/good") == 2
    # After the pause the witness is asked, and then nothing for twice as long.
    await ups.fail("up.test/c", "up.test/d", why="not asked, since .*500")
    assert ups.asked.count("up.test/good") == 3
    assert not {"up.test/c", "up.test/d"} & set(ups.asked)
    ups.dead = set()
    await asyncio.sleep(0.05)
    replies = await asyncio.gather(*(ups.ask(f"up.test/{n}") for n in range(9)))
    assert all(reply.found for reply in replies)


class Clock:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def host(clock: Clock) -> Host:
    return Host(Manners(give_up_after=3), clock)


def fail(host: Host, urls: str) -> None:
    for url in urls:
        host.failed(url, f"{url} is down")


def test_it_is_left_alone_after_failures_of_several_names_in_a_row(host: Host) -> None:
    fail(host, "ababa")
    assert host.wait_s is None, "two names that never get an answer"
    host.answered()
    fail(host, "cd")
    assert not host.failed("d", "d is down again")
    assert host.failed("e", "e is down")
    assert (host.wait_s, host.why) == (LEFT_ALONE_S, "e is down")  # type: ignore[comparison-overlap]
    assert not host.failed("f", "f is down"), "it is left alone already"


def test_after_the_pause_one_may_try_and_an_answer_ends_it(host: Host, clock: Clock) -> None:
    fail(host, "abc")
    clock.now += LEFT_ALONE_S / 2
    assert host.wait_s == LEFT_ALONE_S / 2
    clock.now += LEFT_ALONE_S
    assert host.wait_s == 0
    host.try_again()
    assert host.wait_s == 2 * LEFT_ALONE_S, "for the others"
    host.answered()
    assert host.wait_s is None


def test_the_pause_doubles_with_each_try_in_vain(host: Host, clock: Clock) -> None:
    fail(host, "abc")
    pauses = []
    for _ in range(7):
        pauses.append(host.wait_s)
        clock.now += host.wait_s or 0
        host.try_again()
        fail(host, "d")
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_every_host_and_port_has_a_queue_of_its_own() -> None:
    hosts = Hosts()
    one = hosts.of("https://a.test/simple/x/")
    assert hosts.of("https://a.test/simple/y/") is one
    assert hosts.of("https://a.test:8443/simple/x/") is not one
    assert hosts.of("https://b.test/") is not one


async def test_few_at_a_time() -> None:
    at_once: list[int] = []
    inside = 0

    async def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        await asyncio.sleep(0)
        inside -= 1
        return good()

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = Client(http, hosts=Hosts(Manners(in_flight=2)))
        await asyncio.gather(
            *(client.ask(URL, parsed, accept=KIND, content_types=(KIND,), headers={})
              for _ in range(7))
        )  # fmt: skip
    assert max(at_once) == 2


async def test_the_rate_is_held() -> None:
    host = Hosts(Manners(per_second=20)).of("https://a.test/")
    started = time.monotonic()
    for _ in range(22):
        await host.rate.acquire()
    assert time.monotonic() - started > 0.05, "20 at once, then one every 50 ms"


# What is counted


async def test_each_request_counts_once_by_its_outcome() -> None:
    counts = RequestCounts()
    with pytest.raises(UnansweredError):
        await ask(Server(httpx.ConnectError), counts=counts)
    assert (counts.counts[Outcome.UNANSWERED], counts.last_answer) == (HASTE.attempts, None)
    await ask(Server(httpx.Response(503), httpx.ConnectError, good()), counts=counts)
    await ask(Server(httpx.Response(404)), counts=counts)
    with pytest.raises(RegistryError):
        await ask(Server(httpx.Response(401)), counts=counts)
    assert counts.counts == {
        Outcome.ANSWERED: 2, Outcome.UNANSWERED: HASTE.attempts + 2, Outcome.REFUSED: 1,
    }  # fmt: skip
    assert counts.last_answer is not None
    assert counts.last_failure is not None
    assert counts.last_failure >= counts.last_answer


# Where it goes


def test_credentials_leave_the_address_and_never_show() -> None:
    found = endpoint(f"https://me:{SECRET}%21@index.example.test:8443/simple/", "PIP_INDEX_URL")
    assert found.url == "https://index.example.test:8443/simple"
    assert found.headers() == {"Authorization": basic("me", f"{SECRET}!")}
    assert SECRET not in repr(found) + str(found) + found.url
    assert found.headers()["Authorization"] not in repr(found)
    assert endpoint("http://127.0.0.1:1/", "default").headers() == {}


def test_a_token_comes_before_the_address_and_that_before_netrc(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine index.example.test login me password {SECRET}\n")

    def header(address: str, file: Path = file, token: str | None = None) -> str | None:
        return endpoint(address, "x", netrc_file=file, authorization=token).authorization

    assert header("https://index.example.test/") == basic("me", SECRET)
    assert header("https://other.example.test/") is None
    assert header("https://index.example.test/", tmp_path / "none") is None
    assert header("https://you:word@index.example.test/") == basic("you", "word")
    assert header("https://you:word@index.example.test/", file, "Bearer t") == "Bearer t"


@pytest.mark.parametrize(
    "address",
    ["", "index.example.test/simple", f"ftp://me:{SECRET}@host.example.test/",
     f"https://me:{SECRET}@host.example.test:port/", f"https://me:{SECRET}@[bad/", "https:///x"],
)  # fmt: skip
def test_an_unusable_address_or_netrc_is_named_and_not_quoted(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"PIP_INDEX_URL: the registry's address") as caught:
        endpoint(address, "PIP_INDEX_URL")
    assert SECRET not in str(caught.value)
    file = tmp_path / "netrc"
    file.write_text(f"machine index.example.test nonsense {SECRET}\n")
    with pytest.raises(ConfigError, match="netrc") as caught:
        endpoint("https://index.example.test/", "default", netrc_file=file)
    assert SECRET not in str(caught.value)
