"""Conversations in the chat format: who said what, and what an answer's tool calls hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ghostbust.parsing import ParseError, parse_json
from ghostbust.traffic.fields import text_of
from ghostbust.traffic.interface import MalformedError, Record

_OPERATOR = ("system", "developer")
_DEEPEST = 8
"""levels of a tool call's arguments that are looked at"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer was an answer to."""

    prompt: str | None
    """the user's last message; None where there is none"""
    turns: tuple[str, ...] = ()
    """earlier messages, the user's and the model's in turn"""
    system: str = ""


def asked_in(messages: Any) -> Asked:
    """The question at the end of a conversation. Raises MalformedError for what is none.

    Messages of one speaker in a row are one; results of tools belong to nobody and are left out.
    What the model said before the user spoke is left out, too.
    """
    said: list[tuple[str, str]] = []
    system: list[str] = []
    for message in _messages(messages):
        role, text = message.get("role"), content_of(message)
        if role in _OPERATOR:
            system.append(text)
        elif role in ("user", "assistant") and text and (said or role == "user"):
            if said and said[-1][0] == role:
                text = f"{said.pop()[1]}\n\n{text}"
            said.append((role, text))
    if said and said[-1][0] == "assistant":
        said.pop()  # the answer goes on after results of a tool, or after a beginning given
    if not said:
        return Asked(None, (), "\n\n".join(system))
    *turns, (_, prompt) = said
    return Asked(prompt, tuple(text for _, text in turns), "\n\n".join(system))


def split_answer(messages: Any) -> tuple[Asked, Record] | None:
    """A conversation that the model ended: what was asked, and its last message; else None."""
    listed = list(_messages(messages))
    if not listed or listed[-1].get("role") != "assistant":
        return None
    return asked_in(listed[:-1]), listed[-1]


def content_of(message: Record) -> str:
    """The text of a message: a text, or the text parts of a list. Empty for none."""
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return text_of(content, "content")
    if not isinstance(content, list):
        raise MalformedError('"content" is neither a text nor a list of parts')
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text_of(part, "text") for part in parts if part is not None)


def answer_of(message: Record) -> str:
    """The text of the model's message, with each text in the arguments of its tool calls fenced.

    A command that an agent runs, or a file that it writes, names packages as a fence does.
    """
    texts = [content_of(message)]
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        texts += [f"```\n{text}\n```" for text in _argument_texts(arguments) if "```" not in text]
    return "\n\n".join(text for text in texts if text)


def _argument_texts(arguments: Any) -> Iterator[str]:
    """The texts with a blank in them of a tool call's arguments, which are JSON in a text."""
    try:
        value = parse_json(arguments) if isinstance(arguments, str) else arguments
    except ParseError:
        return  # cut off by the token limit: what is left of it is no JSON
    yield from _texts_in(value, _DEEPEST)


def _texts_in(value: Any, levels: int) -> Iterator[str]:
    if isinstance(value, str) and any(char.isspace() for char in value):
        yield text_of(value, "arguments")
    elif isinstance(value, dict | list) and levels:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item, levels - 1)


def _messages(messages: Any) -> Sequence[Record]:
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise MalformedError('"messages" is no list of messages')
    return messages
