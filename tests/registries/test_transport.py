"""One question: what is asked again, what isn't, and how long the waits are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import utc_now
from ghostbust.registries.transport import USER_AGENT, Patience, Reply, ask

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
) -> Reply:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        return await ask(
            client, URL, accept=KIND, content_types=(KIND,), headers=headers or {},
            patience=patience,
        )  # fmt: skip


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
