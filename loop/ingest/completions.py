"""An answer of a log, and what all formats share: conversations, tool calls, checked values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ghostbust.documents import ParseError, parse_json

Record = Mapping[str, Any]
"""one line of a log: a JSON object"""


class MalformedError(ValueError):
    """A line without a record, or a record whose values have the wrong types."""


class UnknownFormatError(ValueError):
    """A JSON object of no known format."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer that a deployed model gave, with what its log says of it."""

    text: str
    """the answer, tool calls included; may be empty"""
    prompt: str | None
    """the user's last message, whole; None if the log doesn't say"""
    turns: tuple[str, ...] = ()
    """earlier messages, the user's and the model's in turn; mostly none"""
    system: str = ""
    """the system prompt; empty if there is none"""
    model: str | None = None
    """as the log spells it; None if it doesn't say"""
    adapter: str | None = None
    """None if the log doesn't say"""
    at: datetime | None = None
    """when it was logged, aware; None if the log doesn't say"""
    key: str | None = None
    """the log's own id of the request; None if there is none"""
    number: int = 0
    """0-based, among the answers to one request"""
    truncated: bool = False
    """True if the token limit ended it"""


# A response in the form of the OpenAI API.


def completions_of(record: Record, request: Record, response: Record) -> list[Completion]:
    """One completion for each choice of an OpenAI response; none for an error."""
    choices = response.get("choices")
    if choices is None and ("error" in response or record.get("error")):
        return []
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise MalformedError('"choices" is no list of choices')
    if "messages" in request:
        asked = asked_in(request["messages"])
    else:
        # One completion may be of any of several prompts, so several say nothing.
        prompt: Any = request.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        asked = AskedPrompt(text_of(prompt, "prompt") if isinstance(prompt, str) else None)
    return [
        Completion(
            _choice_text(choice),
            asked.prompt,
            asked.turns,
            asked.system,
            model=label(response, "model") or label(request, "model") or label(record, "model"),
            adapter=label(record, "adapter") or label(request, "adapter"),
            at=time_of(record, "time", "timestamp", "created_at") or time_of(response, "created"),
            key=label(response, "id") or label(record, "id", "request_id"),
            number=number,
            truncated=choice.get("finish_reason") == "length",
        )
        for number, choice in enumerate(choices)
    ]


def _choice_text(choice: Record) -> str:
    message = choice.get("message")
    if isinstance(message, dict):
        return answer_of(message)
    if "delta" in choice:
        raise MalformedError("a piece of a streamed response, which is no whole answer")
    return text_of(choice.get("text"), "text")


# Conversations: who said what, and what an answer's tool calls hold.

_OPERATOR = ("system", "developer")
_DEEPEST = 8
"""levels of a tool call's arguments that are read"""


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """What an answer answers."""

    prompt: str | None
    """the user's last message; None if there is none"""
    turns: tuple[str, ...] = ()
    """earlier messages, the user's and the model's in turn"""
    system: str = ""


def asked_in(messages: Any) -> AskedPrompt:
    """The prompt at the end of a conversation. Raises MalformedError for anything else.

    Messages of one speaker in a row are one. Results of tools are left out, and so is what the
    model said before the user spoke.
    """
    said: list[tuple[str, str]] = []
    system: list[str] = []
    for message in messages_in(messages):
        role, text = message.get("role"), content_of(message)
        if role in _OPERATOR:
            system.append(text)
        elif role in ("user", "assistant") and text and (said or role == "user"):
            if said and said[-1][0] == role:
                text = f"{said.pop()[1]}\n\n{text}"
            said.append((role, text))
    if said and said[-1][0] == "assistant":
        said.pop()  # the answer continues after a tool's result, or after a given beginning
    if not said:
        return AskedPrompt(None, (), "\n\n".join(system))
    *turns, (_, prompt) = said
    return AskedPrompt(prompt, tuple(text for _, text in turns), "\n\n".join(system))


def content_of(message: Record) -> str:
    """The text of a message: its text, or the text parts of a list; may be empty."""
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
    """The texts with white space in a tool call's arguments, which are JSON in a text."""
    try:
        value = parse_json(arguments) if isinstance(arguments, str) else arguments
    except ParseError:
        return  # cut off by the token limit, so no longer JSON
    yield from _texts_in(value, _DEEPEST)


def _texts_in(value: Any, levels: int) -> Iterator[str]:
    if isinstance(value, str) and any(char.isspace() for char in value):
        yield text_of(value, "arguments")
    elif isinstance(value, dict | list) and levels:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item, levels - 1)


def messages_in(messages: Any) -> Sequence[Record]:
    """The messages. Raises MalformedError if it isn't a list of objects."""
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise MalformedError('"messages" is no list of messages')
    return messages


# Values of a record, checked.

MOST_LABEL = 200
"""characters of a model's, an adapter's or a request's name; what is longer is cut"""
_MILLISECONDS_FROM = 1e11
"""numbers from here on are milliseconds; as seconds they would be in the year 5138"""


def text_of(value: Any, key: str) -> str:
    """The text without lone surrogates. Raises MalformedError if it isn't a text."""
    if not isinstance(value, str):
        raise MalformedError(f'"{key}" is no text')
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON may hold half of a surrogate pair: \ud83d
        return value.encode("utf-8", "replace").decode()
    return value


def label(record: Record, *keys: str) -> str | None:
    """The first of the keys that names something, as text; None if none does."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return text_of(value, key).strip()[:MOST_LABEL]
    return None


def time_of(record: Record, *keys: str) -> datetime | None:
    """The first of the keys that is a time: ISO 8601, or seconds or milliseconds since 1970.

    None if none is: a time that can't be read is no reason to lose a completion. A time without a
    zone is UTC.
    """
    for key in keys:
        value = record.get(key)
        try:
            if isinstance(value, str):
                at = datetime.fromisoformat(value)
                return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            if isinstance(value, int | float) and not isinstance(value, bool):
                seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
                return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            continue
    return None
