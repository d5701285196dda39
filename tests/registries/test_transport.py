"""One question: what is asked again, what isn't, and how long the waits are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from ghostbust.errors import RegistryError, UnansweredError
from ghostbust.records import utc_now
from ghostbust.registries.transport import (
    MAX_BYTES,
    USER_AGENT,
    Client,
    Hosts,
    Manners,
    NoAnswerError,
    Patience,
    Reply,
)

KIND = "application/vnd.pypi.simple.v1+json"
HASTE = Patience(attempts=3, initial_s=0, longest_s=2, floor_s=0, jitter_s=0)
URL = "https://index.example.test/simple/x/"

Answer = httpx.Response | type[Exception]


def good() -> httpx.Response:
    return httpx.Response(
        200, json={"name": "x"}, headers={"Content-Type": f"{KIND}; charset=utf-8"}
    )


def replay(
    *answers: Answer,
) -> tuple[Callable[[httpx.Request], httpx.Response], list[httpx.Request]]:
    """A handler that gives the answers in turn, and the requests that it has seen."""
    rest: Iterator[Answer] = iter(answers)
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = next(rest)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("lost")

    return handle, seen


async def put(
    handle: Callable[[httpx.Request], httpx.Response],
    *,
    patience: Patience = HASTE,
    headers: dict[str, str] | None = None,
    validator: str = "",
) -> Reply:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        return await Client(http, patience).ask(
            URL, parsed, accept=KIND, content_types=(KIND,), headers=headers or {},
            validator=validator,
        )  # fmt: skip


def parsed(reply: Reply) -> Reply:
    """The reply, if its document can be read where it has one."""
    if reply.found and reply.changed:
        assert reply.document
    return reply


async def test_found_and_how_it_is_asked() -> None:
    handle, seen = replay(good())
    reply = await put(handle, headers={"Authorization": "Bearer t"})
    assert (reply.found, reply.document) == (True, {"name": "x"})
    sent = seen[0].headers
    assert (sent["Accept"], sent["User-Agent"]) == (KIND, USER_AGENT)
    assert sent["Authorization"] == "Bearer t"
    assert USER_AGENT.startswith("ghostbust/")


async def test_404_is_an_answer_and_is_not_asked_again() -> None:
    handle, seen = replay(httpx.Response(404, text="<html>"))
    assert not (await put(handle)).found
    assert len(seen) == 1


@pytest.mark.parametrize(
    "bad",
    [
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(429),
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
    handle, seen = replay(bad, good())
    assert (await put(handle)).found
    assert len(seen) == 2
    handle, seen = replay(bad, bad, bad, good())
    with pytest.raises(RegistryError, match=r"index\.example\.test"):
        await put(handle)
    assert len(seen) == 3


async def test_what_the_reader_refuses_is_asked_again() -> None:
    handle, seen = replay(good(), good())

    def second(reply: Reply) -> int:
        if len(seen) < 2:
            raise NoAnswerError("another page")
        return len(reply.body)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        size = await Client(http, HASTE).ask(
            URL, second, accept=KIND, content_types=(KIND,), headers={}
        )
    assert size == len(good().content)


async def test_a_body_that_comes_drop_by_drop_is_given_up() -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    slow = httpx.Response(200, content=drops(), headers={"Content-Type": KIND})
    handle, seen = replay(slow, good())
    assert (await put(handle, patience=replace(HASTE, answer_s=0.05))).found
    assert len(seen) == 2


async def test_an_answer_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    big = httpx.Response(200, content=b" " * 2000, headers={"Content-Type": KIND})
    monkeypatch.setattr("ghostbust.registries.transport.MAX_BYTES", 1000)
    handle, seen = replay(big)
    with pytest.raises(RegistryError, match=r"larger than 1,000 bytes"):
        await put(handle)
    assert len(seen) == 1
    assert MAX_BYTES > 10 << 20


async def test_an_unchanged_page_is_not_sent_again() -> None:
    tagged = good()
    tagged.headers["ETag"] = '"e 1"'
    handle, seen = replay(tagged, httpx.Response(304), tagged)
    first = await put(handle)
    second = await put(handle, validator=first.validator)
    assert (first.changed, second.changed) == (True, False)
    assert [request.headers.get("If-None-Match") for request in seen] == [None, '"e 1"']
    await put(handle, validator='0.0.0 "e 1"')
    assert "If-None-Match" not in seen[2].headers, "another version may have read it otherwise"


async def test_304_to_nobodys_question_is_an_error() -> None:
    handle, _ = replay(httpx.Response(304))
    with pytest.raises(RegistryError, match="HTTP 304"):
        await put(handle)


class Ups:
    """Hosts that answer, each but for the names that it never answers."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        place = f"{request.url.host}{request.url.path}"
        self.asked.append(place)
        lost = place in self.dead or request.url.host in self.dead
        return httpx.Response(500) if lost else good()


@pytest.fixture
async def ups() -> AsyncIterator[tuple[Ups, Callable[[str], Awaitable[Reply]]]]:
    """The hosts, and what asks one for a name once, with two failures to leave it alone."""
    hosts = Ups()
    async with httpx.AsyncClient(transport=httpx.MockTransport(hosts)) as http:
        client = Client(http, replace(HASTE, attempts=1), Hosts(Manners(give_up_after=2)))

        async def ask(place: str) -> Reply:
            return await client.ask(
                f"https://{place}", parsed, accept=KIND, content_types=(KIND,), headers={}
            )

        yield hosts, ask


async def test_a_host_that_gives_no_answers_is_left_alone(
    ups: tuple[Ups, Callable[[str], Awaitable[Reply]]],
) -> None:
    hosts, ask = ups
    hosts.dead = {"down.test"}
    for name, why in (("a", "HTTP 500"), ("b", "HTTP 500"), ("c", "not asked, since .*500")):
        with pytest.raises(UnansweredError, match=why):
            await ask(f"down.test/{name}")
    assert (await ask("up.test/a")).found
    assert hosts.asked == ["down.test/a", "down.test/b", "up.test/a"]


async def test_names_that_never_get_an_answer_do_not_hide_the_others(
    ups: tuple[Ups, Callable[[str], Awaitable[Reply]]],
) -> None:
    hosts, ask = ups
    await ask("up.test/good")
    hosts.dead = {f"up.test/{n}" for n in range(6)}
    for n in range(6):
        with pytest.raises(UnansweredError, match="HTTP 500"):
            await ask(f"up.test/{n}")
    assert (await ask("up.test/other")).found
    assert hosts.asked.count("up.test/good") == 4, "the witness, once for every two that fail"


async def test_a_host_that_no_longer_answers_is_left_alone_too(
    ups: tuple[Ups, Callable[[str], Awaitable[Reply]]],
) -> None:
    hosts, ask = ups
    await ask("up.test/good")
    hosts.dead = {"up.test"}
    for name in "ab":
        with pytest.raises(UnansweredError, match="HTTP 500"):
            await ask(f"up.test/{name}")
    assert hosts.asked.count("up.test/good") == 2
    # A second later the witness is asked, and then nothing for two.
    for name in "cd":
        with pytest.raises(UnansweredError, match=r"not asked, since .*500"):
            await ask(f"up.test/{name}")
    assert hosts.asked.count("up.test/good") == 3
    assert not {"up.test/c", "up.test/d"} & set(hosts.asked)


async def test_a_host_that_answers_again_is_asked_again(
    ups: tuple[Ups, Callable[[str], Awaitable[Reply]]],
) -> None:
    hosts, ask = ups
    await ask("up.test/good")
    hosts.dead = {"up.test"}
    for name in "ab":
        with pytest.raises(UnansweredError):
            await ask(f"up.test/{name}")
    hosts.dead = set()
    replies = await asyncio.gather(*(ask(f"up.test/{n}") for n in range(9)))
    assert all(reply.found for reply in replies)


@pytest.mark.parametrize("status", [400, 401, 403, 410, 418])
async def test_other_statuses_are_errors_at_once(status: int) -> None:
    handle, seen = replay(httpx.Response(status), good())
    with pytest.raises(RegistryError, match=f"HTTP {status}"):
        await put(handle)
    assert len(seen) == 1


async def test_a_wait_that_is_too_long_ends_it() -> None:
    handle, seen = replay(httpx.Response(429, headers={"Retry-After": "3600"}), good())
    with pytest.raises(RegistryError, match="HTTP 429"):
        await put(handle)
    assert len(seen) == 1


async def waits(answer: httpx.Response, patience: Patience, sleep: pytest.MonkeyPatch) -> float:
    """The wait, in seconds, that one bad answer leads to."""
    slept: list[float] = []

    async def no_sleep(seconds: float) -> None:
        slept.append(seconds)

    # The waits themselves are stamina's; only the clock is replaced.
    sleep.setattr(asyncio, "sleep", no_sleep)
    handle, _ = replay(answer, good())
    await put(handle, patience=patience)
    return slept[0]


async def test_retry_after_has_a_floor_and_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Patience(floor_s=0.5, jitter_s=0.25)
    zero = httpx.Response(429, headers={"Retry-After": "0"})
    two = httpx.Response(503, headers={"Retry-After": "2"})
    assert 0.5 <= await waits(zero, patience, monkeypatch) <= 0.75
    assert 2 <= await waits(two, patience, monkeypatch) <= 2.25


async def test_retry_after_may_be_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    date = format_datetime(utc_now() + timedelta(seconds=5), usegmt=True)
    answer = httpx.Response(429, headers={"Retry-After": date})
    assert 3 <= await waits(answer, Patience(jitter_s=0), monkeypatch) <= 5


async def test_an_unreadable_retry_after_means_the_usual_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = httpx.Response(429, headers={"Retry-After": "soon"})
    assert await waits(answer, Patience(initial_s=0.75, jitter_s=0), monkeypatch) == 0.75


async def test_credentials_are_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    handle, _ = replay(httpx.Response(500), httpx.Response(401))
    with pytest.raises(RegistryError) as caught:
        await put(handle, headers={"Authorization": "Bearer s3cret"})
    assert any(record.name == "stamina" for record in caplog.records)
    logged = "".join(repr(record.__dict__) for record in caplog.records)
    assert "s3cret" not in logged + str(caught.value)
