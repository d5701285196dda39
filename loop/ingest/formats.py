"""Log formats: the completions that one line of a log holds.

`records_in` and `read_record` are the entries: one record at fault keeps no other of its line from
being read. The format is recognised from the keys of the record: the first of `FORMATS` that takes
it reads it. To add a format, write two functions and add it there.

==============  =================================================================================
otlp            ``{"resourceSpans": […]}`` or ``{"resourceLogs": […]}``, see `otlp`
litellm         LiteLLM's standard logging payload, see `gateways`
langfuse        Langfuse's observations, see `gateways`
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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ghostbust.documents import parse_json
from ghostbust.loop.ingest.completions import (
    AskedPrompt,
    Completion,
    MalformedError,
    Record,
    UnknownFormatError,
    answer_of,
    asked_in,
    completions_of,
    label,
    messages_in,
    text_of,
    time_of,
)
from ghostbust.loop.ingest.gateways import is_langfuse, is_litellm, read_langfuse, read_litellm
from ghostbust.loop.ingest.otlp import is_otlp, read_otlp, split_otlp


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


def records_in(line: bytes) -> Sequence[Any]:
    """The records of a line: mostly one; the items of an array, the calls of a line of spans.

    Raises MalformedError if it is no JSON in UTF-8, or neither an object nor an array.
    """
    try:
        value = parse_json(line.decode())
    except ValueError as exc:
        raise MalformedError("no JSON in UTF-8") from exc
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise MalformedError("no JSON object")
    return split_otlp(value) if is_otlp(value) else [value]


def read_record(record: Any) -> list[Completion]:
    """The completions of one record; none for a request that failed, or has no answer yet.

    Raises MalformedError if it is no object or its values are of wrong types, and
    UnknownFormatError if no format takes it.
    """
    if not isinstance(record, dict):
        raise MalformedError("no JSON object")
    for form in FORMATS:
        if form.takes(record):
            return form.read(record)
    raise UnknownFormatError("no completion, response, output, text, choices or messages")


def read_line(line: bytes) -> list[Completion]:
    """The completions of all records of a line. Raises the first error of one."""
    return [one for record in records_in(line) for one in read_record(record)]


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
    messages = messages_in(record["messages"])
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
    return completions_of(record, request if isinstance(request, dict) else record, response)


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
    return completions_of(record, body if isinstance(body, dict) else {}, response)


def _batch_body(record: Record) -> Record | None:
    response = record.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    return body if isinstance(body, dict) else None


FORMATS: tuple[Format, ...] = (
    Format("otlp", is_otlp, read_otlp),
    Format("litellm", is_litellm, read_litellm),
    Format("langfuse", is_langfuse, read_langfuse),
    Format("openai-batch", _is_batch, _read_batch),
    Format("openai-log", _is_request_log, _read_request_log),
    Format("conversation", _is_conversation, _read_conversation),
    Format("plain", _has_answer, _read_plain),
)
