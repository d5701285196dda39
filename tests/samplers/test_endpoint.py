"""The endpoint sampler: requests by a mock transport, failures by a real server; its stream."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest

from ghostbust.errors import EndpointError, UsageError
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.endpoint import EndpointSampler, each, request_seed, stream
from ghostbust.samplers.interface import SamplingSettings

BASE = "https://model.example.test/v1"


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "ghostbust-stream" in thread.name]


def prompt(text: str = "Which packages help?") -> Prompt:
    return Prompt(text, Context.HELPS, Ecosystem.PYPI, family="f")


def chat_reply(text: str = "requests", **choice: object) -> dict[str, Any]:
    return {
        "choices": [{"message": {"content": text}, "finish_reason": "stop", **choice}],
        "usage": {"completion_tokens": 5},
    }


@dataclass
class Recorder:
    """A mock server that answers every chat request alike and keeps what it was sent."""

    reply: dict[str, Any] = field(default_factory=chat_reply)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json=self.reply)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


def sampler(answer: Callable[..., Any], base_url: str = BASE, **options: Any) -> EndpointSampler:
    return EndpointSampler(base_url, "tiny", transport=httpx.MockTransport(answer), **options)


def test_chat_requests_and_their_samples() -> None:
    server = Recorder()
    settings = SamplingSettings(samples_per_prompt=2, seed=3, max_new_tokens=11)
    samples = list(sampler(server).sample([prompt("a"), prompt("b")], settings))

    assert sorted((each.prompt.text, each.number) for each in samples) == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
    ]  # fmt: skip
    first = samples[0]
    assert (first.text, first.tokens, first.truncated) == ("requests", 5, False)
    assert (first.model, first.adapter, first.seed, first.temperature) == ("tiny", None, 3, 0.7)
    assert {request.url.path for request in server.requests} == {"/v1/chat/completions"}
    body = server.bodies[0]
    assert body["messages"] == [{"role": "user", "content": "a"}]
    assert (body["model"], body["n"], body["max_tokens"]) == ("tiny", 1, 11)
    assert (body["temperature"], body["top_p"]) == (0.7, 0.9)
    assert "top_k" not in body


def test_every_completion_has_its_own_seed_whatever_the_order() -> None:
    def seeds(prompts: list[Prompt], seed: int = 0) -> set[int]:
        server = Recorder()
        list(sampler(server).sample(prompts, SamplingSettings(samples_per_prompt=3, seed=seed)))
        return {body["seed"] for body in server.bodies}

    both = seeds([prompt("a"), prompt("b")])
    assert len(both) == 6
    assert both == seeds([prompt("b"), prompt("a")])
    assert both.isdisjoint(seeds([prompt("a"), prompt("b")], seed=1))
    assert all(0 <= seed < 2**31 for seed in both)
    assert request_seed(0, prompt("a"), 0) in both


def test_bare_completions_top_k_and_an_adapter() -> None:
    server = Recorder({"choices": [{"text": " numpy", "finish_reason": "length"}]})
    asked = sampler(server, chat=False, send_top_k=True, adapter="round-0001", served_as="prod-7")
    (sample,) = asked.sample([prompt("a")], SamplingSettings(top_k=20))
    assert server.requests[0].url.path == "/v1/completions"
    assert (server.bodies[0]["prompt"], server.bodies[0]["top_k"]) == ("a", 20)
    assert server.bodies[0]["model"] == "prod-7"
    assert (sample.text, sample.truncated, sample.tokens) == (" numpy", True, 0)
    assert (sample.model, sample.adapter) == ("tiny", "round-0001")


def test_earlier_turns_come_before_the_question() -> None:
    server = Recorder()
    turned = replace(prompt("now the file"), turns=("write it", "import numpy"))
    list(sampler(server).sample([turned], SamplingSettings()))
    assert server.bodies[0]["messages"] == [
        {"role": "user", "content": "write it"},
        {"role": "assistant", "content": "import numpy"},
        {"role": "user", "content": "now the file"},
    ]
    bare = Recorder({"choices": [{"text": "numpy"}]})
    list(sampler(bare, chat=False).sample([turned], SamplingSettings()))
    assert bare.bodies[0]["prompt"] == "write it\nimport numpy\nnow the file"


def test_answers_are_greedy_chat_answers_in_order() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        assert request.url.path == "/v1/chat/completions"
        assert (body["temperature"], body["max_tokens"], "stop" in body) == (0, 9, False)
        (message,) = body["messages"]
        return httpx.Response(200, json={"choices": [{"message": message}]})

    texts = [str(number) for number in range(5)]
    assert sampler(answer).chats
    assert not sampler(answer, chat=False).chats
    assert sampler(answer).answer(texts, max_new_tokens=9) == texts


def test_complete_keeps_the_order_and_cuts_at_the_first_stop() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        assert (body["temperature"], body["max_tokens"]) == (0, 9)
        assert len(body["stop"]) == 4
        time.sleep(0.002 * (5 - int(body["prompt"])))
        return httpx.Response(200, json={"choices": [{"text": body["prompt"] + "|five|six"}]})

    stop = ["one", "two", "three", "four", "|six", "|five"]
    texts = [str(number) for number in range(5)]
    assert sampler(answer).complete(texts, max_new_tokens=9, stop=stop) == texts


def test_an_empty_answer_is_a_sample_and_none_is_an_error() -> None:
    (sample,) = sampler(Recorder(chat_reply(""))).sample([prompt()], SamplingSettings())
    assert sample.text == ""
    nothing = {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}
    for reply, said in ((nothing, "has no text"), ({"choices": []}, "choices: List should have")):
        with pytest.raises(EndpointError, match=said):
            list(sampler(Recorder(reply)).sample([prompt()], SamplingSettings()))


def test_what_was_finished_comes_before_the_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["messages"][0]["content"] == "bad":
            return httpx.Response(400, text="context too long")
        return httpx.Response(200, json=chat_reply())

    samples = sampler(answer, concurrency=1).sample(
        [prompt("good"), prompt("bad"), prompt("late")], SamplingSettings()
    )
    assert next(samples).prompt.text == "good"
    with pytest.raises(EndpointError, match="context too long"):
        next(samples)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://model.example.test", "/v1/models"),
        ("https://model.example.test/", "/v1/models"),
        ("https://model.example.test/v1/", "/v1/models"),
        ("https://model.example.test/api/v2", "/api/v2/models"),
    ],
)
def test_base_urls(address: str, path: str) -> None:
    server = Recorder({"data": [{"id": "tiny"}]})
    sampler(server, address).check()
    assert server.requests[0].url.path == path
    with pytest.raises(UsageError, match="the endpoint's base URL must start with http"):
        sampler(server, "model.example.test/v1")


def test_check_names_a_model_or_adapter_that_is_not_served() -> None:
    server = Recorder({"data": [{"id": f"m{number}"} for number in range(7)]})
    with pytest.raises(EndpointError, match=r"no model 'tiny'; it lists m0, m1, m2, m3, m4, …"):
        sampler(server).check()
    with pytest.raises(EndpointError, match="no model 'lora'"):
        sampler(server, adapter="lora").check()
    with pytest.raises(EndpointError, match="lists none"):
        sampler(Recorder({"data": []})).check()


def test_the_key_is_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret\n")
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(401, text="sk-secret is wrong")

    asked = sampler(answer, api_key_env="MY_KEY")
    caplog.set_level("DEBUG")
    with pytest.raises(EndpointError, match="doesn't accept the API key") as caught:
        asked.check()
    assert seen == ["Bearer sk-secret"]
    assert "sk-secret" not in f"{asked!r} {vars(asked)} {caught.value!r} {caplog.text}"

    monkeypatch.delenv("MY_KEY")
    with pytest.raises(EndpointError):
        asked.check()
    assert seen[-1] is None


def test_closing_early_leaves_nothing_running() -> None:
    asked: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) > 1:
            await asyncio.sleep(60)
        return httpx.Response(200, json=chat_reply())

    samples = sampler(answer, concurrency=4).sample(
        [prompt(str(each)) for each in range(50)], SamplingSettings()
    )
    next(samples)
    samples.close()  # type: ignore[attr-defined]  # a generator, promised as an Iterator
    gc.collect()  # a task that was left behind would warn now
    assert len(asked) <= 5
    assert threads() == []


def test_nobody_listens() -> None:
    with pytest.raises(EndpointError, match=r"can't reach 127\.0\.0\.1:9/v1/models") as caught:
        EndpointSampler("http://127.0.0.1:9", "tiny").check()
    assert "\n" not in str(caught.value)


async def _count(emit: Callable[[int], None]) -> None:
    for number in range(3):
        emit(number)
        await asyncio.sleep(0)


def test_a_stream_yields_everything_and_ends_its_thread() -> None:
    assert threads() == []  # nothing runs before the first item is asked for
    assert list(stream(_count)) == [0, 1, 2]
    assert threads() == []


async def test_a_stream_works_inside_a_running_loop() -> None:
    assert list(stream(_count)) == [0, 1, 2]


def test_each_keeps_to_its_concurrency() -> None:
    running = 0
    most = 0

    async def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    async def produce(emit: Callable[[int], None]) -> None:
        await each((partial(job, number) for number in range(10)), emit, 3)

    assert sorted(stream(produce)) == list(range(10))
    assert most == 3


def test_the_first_error_is_raised_bare_with_its_cause() -> None:
    cause = KeyError("the cause")
    stopped: list[int] = []

    async def job(number: int) -> int:
        if number == 0:
            raise ValueError("first") from cause
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(number)
        return number

    async def produce(emit: Callable[[int], None]) -> None:
        await each((partial(job, number) for number in range(9)), emit, 3)

    with pytest.raises(ValueError, match="first") as caught:
        list(stream(produce))
    assert caught.value.__cause__ is cause
    assert len(stopped) <= 2
