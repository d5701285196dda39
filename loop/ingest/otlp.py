"""OpenTelemetry: answers in spans and log records, as the collector's file exporter writes them.

A line is OTLP in JSON with many spans or records. What was asked and answered stands in one of four
places, by the age of the semantic conventions for GenAI; the first that a call has is read:

===============  ================================================================================
since 1.37       attributes ``gen_ai.input.messages``, ``gen_ai.output.messages`` and
                 ``gen_ai.system_instructions`` of the span, or of a log record
                 ``gen_ai.client.inference.operation.details``; as values, or as a text of JSON
1.28 to 1.36     events ``gen_ai.user.message`` … and ``gen_ai.choice``: log records of one span,
                 or events of a span
before           ``gen_ai.prompt`` and ``gen_ai.completion``, of the span or of its events
                 ``gen_ai.content.prompt`` and ``gen_ai.content.completion``
OpenLLMetry      ``gen_ai.prompt.0.content``, ``gen_ai.completion.0.content`` …
===============  ================================================================================

Log records of a span that stand in different lines aren't joined: such an answer has no prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ghostbust.documents import ParseError, parse_json
from ghostbust.loop.ingest.completions import (
    Completion,
    MalformedError,
    Record,
    answer_of,
    asked_in,
    label,
    time_of,
)

_ASKS_A_MODEL = ("chat", "text_completion", "generate_content")
"""operations whose output is the model's; an agent's span repeats that of the calls in it"""
_DETAILS = "gen_ai.client.inference.operation.details"
_CUT_OFF = ("length", "max_tokens")
_DEEPEST = 16
"""levels of lists and maps in an attribute"""
_INDEXED = re.compile(r"gen_ai\.(prompt|completion)\.(\d{1,4})\.(.+)")

Messages = list[dict[str, Any]]
"""in the form of a chat, with ``finish_reason`` where it is known"""


@dataclass(slots=True)
class _Call:
    """One call of a model."""

    attributes: dict[str, Any]
    key: str | None
    """of the span, hexadecimal; None if the record has none"""
    nanoseconds: Any
    """since 1970, as a text"""
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """name, and its attributes or its body's fields"""


def is_otlp(record: Record) -> bool:
    """True for a line of traces or logs."""
    return isinstance(record.get("resourceSpans"), list) or isinstance(
        record.get("resourceLogs"), list
    )


def split_otlp(record: Record) -> list[Record]:
    """An OTLP record for each call in it; itself if it has none, or isn't well-formed."""
    try:
        parts: list[Record] = [
            {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
            for span in _leaves(record, "resourceSpans", "scopeSpans", "spans")
            if any(_is_genai(one.get("key")) for one in _objects(span, "attributes"))
            or any(_is_genai(one.get("name")) for one in _objects(span, "events"))
        ]
        groups: dict[object, list[Record]] = {}
        for number, said in enumerate(_leaves(record, "resourceLogs", "scopeLogs", "logRecords")):
            if _is_genai(name := _event_name(said)):
                whole = name == _DETAILS or not said.get("spanId")
                groups.setdefault(number if whole else str(said["spanId"]), []).append(said)
    except MalformedError:
        return [record]
    parts += [{"resourceLogs": [{"scopeLogs": [{"logRecords": g}]}]} for g in groups.values()]
    return parts or [record]


def read_otlp(record: Record) -> list[Completion]:
    """The completions of the one call that `split_otlp` left; none if it has no answer.

    Raises MalformedError, for a text of JSON too that the SDK's limit for attributes cut off.
    """
    call = _call(record)
    if call is None or call.attributes.get("gen_ai.operation.name", "chat") not in _ASKS_A_MODEL:
        return []
    asked, answers = next((found for form in _FORMS if (found := form(call)) is not None), ([], []))
    prompt = asked_in(asked)
    return [
        Completion(
            answer_of(answer),
            prompt.prompt,
            prompt.turns,
            prompt.system,
            model=label(call.attributes, "gen_ai.response.model", "gen_ai.request.model"),
            at=_time(call.nanoseconds),
            key=label(call.attributes, "gen_ai.response.id") or call.key,
            number=number,
            truncated=answer.get("finish_reason") in _CUT_OFF,
        )
        for number, answer in enumerate(answers)
    ]


# Where the messages of a call stand: (asked, answered), None if they don't stand there.


def _in_messages(call: _Call) -> tuple[Messages, Messages] | None:
    if "gen_ai.output.messages" not in call.attributes:
        return None
    asked = _messages(call.attributes, "gen_ai.input.messages")
    system = _json(call.attributes.get("gen_ai.system_instructions"), "gen_ai.system_instructions")
    if system:
        asked.insert(0, _message(system, "system"))
    return asked, _messages(call.attributes, "gen_ai.output.messages")


def _in_events(call: _Call) -> tuple[Messages, Messages] | None:
    if not any(name == "gen_ai.choice" for name, _ in call.events):
        return None
    asked: Messages = []
    answers: Messages = []
    for name, fields in call.events:
        # Azure's SDK packs the body into one attribute.
        packed = _json(fields.get("gen_ai.event.content"), "gen_ai.event.content")
        body = packed if isinstance(packed, dict) else fields
        if name == "gen_ai.choice":
            answer = _message(_unpacked(body.get("message")), "assistant")
            answers.append(answer | {"finish_reason": body.get("finish_reason")})
        elif name.endswith(".message"):
            message = _message(_unpacked(body.get("content")), name.split(".")[1])
            calls = _unpacked(body.get("tool_calls"))
            asked.append(message if calls is None else message | {"tool_calls": calls})
    return asked, answers


def _in_contents(call: _Call) -> tuple[Messages, Messages] | None:
    fields = dict(call.attributes)
    for name, more in call.events:
        if name.startswith("gen_ai.content."):
            fields |= more
    if "gen_ai.completion" not in fields:
        return None
    asked, answers = (_unpacked(fields.get(f"gen_ai.{one}")) for one in ("prompt", "completion"))
    return _listed(asked, "user"), _listed(answers, "assistant")


def _in_indexed(call: _Call) -> tuple[Messages, Messages] | None:
    found: dict[str, dict[int, dict[str, Any]]] = {"prompt": {}, "completion": {}}
    for name, value in call.attributes.items():
        if matched := _INDEXED.fullmatch(name):
            which, index, rest = matched.groups()
            message = found[which].setdefault(int(index), {"tool_calls": []})
            if rest in ("role", "finish_reason"):
                message[rest] = value
            elif rest == "content":
                message |= {"content": _message(_unpacked(value), "")["content"]}
            elif rest.startswith("tool_calls.") and rest.endswith(".arguments"):
                message["tool_calls"].append({"function": {"arguments": value}})
    if not found["completion"]:
        return None
    asked, answers = ([one[n] for n in sorted(one)] for one in found.values())
    return asked, answers


_FORMS = (_in_messages, _in_events, _in_contents, _in_indexed)


# Messages in the form of a chat.


def _messages(attributes: Mapping[str, Any], key: str) -> Messages:
    value = _json(attributes.get(key), key)
    if not isinstance(value, list | None) or not all(isinstance(one, dict) for one in value or ()):
        raise MalformedError(f'"{key}" is no list of messages')
    return [_message(one, "user") for one in value or ()]


def _listed(value: Any, role: str) -> Messages:
    """Messages, or one of a text."""
    if isinstance(value, list) and all(isinstance(one, dict) and "role" in one for one in value):
        return [_message(one, role) for one in value]
    return [] if value is None else [_message(value, role)]


def _message(value: Any, role: str) -> dict[str, Any]:
    """A message of a text, of parts, or of an object with either; reasoning is left out."""
    said: dict[str, Any] = {"role": role, "content": ""}
    if isinstance(value, dict):
        said |= {key: value[key] for key in ("role", "finish_reason", "tool_calls") if key in value}
        value = value.get("parts", value.get("content"))
    if isinstance(value, str):
        said["content"] = value
    elif isinstance(value, list):
        parts = [one for one in value if isinstance(one, dict)]
        texts = [
            text
            for one in parts
            if one.get("type", "text") == "text"
            and isinstance(text := one.get("content", one.get("text")), str)
        ]
        called = [one.get("toolUse", one) for one in parts if _calls_tool(one)]
        said["content"] = "\n".join(texts)
        said["tool_calls"] = [
            {"function": {"arguments": one.get("arguments", one.get("input"))}}
            for one in called
            if isinstance(one, dict)
        ]
    elif value is not None:
        raise MalformedError("a message is neither a text nor a list of parts")
    return said


def _calls_tool(part: Record) -> bool:
    return "toolUse" in part or part.get("type") in ("tool_call", "tool_use", "function_call")


def _json(value: Any, key: str) -> Any:
    """What a text of JSON holds; any other value as it is. Raises MalformedError."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ParseError as exc:
        raise MalformedError(f'"{key}" is no JSON; a limit for attributes may have cut it') from exc


def _unpacked(value: Any) -> Any:
    """As `_json` for a text that looks like JSON; any other text as it is."""
    try:
        return parse_json(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except ParseError:
        return value


# OTLP in JSON.


def _call(record: Record) -> _Call | None:
    """The call of a record: a span, or the log records of one; None if it has neither."""
    for span in _leaves(record, "resourceSpans", "scopeSpans", "spans"):
        attributes = _fields(span.get("attributes"))
        events = [(str(one.get("name")), _fields(one.get("attributes")))
                  for one in _objects(span, "events")]  # fmt: skip
        return _Call(attributes, label(span, "spanId"), span.get("startTimeUnixNano"), events)
    call: _Call | None = None
    for said in _leaves(record, "resourceLogs", "scopeLogs", "logRecords"):
        name, attributes = _event_name(said), _fields(said.get("attributes"))
        if not _is_genai(name):
            continue
        if call is None:
            at = said.get("timeUnixNano") or said.get("observedTimeUnixNano")
            call = _Call(attributes, label(said, "spanId"), at)
        body = _plain(said.get("body"), _DEEPEST)
        call.attributes |= attributes
        call.events.append((name, attributes | (body if isinstance(body, dict) else {})))
    return call


def _leaves(record: Record, *keys: str) -> Iterator[Record]:
    """The objects that stand under the keys, level by level. Raises MalformedError."""
    first, *rest = keys
    for one in _objects(record, first):
        if rest:
            yield from _leaves(one, *rest)
        else:
            yield one


def _objects(record: Record, key: str) -> list[Any]:
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise MalformedError(f'"{key}" is no list of objects')
    return value


def _event_name(said: Record) -> str:
    if isinstance(name := said.get("eventName"), str) and name:
        return name
    for one in _objects(said, "attributes"):  # before OTLP 1.5
        if one.get("key") == "event.name":
            return str(_plain(one.get("value"), _DEEPEST))
    return ""


def _is_genai(name: Any) -> bool:
    return isinstance(name, str) and name.startswith("gen_ai.")


def _fields(pairs: Any, levels: int = _DEEPEST) -> dict[str, Any]:
    """The values of a list of keys with values."""
    fields = {}
    for one in _objects({"attributes": pairs}, "attributes"):
        if not isinstance(one.get("key"), str):
            raise MalformedError("an attribute has no key")
        fields[one["key"]] = _plain(one.get("value"), levels)
    return fields


def _plain(value: Any, levels: int) -> Any:
    """An ``AnyValue`` as a value of JSON; None for bytes. Raises MalformedError."""
    if value is None:
        return None
    if not isinstance(value, dict) or not levels:
        raise MalformedError("an attribute's value is no OTLP value, or nested too deeply")
    for kind in ("stringValue", "boolValue", "doubleValue", "intValue"):
        if kind in value:
            return value[kind]
    for kind in ("arrayValue", "kvlistValue"):
        inner = value.get(kind)
        if isinstance(inner, dict) and kind == "arrayValue":
            return [_plain(one, levels - 1) for one in _objects(inner, "values")]
        if isinstance(inner, dict):
            return _fields(inner.get("values"), levels - 1)
    return None


def _time(nanoseconds: Any) -> Any:
    try:
        return time_of({"at": int(nanoseconds) / 1e9}, "at")
    except (TypeError, ValueError, OverflowError):
        return None
