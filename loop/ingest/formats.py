"""Log formats: the completions that one line of a log holds.

`read_line` is the entry. The format is recognised from the keys of the record: the first of
`FORMATS` that takes it reads it. To add a format, write two functions and add it there.

==============  =================================================================================
openai-batch    ``{"id", "custom_id", "response": {"body": …}, "error"}``: output of OpenAI's
                batches. They don't hold what was asked, so their completions have no prompt,
                unless the line was joined with its request, ``"request": {"body": …}`` or
                ``"body": …``
openai-log      ``{"request": {"messages": […]}, "response": {"choices": […]}}``, the same with
                the request not nested, or a response alone
conversation    ``{"messages": […]}``, of which the model's last message is the answer
plain           ``{"completion": "…", "prompt": "…", "model": "…", "time": "…", "id": "…"}``. The
                answer may be called ``response``, ``output`` or ``text`` and be a list of several;
                instead of ``prompt`` there may be ``messages``, ``instruction``, ``question``
                or ``input``
==============  =================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of record."""

    name: str
    takes: Callable[[Record], bool]
    """True for a record of this kind, by its keys; never raises"""
    read: Callable[[Record], list[Completion]]
    """The completions of a record that it takes; none for a request that failed.

    Raises MalformedError if a value isn't of the type that its key promises.
    """


def read_line(line: bytes) -> list[Completion]:
    """The completions of one line; none for a request that failed, or has no answer yet.

    Raises MalformedError if it is no JSON object in UTF-8 or its values are of wrong types, and
    UnknownFormatError if no format takes it.
    """
    try:
        record = parse_json(line.decode())
    except ValueError as exc:
        raise MalformedError("no JSON in UTF-8") from exc
    if not isinstance(record, dict):
        raise MalformedError("no JSON object")
    for form in FORMATS:
        if form.takes(record):
            return form.read(record)
    raise UnknownFormatError("no completion, response, output, text, choices or messages")


ANSWER_KEYS = ("completion", "response", "output", "text")
"""where a plain record has its answer, the first one that is there"""
_PROMPT_KEYS = ("prompt", "instruction", "question", "input")


def _has_answer(record: Record) -> bool:
    return any(isinstance(record.get(key), str | list) for key in ANSWER_KEYS)


def _read_plain(record: Record) -> list[Completion]:
    """A completion for each text of the answer."""
    key = next(key for key in ANSWER_KEYS if isinstance(record.get(key), str | list))
    answers = record[key] if isinstance(record[key], list) else [record[key]]
    if not all(isinstance(answer, str) for answer in answers):
        raise MalformedError(f'"{key}" is no list of texts')
    asked: AskedPrompt
    value: Any = next((record[k] for k in _PROMPT_KEYS if record.get(k)), None)
    if "messages" in record:
        asked = asked_in(record["messages"])
    elif isinstance(value, list):
        asked = asked_in(value)
    else:
        system = record.get("system")
        asked = AskedPrompt(
            None if value is None else text_of(value, "prompt"),
            system=text_of(system, "system") if isinstance(system, str) else "",
        )
    cut_off = (
        record.get("finish_reason") in ("length", "max_tokens") or record.get("truncated") is True
    )
    return [
        _from_record(record, text_of(answer, key), asked, number, cut_off)
        for number, answer in enumerate(answers)
    ]


def _is_conversation(record: Record) -> bool:
    return isinstance(record.get("messages"), list) and not _has_answer(record)


def _read_conversation(record: Record) -> list[Completion]:
    """One completion; none if the user spoke last."""
    messages = _messages(record["messages"])
    if not messages or messages[-1].get("role") != "assistant":
        return []
    return [_from_record(record, answer_of(messages[-1]), asked_in(messages[:-1]))]


def _from_record(
    record: Record, text: str, asked: AskedPrompt, number: int = 0, truncated: bool = False
) -> Completion:
    """A completion whose model, time and id stand in the record itself."""
    return Completion(
        text,
        asked.prompt,
        asked.turns,
        asked.system,
        model=label(record, "model"),
        adapter=label(record, "adapter"),
        at=time_of(record, "time", "timestamp", "created_at", "created", "at"),
        key=label(record, "id", "request_id"),
        number=number,
        truncated=truncated,
    )


def _is_request_log(record: Record) -> bool:
    return isinstance(record.get("response"), dict) or isinstance(record.get("choices"), list)


def _read_request_log(record: Record) -> list[Completion]:
    response = record["response"] if isinstance(record.get("response"), dict) else record
    request = record.get("request")
    return _completions(record, request if isinstance(request, dict) else record, response)


def _is_batch(record: Record) -> bool:
    """``custom_id``, and either a response with a body or an error."""
    if "custom_id" not in record:
        return False
    return isinstance(record.get("error"), dict) or _batch_body(record) is not None


def _read_batch(record: Record) -> list[Completion]:
    response = _batch_body(record)
    if response is None:
        return []
    request = record.get("request", record)
    body = request.get("body") if isinstance(request, dict) else None
    return _completions(record, body if isinstance(body, dict) else {}, response)


def _batch_body(record: Record) -> Record | None:
    response = record.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    return body if isinstance(body, dict) else None


FORMATS: tuple[Format, ...] = (
    Format("openai-batch", _is_batch, _read_batch),
    Format("openai-log", _is_request_log, _read_request_log),
    Format("conversation", _is_conversation, _read_conversation),
    Format("plain", _has_answer, _read_plain),
)


def _completions(record: Record, request: Record, response: Record) -> list[Completion]:
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
    for message in _messages(messages):
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


def _messages(messages: Any) -> Sequence[Record]:
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
