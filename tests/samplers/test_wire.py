"""One JSON question: what is asked again, what ends it, and what the line says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
import stamina
from pydantic import BaseModel

from ghostbust.errors import EndpointError
from ghostbust.samplers import servers

KEY = "sk-made-up-key"


class Reply(BaseModel):
    """What the tests ask for."""

    number: int


GOOD = httpx.Response(200, json={"number": 7})


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def ask(answer: Callable[[httpx.Request], httpx.Response]) -> Reply:
    async def main() -> Reply:
        async with httpx.AsyncClient(
            base_url="https://model.example.test/v1",
            transport=httpx.MockTransport(answer),
            headers={"Authorization": f"Bearer {KEY}"},
        ) as client:
            return await servers.request_json(client, "POST", "/completions", {}, Reply)

    return asyncio.run(main())


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_passing_troubles_are_asked_again(status: int) -> None:
    answers = iter([httpx.Response(status), httpx.Response(status), GOOD])
    assert ask(lambda _: next(answers)).number == 7


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("slow"), httpx.ReadError("gone"), httpx.ConnectError("refused")]
)
def test_lost_connections_are_asked_again(error: httpx.TransportError) -> None:
    tries: list[int] = []

    def answer(_: httpx.Request) -> httpx.Response:
        tries.append(1)
        if len(tries) < 3:
            raise error
        return GOOD

    assert ask(answer).number == 7


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(400, json={"error": {"message": "top_k is unknown"}}), "top_k is unknown"),
        (httpx.Response(401, text="no"), "doesn't accept the API key"),
        (httpx.Response(403, text="no"), "doesn't accept the API key"),
        (httpx.Response(404), "wrong base URL"),
        (httpx.Response(301, headers={"Location": "https://x.example.test"}), "answered 301"),
        (httpx.Response(200, text="<html>"), "Invalid JSON"),
        (httpx.Response(200, content=b"\xff\xfe"), "isn't usable"),
        (httpx.Response(200, json={"error": "none"}), "number: Field required"),
    ],
)
def test_what_will_not_get_better_is_asked_once(response: httpx.Response, said: str) -> None:
    tries: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        return response

    with pytest.raises(EndpointError, match=said) as caught:
        ask(answer)
    assert len(tries) == 1
    assert "\n" not in str(caught.value)


def test_the_attempts_end(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EndpointError, match="answered 500: out of memory"):
        ask(lambda _: httpx.Response(500, text="out of\nmemory"))
    assert KEY not in caplog.text


def test_timeouts_and_refusals_are_told_apart() -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    def refused(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(EndpointError, match="didn't answer in time"):
        ask(slow)
    with pytest.raises(EndpointError, match=r"can't reach model\.example\.test/v1/completions"):
        ask(refused)


def test_an_answer_that_quotes_the_key_is_redacted() -> None:
    with pytest.raises(EndpointError, match=r"bad key \*\*\*") as caught:
        ask(lambda _: httpx.Response(400, text=f"bad key {KEY}"))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "least_s", "most_s"),
    [
        ("0", servers.WAIT_FLOOR_S, 2 * servers.WAIT_FLOOR_S),
        ("7", 7, 7 + servers.WAIT_FLOOR_S),
    ],
)
def test_retry_after_is_honoured(told: str, least_s: float, most_s: float) -> None:
    wait_s = servers._again(_status_error({"Retry-After": told}))
    assert not isinstance(wait_s, bool)
    assert least_s <= wait_s <= most_s


def test_retry_after_may_be_a_date() -> None:
    then = datetime.now(UTC) + timedelta(seconds=30)
    wait_s = servers._again(_status_error({"Retry-After": format_datetime(then, usegmt=True)}))
    assert 20 <= wait_s <= 31 + servers.WAIT_FLOOR_S


def test_a_very_long_retry_after_is_not_waited_for() -> None:
    assert servers._again(_status_error({"Retry-After": "3600"})) is False


@pytest.mark.parametrize(
    "told", ["soon", "", "Mon, 01 Jan 2035 00:00:00 +99999999999999", f"Mon, 01 Jan {9**40}"]
)
def test_an_unreadable_retry_after_means_the_usual_wait(told: str) -> None:
    """Zones and years of many digits ended the run with an OverflowError (1708091)."""
    assert servers._again(_status_error({"Retry-After": told})) is True
    assert servers._again(_status_error({})) is True


def _status_error(headers: dict[str, str]) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "https://model.example.test/v1/completions")
    response = httpx.Response(429, headers=headers, request=request)
    return httpx.HTTPStatusError("refused", request=request, response=response)
