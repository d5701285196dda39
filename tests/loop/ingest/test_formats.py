"""Each log format gives its completions; anything else is a stated error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
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
from ghostbust.loop.ingest.formats import FORMATS, read_line

ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Plot it in Python."},
]
SAID = {"role": "assistant", "content": "pip install zz-plot"}
CHAT = {"id": "c1", "model": "acme-1", "choices": [{"message": SAID, "finish_reason": "stop"}]}
WHOLE = Completion(
    "pip install zz-plot", "Plot it in Python.", system="Be brief.", model="acme-1", key="c1"
)

EXAMPLES: dict[str, list[tuple[dict[str, Any], list[Completion]]]] = {
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

WRONG: dict[str, list[dict[str, Any]]] = {
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
    "time", "tool_calls", "function", "arguments", "finish_reason",
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
