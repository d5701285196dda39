"""Several servers as one: shares, limits, failures, and samples that don't depend on any of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import stamina
from pydantic import BaseModel

from ghostbust.errors import EndpointError, RefusedError
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers import servers
from ghostbust.samplers.endpoint import EndpointSampler
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.servers import LONGEST_OUT_S, OUT_S, Health, at_once
from ghostbust.sections import EndpointEntry

ONCE = SamplingSettings()


def prompts(count: int) -> list[Prompt]:
    return [Prompt(f"p{n}", Context.HELPS, Ecosystem.PYPI, family="f") for n in range(count)]


@dataclass
class Fleet:
    """Mock servers by host name. Each answers with what it was asked and the seed."""

    says: dict[str, int] = field(default_factory=dict)
    """a host's status, where it isn't 200"""
    lists: str = "tiny"
    asked: Counter[str] = field(default_factory=Counter)
    """completions by host"""
    looked: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    """most requests under way at once, by host"""
    wait_s: float = 0.002

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        status = self.says.get(host, 200)
        if request.url.path.endswith("/models"):
            self.looked[host] += 1
            return httpx.Response(status, json={"data": [{"id": self.lists}]})
        self.asked[host] += 1
        self.busy[host] += 1
        self.most[host] = max(self.most[host], self.busy[host])
        await asyncio.sleep(self.wait_s)
        self.busy[host] -= 1
        body = json.loads(request.content)
        text = f"{body['messages'][0]['content']} {body['seed']}"
        return httpx.Response(status, json={"choices": [{"message": {"content": text}}]})


Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def sampler(answer: Answer, *endpoints: EndpointEntry, **options: Any) -> EndpointSampler:
    transport = httpx.MockTransport(answer)  # type: ignore[arg-type]  # may be a coroutine
    return EndpointSampler(endpoints, "tiny", transport=transport, **options)


def at(host: str, **options: Any) -> EndpointEntry:
    return EndpointEntry(url=f"http://{host}.example.test/v1", **options)


def hosts(counted: Counter[str]) -> dict[str, int]:
    return {host.partition(".")[0]: count for host, count in counted.items()}


def test_which_server_answers_does_not_matter() -> None:
    settings = SamplingSettings(samples_per_prompt=2, seed=7)
    one = {s.id for s in sampler(Fleet(), at("a")).sample(prompts(20), settings)}
    fleet = Fleet()
    three = {s.id for s in sampler(fleet, at("a"), at("b"), at("c")).sample(prompts(20), settings)}
    assert one == three
    assert len(fleet.asked) == 3


def test_shares_follow_the_weights() -> None:
    fleet = Fleet()
    asked = sampler(fleet, at("a", weight=3, concurrency=64), at("b", weight=1, concurrency=64))
    assert len(list(asked.sample(prompts(400), ONCE))) == 400
    share = fleet.asked["a.example.test"] / 400
    assert 0.7 < share < 0.8
    assert [state.answered for state in asked.health] == list(fleet.asked.values())


def test_without_weights_the_limits_are_the_shares() -> None:
    endpoints = (at("a", concurrency=2), at("b", concurrency=5))
    fleet = Fleet()
    list(sampler(fleet, *endpoints).sample(prompts(60), ONCE))
    assert hosts(fleet.most) == {"a": 2, "b": 5}
    assert at_once(endpoints) == 7
    assert at_once((at("a", weight=3, concurrency=6), at("b", weight=1, concurrency=6))) == 8
    assert at_once((at("a", weight=0.1, concurrency=1), at("b", weight=9, concurrency=1))) == 2


def test_a_rate_is_kept() -> None:
    """Ten requests at 50 a second take 0.18 s at least, wherever the clock stands."""
    begun = time.monotonic()
    list(sampler(Fleet(), at("a", per_s=50)).sample(prompts(10), ONCE))
    assert time.monotonic() - begun > 0.17


def test_a_server_that_fails_is_left_out_and_its_requests_go_elsewhere() -> None:
    fleet = Fleet({"b.example.test": 500})
    asked = sampler(fleet, at("a", concurrency=4), at("b", concurrency=4))
    assert len(list(asked.sample(prompts(40), ONCE))) == 40
    assert fleet.asked["b.example.test"] <= 4, "only what was under way"
    well, out = asked.health
    assert (well.failed, well.in_row) == (0, 0)
    assert out.in_row >= 1
    assert "answered 500" in out.said
    fleet.asked.clear()
    list(asked.sample(prompts(5), ONCE))  # left out in the next call, too
    assert hosts(fleet.asked) == {"a": 5}


def test_one_that_is_well_again_is_looked_at_first() -> None:
    fleet = Fleet({"b.example.test": 500}, lists="other")
    asked = sampler(fleet, at("a", concurrency=1), at("b", concurrency=1))
    list(asked.sample(prompts(6), ONCE))
    fleet.says.clear()
    asked.health[1].out_until = 0  # time has passed
    list(asked.sample(prompts(6), ONCE))
    assert fleet.looked["b.example.test"] == 1
    assert "has no model 'tiny'; it lists other" in asked.health[1].said
    fleet.lists = "tiny"
    asked.health[1].out_until = 0
    fleet.asked.clear()
    list(asked.sample(prompts(20), ONCE))
    assert fleet.asked["b.example.test"] > 3
    assert asked.health[1].in_row == 0


def test_a_wrong_request_is_nobodys_failure() -> None:
    fleet = Fleet({"a.example.test": 400, "b.example.test": 400})
    asked = sampler(fleet, at("a"), at("b"))
    with pytest.raises(RefusedError, match="answered 400"):
        list(asked.sample(prompts(1), ONCE))
    assert [state.failed for state in asked.health] == [0, 0]


def test_none_left_is_one_line_with_what_each_said() -> None:
    fleet = Fleet({"a.example.test": 503, "b.example.test": 404})
    asked = sampler(fleet, at("a"), at("b"))
    with pytest.raises(EndpointError, match="none of 2 model servers is left") as caught:
        list(asked.sample(prompts(3), ONCE))
    said = str(caught.value)
    assert "\n" not in said
    assert "a.example.test" in said
    assert "b.example.test" in said


def test_checking_leaves_out_who_does_not_answer() -> None:
    fleet = Fleet({"b.example.test": 500})
    asked = sampler(fleet, at("a"), at("b"))
    asked.check()
    assert [state.in_row for state in asked.health] == [0, 1]
    list(asked.sample(prompts(8), ONCE))
    assert hosts(fleet.asked) == {"a": 8}
    fleet.says["a.example.test"] = 500
    with pytest.raises(EndpointError, match=r"a\.example.*; .*b\.example"):
        asked.check()


def test_each_further_failure_leaves_out_longer() -> None:
    health = Health()
    outs = []
    for _ in range(9):
        health.fail("no", 100.0)
        outs.append(health.out_until - 100)
    assert outs[:3] == [OUT_S, 2 * OUT_S, 4 * OUT_S]
    assert outs[-1] == LONGEST_OUT_S
    health.recover()
    assert (health.in_row, health.out_until, health.failed) == (0, 0, 9)


def test_a_probe_returns_an_answer_or_an_error_for_each_prompt() -> None:
    fleet = Fleet()
    probes = sampler(fleet, at("a")).probe(prompts(3), ONCE)
    assert [probe.prompt.text for probe in probes] == ["p0", "p1", "p2"]
    assert all(probe.sample and probe.wall_s >= fleet.wait_s and not probe.said for probe in probes)
    fleet.says["a.example.test"] = 500
    (failed,) = sampler(fleet, at("a")).probe(prompts(1), ONCE)
    assert (failed.sample, "answered 500" in failed.said) == (None, True)
    assert fleet.asked["a.example.test"] == 4, "not asked again"


@pytest.mark.parametrize(
    ("served", "listed", "there"),
    [
        ("base:round-1", ["base", "round-1"], True),
        ("base:round-1", ["base"], False),
        ("base", ["base"], True),
        ("org/m:tag", ["org/m:tag"], True),
    ],
)
def test_sglang_lists_the_two_parts_of_a_name(served: str, listed: list[str], there: bool) -> None:
    assert sampler(Fleet(), at("a"), served_as=served).lists(listed) is there


KEY = "sk-made-up-key"


class Reply(BaseModel):
    """What the tests ask for."""

    number: int


GOOD = httpx.Response(200, json={"number": 7})


def ask(answer: Callable[[httpx.Request], httpx.Response]) -> Reply:
    async def main() -> Reply:
        async with httpx.AsyncClient(
            base_url="https://model.example.test/v1",
            transport=httpx.MockTransport(answer),
            headers={"Authorization": f"Bearer {KEY}"},
        ) as client:
            return await servers.request_json(client, "POST", "/completions", {}, Reply)

    with stamina.set_testing(True, attempts=3):  # no waits
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


def test_an_answer_that_quotes_the_key_is_redacted() -> None:
    with pytest.raises(EndpointError, match=r"bad key \*\*\*") as caught:
        ask(lambda _: httpx.Response(400, text=f"bad key {KEY}"))
    assert KEY not in str(caught.value)


def again(told: str | None) -> bool | float:
    """Whether a busy server with this Retry-After is asked again, or the wait in seconds."""
    request = httpx.Request("POST", "https://model.example.test/v1/completions")
    headers = {} if told is None else {"Retry-After": told}
    response = httpx.Response(429, headers=headers, request=request)
    return servers._again(httpx.HTTPStatusError("refused", request=request, response=response))


def test_retry_after_is_honoured_but_not_for_long() -> None:
    for told_s, least_s in ((0, servers.WAIT_FLOOR_S), (7, 7)):
        assert least_s <= again(str(told_s)) <= least_s + servers.WAIT_FLOOR_S
    assert again("3600") is False
    assert again("soon") is again(None) is True, "the usual wait"
