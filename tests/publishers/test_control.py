"""Addresses, secrets, and what a server says."""

from __future__ import annotations

import httpx
import pytest

from ghostbust.errors import EndpointError, UsageError
from ghostbust.publishers.control import Control, ServerReply


def control(reply: httpx.Response, url: str = "http://gpu.example.test:8000/v1") -> Control:
    return Control(url, transport=httpx.MockTransport(lambda _: reply))


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://gpu.example.test:8000", "http://gpu.example.test:8000/x"),
        ("http://gpu.example.test:8000/v1/", "http://gpu.example.test:8000/x"),
        ("https://gate.example.test/llm/v1", "https://gate.example.test/llm/x"),
    ],
)
def test_control_endpoints_lie_below_the_root(address: str, asked: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={})

    made = Control(address, transport=httpx.MockTransport(answer))
    made.get("/x")
    assert seen == [asked]
    assert made.api_url == asked.removesuffix("x") + "v1"
    with pytest.raises(UsageError, match=r"publish\.replicas: an address must start with http"):
        Control("gpu:8000")


def test_secrets_come_from_the_environment_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={})

    made = Control(
        "http://gpu.example.test",
        api_key_env="MY_KEY",
        headers=["X-Admin=ADMIN_TOKEN"],
        transport=httpx.MockTransport(answer),
    )
    monkeypatch.setenv("MY_KEY", "one\n")
    with pytest.raises(UsageError, match=r"\$ADMIN_TOKEN isn't set"):
        made.get("/x")
    monkeypatch.setenv("ADMIN_TOKEN", "two")
    made.get("/x")
    assert (seen[0]["Authorization"], seen[0]["X-Admin"]) == ("Bearer one", "two")
    assert "one" not in repr(vars(made))
    made = Control("http://gpu.example.test", headers=["X-Admin: secret"])
    with pytest.raises(UsageError, match="NAME=VARIABLE"):
        made.get("/x")


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503, 504])
def test_what_says_nothing_of_the_adapter_is_unreachable(status: int) -> None:
    with pytest.raises(EndpointError, match=str(status)):
        control(httpx.Response(status, text="no")).get("/x")


def test_what_a_server_says_is_one_short_line() -> None:
    told = {"error": {"message": "line\none " + "x" * 500}}
    said = control(httpx.Response(500, json=told)).get("/x").said
    assert said.startswith("500: line one xxx")
    assert len(said) < 300
    assert ServerReply(400, {"success": False, "error_message": "too many"}).said == "400: too many"
    assert ServerReply(404, "gone").said == "404: gone"


def test_a_list_of_models_that_is_none() -> None:
    for reply in (httpx.Response(200, text="hello"), httpx.Response(200, json={"data": 3})):
        with pytest.raises(EndpointError, match="unexpected answer"):
            control(reply).models()
