"""Each log format gives its completions; anything else is a stated error."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostbust.loop.ingest.completions import (
    MOST_LABEL,
    AskedPrompt,
    Completion,
    MalformedError,
    UnknownFormatError,
    answer_of,
    asked_in,
    label,
    time_of,
)
from ghostbust.loop.ingest.formats import FORMATS, read_line, read_record, records_in

ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Plot it in Python."},
]
SAID = {"role": "assistant", "content": "pip install zz-plot"}
CHAT = {"id": "c1", "model": "acme-1", "choices": [{"message": SAID, "finish_reason": "stop"}]}
WHOLE = Completion(
    "pip install zz-plot", "Plot it in Python.", system="Be brief.", model="acme-1", key="c1"
)

LOGS = Path(__file__).parents[2] / "assets" / "logs"
"""a few lines of each form as it is documented"""
START = datetime.fromtimestamp(1_790_000_000, UTC)
LATER = START + timedelta(milliseconds=250)
TYPED = "```\npip install zz-plot\n```"
"""an install in the arguments of a tool call"""


def sample(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LOGS / f"{name}.jsonl").read_text().splitlines()]


def logged(key: str, **changed: Any) -> list[Completion]:
    fields: dict[str, Any] = {"system": "", "at": START, "key": key} | changed
    return [replace(WHOLE, **fields)]


EXAMPLES: dict[str, list[tuple[dict[str, Any], list[Completion]]]] = {
    "otlp": list(
        zip(
            sample("otlp"),
            (
                logged("c1", system="Be brief."),
                logged("eee19b7ec3c1b172", text=TYPED, truncated=True),
                logged("eee19b7ec3c1b173"),
                logged(
                    "eee19b7ec3c1b174",
                    text="pip install zz-plot\n\n```\nnpm install zz-plot\n```",
                    system="Be brief.",
                    model=None,
                ),
                logged("eee19b7ec3c1b175"),
                logged("eee19b7ec3c1b176", truncated=True),
                logged("eee19b7ec3c1b177"),
                logged("eee19b7ec3c1b178"),
                logged("eee19b7ec3c1b179", system="Be brief."),
            ),
            strict=True,
        )
    ),
    "litellm": list(
        zip(
            sample("litellm"),
            (
                logged("chatcmpl-1", system="Be brief.", at=LATER, truncated=True),
                logged("cmpl-2", at=LATER),
                logged(
                    "resp-3", at=LATER, text="pip install zz-plot\n\n```\nnpm install zz-plot\n```"
                ),
                [],
                [],
                [],
            ),
            strict=True,
        )
    ),
    "langfuse": list(
        zip(
            sample("langfuse"),
            (
                logged("o1", system="Be brief.", at=LATER),
                logged("o2", at=LATER, text=TYPED),
                logged("o3", at=LATER),
                [],
                [],
            ),
            strict=True,
        )
    ),
    "openai-batch": [
        (
            {"id": "b1", "custom_id": "r1", "response": {"status_code": 200, "body": CHAT}},
            [Completion("pip install zz-plot", None, model="acme-1", key="c1")],
        ),
        ({"custom_id": "r1", "body": {"messages": ASKED}, "response": {"body": CHAT}}, [WHOLE]),
        ({"id": "b1", "custom_id": "r1", "response": None, "error": {"code": "expired"}}, []),
        (
            {
                "custom_id": "r1",
                "response": {"status_code": 400, "body": {"error": {"message": "no"}}},
            },
            [],
        ),
    ],
    "openai-log": [
        ({"request": {"messages": ASKED}, "response": CHAT}, [WHOLE]),
        ({"messages": ASKED, "response": CHAT}, [WHOLE]),
        (CHAT, [Completion("pip install zz-plot", None, model="acme-1", key="c1")]),
        (
            {
                "request": {"prompt": "import ", "model": "acme-2"},
                "response": {
                    "created": 1_790_000_000,
                    "choices": [
                        {"text": "zz_a", "finish_reason": "length"},
                        {"text": "zz_b", "finish_reason": "stop"},
                    ],
                },
            },
            [
                Completion(
                    text,
                    "import ",
                    model="acme-2",
                    number=number,
                    truncated=not number,
                    at=datetime.fromtimestamp(1_790_000_000, UTC),
                )
                for number, text in enumerate(("zz_a", "zz_b"))
            ],
        ),
        ({"request": {"messages": ASKED}, "response": {"error": {"message": "overloaded"}}}, []),
    ],
    "conversation": [
        ({"messages": [*ASKED, SAID], "model": "acme-1", "id": "c1"}, [WHOLE]),
        ({"messages": ASKED}, []),
    ],
    "plain": [
        (
            {
                "completion": "import zz",
                "prompt": "Go on.",
                "adapter": "round-1",
                "id": 7,
                "time": "2026-11-28T10:00:00+01:00",
            },
            [
                Completion(
                    "import zz",
                    "Go on.",
                    adapter="round-1",
                    key="7",
                    at=datetime(2026, 11, 28, 9, tzinfo=UTC),
                )
            ],
        ),
        ({"response": "import zz"}, [Completion("import zz", None)]),
        ({"output": ["a", "b"]}, [Completion("a", None), Completion("b", None, number=1)]),
        (
            {"text": "x", "messages": ASKED},
            [Completion("x", "Plot it in Python.", system="Be brief.")],
        ),
        ({"completion": ""}, [Completion("", None)]),
    ],
}


def spans(**attributes: Any) -> dict[str, Any]:
    pairs = [{"key": f"gen_ai.{k}.messages", "value": v} for k, v in attributes.items()]
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": pairs}]}]}]}


DEEP: dict[str, Any] = {"stringValue": "x"}
for _ in range(40):
    DEEP = {"arrayValue": {"values": [DEEP]}}

LITELLM = {"call_type": "completion", "hidden_params": {}}
LANGFUSE = {"type": "GENERATION", "trace_id": "t"}

WRONG: dict[str, list[dict[str, Any]]] = {
    "otlp": [
        {"resourceSpans": [7]},
        {"resourceLogs": [{"scopeLogs": "a"}]},
        spans(output={"stringValue": '[{"role": "assistant", "pa'}),
        spans(output={"stringValue": "7"}),
        spans(output="bare"),
        spans(output=DEEP),
    ],
    "litellm": [
        LITELLM | {"response": 7},
        LITELLM | {"response": {"choices": 7}},
        LITELLM | {"response": {"data": []}},
        LITELLM | {"response": "a", "messages": 7},
    ],
    "langfuse": [
        LANGFUSE | {"output": 7},
        LANGFUSE | {"output": "[1]"},
        LANGFUSE | {"output": "a", "input": 7},
    ],
    "openai-batch": [{"custom_id": "r", "response": {"body": {"choices": 3}}}],
    "openai-log": [
        {"response": {"choices": ["a"]}},
        {"choices": [{"text": 7}]},
        {"choices": [{"delta": {"content": "a"}}]},
        {"response": {"answer": "a"}},
        {"request": {"messages": "a"}, "response": CHAT},
    ],
    "conversation": [{"messages": ["a"]}, {"messages": [{"role": "assistant", "content": 7}]}],
    "plain": [{"completion": [1]}, {"completion": "a", "prompt": 7}],
}


def test_every_format_has_examples_and_wrong_ones() -> None:
    assert {form.name for form in FORMATS} == set(EXAMPLES) == set(WRONG)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_format_reads_its_own_records(form: Any) -> None:
    for record, expected in EXAMPLES[form.name]:
        assert form.takes(record), record
        assert form.read(record) == expected
        assert read_line(json.dumps(record).encode()) == expected


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_wrong_types_are_malformed_never_a_crash(form: Any) -> None:
    for record in WRONG[form.name]:
        assert form.takes(record), record
        with pytest.raises(MalformedError):
            read_line(json.dumps(record).encode())


@pytest.mark.parametrize(
    "line",
    [b"", b"plain words", b"[1]", b'"a"', b"{", b"\xff{}", b"[" * 100_000],
)
def test_what_holds_no_record_is_malformed(line: bytes) -> None:
    with pytest.raises(MalformedError):
        read_line(line)


def test_an_object_without_an_answer_is_of_no_known_format() -> None:
    for record in ({}, {"level": "info", "msg": "started"}, {"completion": None}, {"text": 7}):
        with pytest.raises(UnknownFormatError):
            read_line(json.dumps(record).encode())


KEYS = (
    "request", "response", "choices", "message", "messages", "content", "role", "text",
    "completion", "output", "body", "custom_id", "error", "id", "model", "created", "prompt",
    "time", "tool_calls", "function", "arguments", "finish_reason", "call_type", "hidden_params",
    "type", "trace_id", "input", "resourceSpans", "scopeSpans", "spans", "attributes", "key",
    "value", "stringValue", "arrayValue", "kvlistValue", "values", "events", "name", "body",
    "resourceLogs", "scopeLogs", "logRecords", "eventName",
)  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANY_JSON)
def test_nothing_else_is_raised_whatever_the_json(value: object) -> None:
    try:
        for completion in read_line(json.dumps(value).encode()):
            completion.text.encode()
            (completion.prompt or "").encode()
    except (MalformedError, UnknownFormatError):
        pass


CONTENT_KEYS = (
    "output.messages", "input.messages", "completion", "prompt", "completion.0.content",
    "completion.0.role", "completion.0.tool_calls.0.arguments", "system_instructions",
    "operation.name",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(CONTENT_KEYS), ANY_JSON), ANY_JSON)
def test_nothing_else_is_raised_whatever_a_span_holds(said: dict[str, Any], event: object) -> None:
    attributes = [
        {"key": f"gen_ai.{key}", "value": {"stringValue": json.dumps(value)}}
        for key, value in said.items()
    ]
    message = {"key": "message", "value": {"stringValue": json.dumps(event)}}
    span = {
        "attributes": attributes,
        "events": [{"name": "gen_ai.choice", "attributes": [message]}],
    }
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    try:
        for completion in read_line(json.dumps(document).encode()):
            completion.text.encode()
    except MalformedError:
        pass


def test_a_line_of_spans_is_read_call_by_call() -> None:
    """What an agent's span repeats, and other spans, are nothing; one at fault is one record."""
    [call] = sample("otlp")[0]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    agent = {**call, "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}},
        *call["attributes"][1:]]}  # fmt: skip
    [cut] = spans(output={"stringValue": "[{"})["resourceSpans"][0]["scopeSpans"][0]["spans"]
    http = {"name": "POST", "attributes": [{"key": "http.method", "value": {"stringValue": "P"}}]}
    line = {"resourceSpans": [{"scopeSpans": [{"spans": [cut, http, agent]}, {"spans": [call]}]}]}
    first, second, third = records_in(json.dumps(line).encode())
    with pytest.raises(MalformedError, match="limit for attributes"):
        read_record(first)
    assert read_record(second) == []
    assert read_record(third) == logged("c1", system="Be brief.")
    assert (
        read_line(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [http]}]}]}).encode())
        == []
    )


def test_an_array_is_read_record_by_record() -> None:
    line = json.dumps([7, {"level": "info"}, *sample("langfuse")[:2]]).encode()
    number, unknown, *known = records_in(line)
    with pytest.raises(MalformedError):
        read_record(number)
    with pytest.raises(UnknownFormatError):
        read_record(unknown)
    assert [one.key for record in known for one in read_record(record)] == ["o1", "o2"]


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_stored() -> None:
    [completion] = read_line(rb'{"completion": "a\ud83d", "prompt": "\udc00"}')
    assert (completion.text, completion.prompt) == ("a?", "?")


def test_the_last_message_is_the_prompt_and_the_earlier_ones_are_turns() -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "B"},
        {"role": "user", "content": [{"type": "text", "text": "C"}, {"type": "image_url"}]},
        {"role": "user", "content": "D"},
    ]
    assert asked_in(messages) == AskedPrompt("C\n\nD", ("A", "B"), "S")


def test_an_answer_that_goes_on_after_a_tool_still_answers_the_user() -> None:
    messages = [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "I look.", "tool_calls": []},
        {"role": "tool", "content": "secret"},
    ]
    assert asked_in(messages) == AskedPrompt("A")


def test_nobody_asked() -> None:
    assert asked_in([{"role": "system", "content": "S"}]) == AskedPrompt(None, (), "S")


def test_tool_calls_are_read_as_fences() -> None:
    arguments = json.dumps({"path": "a.py", "edits": [{"new": "import zz\nx = 1"}], "n": 3})
    calls = [{"function": {"name": "edit", "arguments": arguments}}, {"function": None}, 7]
    assert answer_of({"content": None, "tool_calls": calls}) == "```\nimport zz\nx = 1\n```"
    cut = [{"function": {"arguments": arguments[:-9]}}]
    assert answer_of({"content": "hm", "tool_calls": cut}) == "hm"


@pytest.mark.parametrize("messages", ["a", [1], None, {"role": "user"}])
def test_what_is_no_conversation(messages: object) -> None:
    with pytest.raises(MalformedError):
        asked_in(messages)


NINE = datetime(2026, 11, 28, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["2026-11-28T09:00:00Z", "2026-11-28 10:00:00+01:00", "2026-11-28T09:00:00",
     NINE.timestamp(), int(NINE.timestamp() * 1000)],
)  # fmt: skip
def test_a_time(written: object) -> None:
    assert time_of({"time": written}, "time") == NINE


@pytest.mark.parametrize("written", ["yesterday", True, None, 1e300, float("nan"), [1]])
def test_a_time_that_cant_be_read_is_none(written: object) -> None:
    assert time_of({"time": written}, "time") is None


def test_the_first_key_that_can_be_read_counts() -> None:
    assert time_of({"a": "soon", "b": "2026-11-28T09:00:00Z"}, "a", "b") == NINE
    assert label({"a": " ", "b": 12, "c": "x"}, "a", "b", "c") == "12"
    assert label({"a": True}, "a") is None
    assert len(label({"a": "x" * 9999}, "a") or "") == MOST_LABEL
