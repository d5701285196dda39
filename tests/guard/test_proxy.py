"""The pass-through, before a real server on the loopback."""

from __future__ import annotations

import json
import logging
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ghostbust import http
from ghostbust.errors import UsageError
from ghostbust.guard import proxy as proxy_module
from ghostbust.guard.proxy import GuardProxy, nearest_of
from ghostbust.guard.reading import Asked, Guard, Reading
from ghostbust.guard.relay import MOST_KEPT
from ghostbust.loop.ingest.formats import read_line
from ghostbust.loop.ingest.reading import MOST_TEXT
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.sections import GuardSection
from tests.guard.upstream import Upstream, event, serving, texts_of

INVENTS = ("Do:\n\n```sh\n", "pip ins", "tall zz-qu", "ux-sen", "sorlib\nec", "ho done\n``", "`\n")
WHOLE = "".join(INVENTS)
CHAT = {"model": "coder", "stream": True, "messages": [{"role": "user", "content": "Read it."}]}


def wait_for(what: Callable[[], bool]) -> bool:
    """Whether it comes true within seconds."""
    for _ in range(500):
        if what():
            return True
        time.sleep(0.01)
    return False


class Before:
    """A guard before the upstream; ``client`` asks it."""

    def __init__(self, url: str, made: GuardProxy, upstream: Upstream) -> None:
        self.client = http.Client(base_url=url, timeout=20)
        self.proxy, self.upstream = made, upstream

    def chat(self, **more: Any) -> http.Response:
        return self.client.post("/v1/chat/completions", json=CHAT | more)

    def is_counted(self, **wanted: object) -> bool:
        """Whether its health comes to say this; an answer is counted when the client has it."""
        return wait_for(lambda: wanted.items() <= self.client.get("/guard/health").json().items())


Stand = Callable[..., Before]


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(default_judge(Mode.SNAPSHOT))


@pytest.fixture
def stand(guard: Guard) -> Iterator[Stand]:
    """Stands a guard before a new upstream."""
    with ExitStack() as stack:

        def start(
            read: Callable[[Asked], Reading] = guard.read, path: str = "", **section: Any
        ) -> Before:
            upstream = Upstream()
            url = stack.enter_context(serving(upstream.app))
            settings = GuardSection.model_validate({"upstream": url + path, **section})
            made = GuardProxy(settings, read, nearest_of(guard))
            before = Before(stack.enter_context(serving(made.app)), made, upstream)
            stack.enter_context(before.client)
            return before

        yield start


def broken(asked: Asked) -> Reading:
    raise RuntimeError(f"a bug at {asked}")


class FailingReading(Reading):
    """Reads one line, and fails at the next."""

    calls = 0

    def first(self, *args: Any, **options: Any) -> None:
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("a bug")


def test_an_answer_without_packages_passes_chunk_for_chunk(stand: Stand) -> None:
    before = stand()
    usage = b'data: {"id":"c-1","choices":[],"usage":{"total_tokens":9}}\r\n\r\n'
    before.upstream.chunks = [
        b": ping\n\n", event("", role=1), event("Hello, it's "), event("a \nfew "),
        event("```py\nprint('x')\n", logprobs=[1]), event("```\nlines"), event("", end="stop"),
        usage, b"data: [DONE]\n\n",
    ]  # fmt: skip
    whole = b"".join(before.upstream.chunks)
    assert before.chat().content == whole
    # However the bytes are cut.
    before.upstream.chunks = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    assert before.chat().content == whole
    assert before.is_counted(state="ok", answers=2, inventions=0, errors=0)


@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_other_paths_pass_byte_for_byte(stand: Stand, path: str) -> None:
    before = stand(path=path)
    before.upstream.headers = {"content-type": "x/y", "x-own": "1", "content-encoding": "br"}
    before.upstream.chunks = [b"\x00\xff", b"zz-quux-sensorlib"]
    before.upstream.status = 418
    sent = {"authorization": "Bearer s3cret", "accept-encoding": "br", "user-agent": "me"}
    with before.client.stream("PUT", "/v1/x%2Fy?a=b%20c", content=b"\x01", headers=sent) as got:
        assert b"".join(got.iter_raw()) == b"\x00\xffzz-quux-sensorlib"
    assert (got.status_code, got.headers["x-own"]) == (418, "1")
    method, place, headers, body = before.upstream.asked[0]
    assert (method, place, body) == ("PUT", "/v1/x%2Fy?a=b%20c", b"\x01")
    assert sent.items() <= headers.items()
    assert headers["host"] in str(before.proxy._upstream)


def test_a_streamed_line_is_replaced(stand: Stand) -> None:
    before = stand()
    before.upstream.says(*INVENTS)
    got = before.chat()
    said = texts_of(got.content)[0]
    note = "# ghostbust: zz-quux-sensorlib is not on PyPI"
    assert said.startswith(f"Do:\n\n```sh\n{note}")
    assert said.endswith("\necho done\n```\n")
    assert got.content.endswith(b"data: [DONE]\n\n")
    assert b'"finish_reason": "stop"' in got.content
    assert before.is_counted(answers=1, inventions=1)


def test_a_streamed_line_is_annotated(stand: Stand) -> None:
    before = stand(action="annotate")
    before.upstream.says(*INVENTS)
    said = texts_of(before.chat().content)[0]
    line = "pip install zz-quux-sensorlib  # ghostbust: zz-quux-sensorlib is not on PyPI"
    assert said.startswith(f"Do:\n\n```sh\n{line}")


def test_a_stream_stops_and_the_server_with_it(stand: Stand) -> None:
    before = stand(action="stop")
    before.upstream.says(*INVENTS)
    before.upstream.chunks = before.upstream.chunks[:-2]
    before.upstream.stays = True
    content = before.chat().content
    assert texts_of(content)[0].startswith("Do:\n\n```sh\n# ghostbust: zz-quux-sensorlib")
    assert texts_of(content)[0].endswith("```\n")
    *_, last, done, end = content.split(b"\n\n")
    assert json.loads(last[6:])["choices"][0]["finish_reason"] == "stop"
    assert (done, end) == (b"data: [DONE]", b"")
    assert before.upstream.left.wait(5)


def test_usage_comes_though_an_answer_stopped(stand: Stand) -> None:
    before = stand(action="stop")
    usage = b'data: {"id":"c-1","choices":[],"usage":{"total_tokens":9}}\n\n'
    before.upstream.says(*INVENTS)
    before.upstream.chunks = [*before.upstream.chunks[:-1], usage, b"data: [DONE]\n\n"]
    content = before.chat(stream_options={"include_usage": True}).content
    assert content.endswith(usage + b"data: [DONE]\n\n")
    assert content.count(b'"finish_reason": "stop"') == 1


def test_choices_are_read_each_by_itself(stand: Stand) -> None:
    before = stand(action="stop")
    fine = "pip install requests\nimport os\n"
    both = zip(INVENTS, ["pip ", "install ", "requests", "\n", "import os\n", "", ""], strict=True)
    before.upstream.chunks = [
        *(part for a, b in both for part in (event(a, index=0), event(b, index=1))),
        event("", index=0, end="stop"), event("", index=1, end="stop"), b"data: [DONE]\n\n",
    ]  # fmt: skip
    found = texts_of(before.chat(n=2).content)
    assert found[1] == fine
    assert "ghostbust" in found[0]
    assert before.is_counted(answers=2, inventions=1)


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "text"])
@pytest.mark.parametrize("action", ["annotate", "replace", "stop"])
def test_a_whole_answer_is_read(stand: Stand, action: str, chat: bool) -> None:
    before = stand(action=action)
    before.upstream.headers = {"content-type": "application/json"}
    said: dict[str, Any] = {"message": {"role": "assistant", "content": WHOLE}}
    said = said if chat else {"text": WHOLE}
    fine = {"message": {"content": "Hi"}} if chat else {"text": "Hi"}
    reply = {
        "id": "c-1", "usage": {"total_tokens": 9}, "choices": [
            {"index": 0, "finish_reason": "length", "logprobs": {"content": [1]}, **said},
            {"index": 1, "finish_reason": "length", "logprobs": {"content": [2]}, **fine},
        ],
    }  # fmt: skip
    before.upstream.chunks = [json.dumps(reply).encode()]
    path = "/v1/chat/completions" if chat else "/v1/completions"
    got = before.client.post(path, json=CHAT | {"n": 2, "prompt": "Read it."}).json()
    first, second = got["choices"]
    assert second == reply["choices"][1]  # type: ignore[index]
    assert got["usage"] == reply["usage"]
    text = first["message"]["content"] if chat else first["text"]
    assert "ghostbust: zz-quux-sensorlib is not on PyPI" in text
    assert ("pip install" in text) == (action == "annotate")
    assert ("echo done" in text) == (action != "stop")
    assert first["finish_reason"] == ("stop" if action == "stop" else "length")
    assert (first["logprobs"] is None) == (action != "annotate")


def test_a_list_is_read_where_one_is_asked_for(stand: Stand) -> None:
    before = stand()
    before.upstream.says("- requests\n- zz-quux-sensorlib\n")
    asked = {"role": "user", "content": [{"type": "text", "text": "List Python packages for it."}]}
    assert "[ghostbust: zz" in texts_of(before.chat(messages=[asked]).content)[0]
    assert texts_of(before.chat().content)[0] == "- requests\n- zz-quux-sensorlib\n"


def test_what_a_client_gets_of_a_broken_server(stand: Stand) -> None:
    before = stand()
    before.upstream.says(*INVENTS)
    before.upstream.chunks = [*before.upstream.chunks[:5], event("pip install zz-quux-")]
    before.upstream.dies = True
    content = before.chat().content
    error = json.loads(content.split(b"\n\n")[-2][6:])["error"]
    assert error["type"] == "upstream_error"
    assert "pip install zz-quux-sensorlib" not in texts_of(content)[0]
    assert b"DONE" not in content
    # Nobody is there at all.
    made = GuardProxy(GuardSection(upstream="http://127.0.0.1:9"), broken, lambda _: ())
    with serving(made.app) as url, http.Client(base_url=url) as client:
        got = client.post("/v1/chat/completions", json=CHAT)
    assert (got.status_code, got.json()["error"]["type"]) == (502, "upstream_error")


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_ends_the_request(stand: Stand, streamed: bool) -> None:
    before = stand()
    before.upstream.stays = True
    before.upstream.chunks = [event("Hello\n")] if streamed else [b'{"choices": [']
    if not streamed:
        before.upstream.headers = {"content-type": "application/json"}
    try:
        with before.client.stream("POST", "/v1/chat/completions", json=CHAT, timeout=1) as got:
            for _ in got.iter_raw():
                break
    except http.TimeoutException:
        assert not streamed
    assert before.upstream.left.wait(5)


def test_an_error_of_the_guard_fails_open(
    stand: Stand, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    for read in (broken, lambda asked: FailingReading(guard, asked)):
        before = stand(read)
        before.upstream.says(*INVENTS)
        with caplog.at_level(logging.ERROR):
            assert before.chat().content == b"".join(before.upstream.chunks)
        assert before.is_counted(state="failing open", errors=1)
        before.upstream.headers = {"content-type": "application/json"}
        before.upstream.chunks = [
            json.dumps({"choices": [{"message": {"content": WHOLE}}]}).encode()
        ]
        if read is broken:
            assert before.chat().content == before.upstream.chunks[0]
    assert "ALARM" in caplog.text
    assert "Read it" not in caplog.text  # the prompt, which the error quotes


def test_an_error_of_the_guard_fails_closed(stand: Stand, guard: Guard) -> None:
    before = stand(lambda asked: FailingReading(guard, asked), on_error="closed")
    before.upstream.says("Hello\n", *INVENTS)
    content = before.chat().content
    assert texts_of(content) == {0: "Hello\n"}
    assert json.loads(content.split(b"\n\n")[-2][6:])["error"]["type"] == "guard_error"
    assert before.client.get("/guard/health").status_code == 503
    before.upstream.headers = {"content-type": "application/json"}
    before.upstream.chunks = [b"no JSON"]
    assert before.chat().status_code == 503
    # What the guard doesn't read passes, and one good answer ends the alarm.
    before.upstream.chunks = [json.dumps({"choices": [{"message": {"content": "Hi"}}]}).encode()]
    assert before.chat().status_code == 200
    assert before.is_counted(state="ok")


@pytest.mark.parametrize("on_error", ["open", "closed"])
def test_answers_beyond_the_limits(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, on_error: str
) -> None:
    before = stand(on_error=on_error)
    monkeypatch.setattr(http, "MAX_BYTES", 1000)
    monkeypatch.setattr(proxy_module, "MAX_REQUEST", 500)
    before.upstream.headers = {"content-type": "application/json"}
    before.upstream.chunks = [b"x" * 700, b"y" * 700, b"z"]
    got = before.chat()
    whole = b"".join(before.upstream.chunks)
    assert (got.content == whole) if on_error == "open" else (got.status_code == 503)
    before.upstream.headers["content-encoding"] = "br"
    with before.client.stream("POST", "/v1/chat/completions", json=CHAT) as packed:
        raw = b"".join(packed.iter_raw())
    assert (raw == whole) if on_error == "open" else (packed.status_code == 503)
    assert before.chat(user="x" * 500).status_code == 413


def test_ingest_reads_the_log(stand: Stand, tmp_path: Path) -> None:
    path = tmp_path / "guard.jsonl"
    before = stand(log=path)
    before.upstream.says(*INVENTS)
    system = {"role": "system", "content": "Be brief."}
    before.client.post(
        "/v1/chat/completions", headers={"authorization": "Bearer s3cret"},
        json=CHAT | {"messages": [system, *CHAT["messages"]], "user": "ann"},  # type: ignore[misc]
    )  # fmt: skip
    assert wait_for(path.is_file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    line = path.read_bytes()
    (one,) = read_line(line)
    assert (one.text, one.prompt, one.system) == (WHOLE, "Read it.", "Be brief.")
    assert (one.model, one.key, one.truncated) == ("coder", "c-1", False)
    assert b"s3cret" not in line
    assert b"ann" not in line
    assert MOST_KEPT <= MOST_TEXT
    # A log that can't be written takes no answer away.
    path.unlink()
    path.mkdir()
    assert before.chat().status_code == 200


def test_what_is_no_address_is_no_upstream(guard: Guard) -> None:
    for wrong in ("", "localhost:8000", "http://user:pw@127.0.0.1/"):
        with pytest.raises(UsageError):
            GuardProxy(GuardSection(upstream=wrong), guard.read, lambda _: ())
