"""Who said what in a conversation, and what an agent's tool calls hold."""

from __future__ import annotations

import json

import pytest

from ghostbust.loop.ingest.formats import AskedPrompt, MalformedError, answer_of, asked_in


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
