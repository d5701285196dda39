"""Whether a user asked for a list of packages: only then are a list's items package names.

The rule is cautious, since items of any other list would be counted as inventions. A message asks
for a list where all of this holds:

1. in one sentence, a word that asks for names (``list``, ``name``, ``suggest``, ``recommend``,
   ``which``, ``what``) stands before, or a request for a list around, a word for packages in the
   plural (``packages``, ``libraries``, ``modules``, ``dependencies``);
2. the message says that they are software: a language, a registry or an install command;
3. it asks for no code (``write a script``, ``implement``, ``function``, ``refactor``), since an
   answer with code has lists of other things.

English only; anything else asks for no list. What it misses costs recall, never precision: names
in commands, imports and dependency files are found without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from ghostbust.documents import ParseError, parse_json

# --- interface
# What every reader of a log format looks like, and what it gives: completions.

Record = Mapping[str, Any]
"""one line of a log: a JSON object"""


class MalformedError(ValueError):
    """A line that holds no record, or a record that isn't what its keys promise."""


class UnknownFormatError(ValueError):
    """A JSON object that no format takes: nothing in it is where a completion would be."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer that a deployed model gave, with what its log says of it."""

    text: str
    """the answer, tool calls included; may be empty"""
    prompt: str | None
    """the user's last message, whole; None where the log doesn't say"""
    turns: tuple[str, ...] = ()
    """earlier messages, the user's and the model's in turn; mostly none"""
    system: str = ""
    """what the operator told the model beforehand; empty for nothing"""
    model: str | None = None
    """as the log spells it; None where it doesn't say"""
    adapter: str | None = None
    """None where the log doesn't say"""
    at: datetime | None = None
    """when it was logged, aware; None where the log doesn't say"""
    key: str | None = None
    """the log's own id of the request; None where there is none"""
    number: int = 0
    """0-based number among the answers to one request"""
    truncated: bool = False
    """True when the token limit ended it"""


class Format(Protocol):
    """Reads one kind of record. Holds no state."""

    name: str

    def takes(self, record: Record) -> bool:
        """True for a record of this kind, by the keys that it has. Never raises."""
        ...

    def read(self, record: Record) -> list[Completion]:
        """The completions of a record that it takes; none for a request that failed.

        Raises MalformedError where a value isn't of the type that its key promises.
        """
        ...


class Known(Protocol):
    """A file that was read before, as far as that is remembered."""

    @property
    def id(self) -> int | None:
        """The number by which it is remembered; none without one is found."""
        ...

    @property
    def device(self) -> int: ...

    @property
    def inode(self) -> int: ...

    @property
    def offset(self) -> int:
        """Bytes passed; of a gz file, as they are unpacked."""
        ...

    @property
    def lines(self) -> int:
        """Lines passed."""
        ...

    @property
    def tail(self) -> str:
        """Hash of the last bytes in front of ``offset``."""
        ...


class Memory(Protocol):
    """What is remembered of the files that were read before."""

    def head_sizes(self) -> Iterable[int]:
        """The distinct numbers of bytes that files are known by."""
        ...

    def find(self, head_bytes: int, head: str) -> Iterable[Known]:
        """The files whose first ``head_bytes`` bytes have the hash ``head``."""
        ...

    def last_read(self, path: str) -> datetime | None:
        """When lines of a file of that name were read last; None where none were."""
        ...


# --- fields
# Values of a record, checked: texts without lone surrogates, times, ids.

MOST_LABEL = 200
"""characters of a model's, an adapter's or a request's name; what is longer is cut"""
_MILLISECONDS_FROM = 1e11
"""a number of at least this many is no time in seconds: that would be in the year 5138"""


def text_of(value: Any, key: str) -> str:
    """A text that can be written as UTF-8. Raises MalformedError for anything else than a text."""
    if not isinstance(value, str):
        raise MalformedError(f'"{key}" is no text')
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON may hold half of a surrogate pair: \ud83d
        return value.encode("utf-8", "replace").decode()
    return value


def label(record: Record, *keys: str) -> str | None:
    """The first of the keys that names something, as text; None where none does."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return text_of(value, key).strip()[:MOST_LABEL]
    return None


def time_of(record: Record, *keys: str) -> datetime | None:
    """The first of the keys that is a time: ISO 8601, or seconds or milliseconds since 1970.

    None where none is: a time that can't be read is no reason to lose a completion. One without
    a zone is taken for UTC.
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


# --- chat
# Conversations in the chat format: who said what, and what an answer's tool calls hold.

_OPERATOR = ("system", "developer")
_DEEPEST = 8
"""levels of a tool call's arguments that are looked at"""


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """What an answer was an answer to."""

    prompt: str | None
    """the user's last message; None where there is none"""
    turns: tuple[str, ...] = ()
    """earlier messages, the user's and the model's in turn"""
    system: str = ""


def asked_in(messages: Any) -> AskedPrompt:
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
        return AskedPrompt(None, (), "\n\n".join(system))
    *turns, (_, prompt) = said
    return AskedPrompt(prompt, tuple(text for _, text in turns), "\n\n".join(system))


def split_answer(messages: Any) -> tuple[AskedPrompt, Record] | None:
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


# --- openai_log
# Requests with their responses, as proxies and servers of the OpenAI API log them.
#
# ::
#
#     {"request": {"messages": […]}, "response": {"choices": […]}}     chat, text completions
#     {"messages": […], "response": {"choices": […]}}                  the request not nested
#     {"object": "chat.completion", "choices": […]}                    a response alone


class RequestLog:
    """A request and its response, or the response alone."""

    name = "openai-log"

    def takes(self, record: Record) -> bool:
        """True where there is a response of the API's form, or an object in place of one."""
        return isinstance(record.get("response"), dict) or isinstance(record.get("choices"), list)

    def read(self, record: Record) -> list[Completion]:
        """One completion for each choice; none for a response that is an error."""
        response = record["response"] if isinstance(record.get("response"), dict) else record
        request = record.get("request")
        return completions(record, request if isinstance(request, dict) else record, response)


def completions(record: Record, request: Record, response: Record) -> list[Completion]:
    """The choices of a response of the API, with what the request asked."""
    choices = response.get("choices")
    if choices is None and ("error" in response or record.get("error")):
        return []
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise MalformedError('"choices" is no list of choices')
    asked = _asked(request)
    return [_completion(record, request, response, asked, one, n) for n, one in enumerate(choices)]


def _completion(
    record: Record,
    request: Record,
    response: Record,
    asked: AskedPrompt,
    choice: Record,
    number: int,
) -> Completion:
    message = choice.get("message")
    if isinstance(message, dict):
        text = answer_of(message)
    elif "delta" in choice:
        raise MalformedError("a piece of a streamed response, which is no whole answer")
    else:
        text = text_of(choice.get("text"), "text")
    return Completion(
        text,
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


def _asked(request: Record) -> AskedPrompt:
    """What a request asks: its messages, or its one prompt; several prompts tell none."""
    if "messages" in request:
        return asked_in(request["messages"])
    prompt: Any = request.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    return AskedPrompt(text_of(prompt, "prompt") if isinstance(prompt, str) else None)


# --- openai_batch
# Output files of OpenAI's batches: ``{"id", "custom_id", "response": {"body": …}, "error"}``.
#
# They don't hold what was asked, so their completions have no prompt, unless the line has been
# joined with its request: ``{"custom_id", "request": {"body": …} or "body": …, "response": …}``.


class BatchOutput:
    """A line of a batch's output or error file."""

    name = "openai-batch"

    def takes(self, record: Record) -> bool:
        """True where a request of one's own naming has a response with a body, or an error."""
        if "custom_id" not in record:
            return False
        response = record.get("response")
        return isinstance(record.get("error"), dict) or (
            isinstance(response, dict) and isinstance(response.get("body"), dict)
        )

    def read(self, record: Record) -> list[Completion]:
        """One completion for each choice; none for a request that failed."""
        response = record.get("response")
        if not isinstance(response, dict) or not isinstance(response.get("body"), dict):
            return []
        request = record.get("request", record)
        body = request.get("body") if isinstance(request, dict) else None
        return completions(record, body if isinstance(body, dict) else {}, response["body"])


# --- plain_record
# Plain records: ``{"completion": "…", "prompt": "…", "model": "…", "time": "…", "id": "…"}``.
#
# The answer may also be called ``response``, ``output`` or ``text``, and may be a list of several;
# in place of ``prompt`` there may be ``messages``, ``instruction``, ``question`` or ``input``.

ANSWER_KEYS = ("completion", "response", "output", "text")
"""where an answer stands, the first one that is there"""
_PROMPT_KEYS = ("prompt", "instruction", "question", "input")
_CUT = ("length", "max_tokens")


class PlainRecord:
    """A completion as a text, with whatever else is known of it beside it."""

    name = "plain"

    def takes(self, record: Record) -> bool:
        """True where one of the keys of an answer holds a text, or a list of texts."""
        return any(isinstance(record.get(key), str | list) for key in ANSWER_KEYS)

    def read(self, record: Record) -> list[Completion]:
        """A completion for each text of the answer."""
        key = next(key for key in ANSWER_KEYS if isinstance(record.get(key), str | list))
        answers = record[key] if isinstance(record[key], list) else [record[key]]
        if not all(isinstance(answer, str) for answer in answers):
            raise MalformedError(f'"{key}" is no list of texts')
        asked = _asked_in_record(record)
        return [
            Completion(
                text_of(answer, key),
                asked.prompt,
                asked.turns,
                asked.system,
                model=label(record, "model"),
                adapter=label(record, "adapter"),
                at=time_of(record, "time", "timestamp", "created_at", "created", "at"),
                key=label(record, "id", "request_id"),
                number=number,
                truncated=record.get("finish_reason") in _CUT or record.get("truncated") is True,
            )
            for number, answer in enumerate(answers)
        ]


def _asked_in_record(record: Record) -> AskedPrompt:
    if "messages" in record:
        return asked_in(record["messages"])
    value: Any = next((record[key] for key in _PROMPT_KEYS if record.get(key)), None)
    if isinstance(value, list):
        return asked_in(value)
    system = record.get("system")
    told = text_of(system, "system") if isinstance(system, str) else ""
    return AskedPrompt(None if value is None else text_of(value, "prompt"), (), told)


# --- conversation
# Whole conversations: ``{"messages": […]}``, of which the model's last message is the answer.


class Conversation:
    """A conversation with its answer at the end."""

    name = "conversation"

    def takes(self, record: Record) -> bool:
        """True where there are messages, and no answer beside them."""
        has_answer = any(isinstance(record.get(key), str | list) for key in ANSWER_KEYS)
        return isinstance(record.get("messages"), list) and not has_answer

    def read(self, record: Record) -> list[Completion]:
        """One completion; none where the user spoke last."""
        parted = split_answer(record["messages"])
        if parted is None:
            return []
        asked, message = parted
        return [
            Completion(
                answer_of(message),
                asked.prompt,
                asked.turns,
                asked.system,
                model=label(record, "model"),
                adapter=label(record, "adapter"),
                at=time_of(record, "time", "timestamp", "created_at", "created"),
                key=label(record, "id", "request_id"),
            )
        ]


# --- __init__
# What a deployed model answered in production, read from logs: nothing is sampled.
#
# ``read_line`` is the entry for a line, whose format is told from the line itself. To add a
# format,
# write a reader (``interface.Format``) in a file of its own and add it to ``FORMATS``; the first
# one
# that takes a record reads it.
#
# Where lines come from: ``sources`` (which files are meant), ``log_file`` and ``stream`` (one of
# them, from its first line or from where it was left), ``blocks`` (whole lines, none too long).

__all__ = [
    "FORMATS",
    "Completion",
    "Format",
    "MalformedError",
    "UnknownFormatError",
    "read_line",
]

FORMATS: tuple[Format, ...] = (BatchOutput(), RequestLog(), Conversation(), PlainRecord())


def read_line(line: bytes) -> list[Completion]:
    """The completions of one line; none for a request that failed, or has no answer yet.

    Raises MalformedError where it is no JSON object in UTF-8 or its values are of wrong types,
    and UnknownFormatError where no format takes it.
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


# --- list_request
# Whether a user asked for a list of packages: only then are a list's items package names.
#
# The rule is cautious, since items of any other list would be counted as inventions. A message
# asks
# for a list where all of this holds:
#
# 1. in one sentence, a word that asks for names (``list``, ``name``, ``suggest``, ``recommend``,
#    ``which``, ``what``) stands before, or a request for a list around, a word for packages in the
#    plural (``packages``, ``libraries``, ``modules``, ``dependencies``);
# 2. the message says that they are software: a language, a registry or an install command;
# 3. it asks for no code (``write a script``, ``implement``, ``function``, ``refactor``), since an
#    answer with code has lists of other things.
#
# English only; anything else asks for no list. What it misses costs recall, never precision: names
# in commands, imports and dependency files are found without it.

_PACKAGES: Final = r"(?:packages|libraries|modules|dependencies)"
_ASKS: Final = re.compile(
    rf"\b(?:list|name|suggest|recommend|which|what)\b(?:(?![.?!](?:\s|$))[^\n]){{0,80}}?\b{_PACKAGES}\b",
    re.I,
)
_SOFTWARE: Final = re.compile(
    r"\b(?:python|pypi|pip|javascript|typescript|node(?:\.?js)?|npm|yarn|pnpm)\b", re.I
)
_WANTS_CODE: Final = re.compile(
    r"\b(?:(?:write|create|generate|give me|show me|provide)\s(?:(?!list\b)[\w'-]+\s){0,5}"
    r"(?:code|script|function|class|program|example|snippet|test|tests|app|application)\b"
    r"|implement|refactor|fix|debug|translate|explain\s(?:this|the)\scode)",
    re.I,
)
_READ: Final = 600
"""characters at each end of the message that are looked at: what is quoted stands between"""


def asks_for_list(message: str) -> bool:
    """True where the user's message asks for a list of packages, by the rule above."""
    told = message if len(message) <= 2 * _READ else f"{message[:_READ]}\n{message[-_READ:]}"
    if not _ASKS.search(told) or not _SOFTWARE.search(told):
        return False
    return not _WANTS_CODE.search(told)
