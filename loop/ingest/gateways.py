"""What gateways and observability tools log: LiteLLM's standard payload, Langfuse's observations.

Forms as documented in November 2026: LiteLLM's "StandardLoggingPayload specification", Langfuse's
"Blob storage export field reference" and its API's ``ObservationsView``. What was redacted is no
answer: counted as one that names nothing, it would lower the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ghostbust.documents import ParseError, parse_json
from ghostbust.loop.ingest.completions import (
    AskedPrompt,
    Completion,
    MalformedError,
    Record,
    answer_of,
    asked_in,
    completions_of,
    label,
    text_of,
    time_of,
)

_REDACTED = "redacted-by-litellm"
"""what LiteLLM writes in place of texts with ``turn_off_message_logging``"""
_ANSWERS_CALLS = ("completion", "text_completion", "responses", "anthropic_messages")
"""LiteLLM's call types that ask a model for text; those of its async functions begin with ``a``"""
_OBSERVATIONS = (
    "GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING",
    "GUARDRAIL",
)  # fmt: skip
"""Langfuse's types; the others hold a generation's text once more"""


def is_litellm(record: Record) -> bool:
    """True for a standard logging payload: a call type beside what LiteLLM adds to a call."""
    return isinstance(record.get("call_type"), str) and (
        "hidden_params" in record or "model_map_information" in record
    )


def read_litellm(record: Record) -> list[Completion]:
    """The completions of a call; none for one that failed, was redacted or wanted no text."""
    kind = record["call_type"]
    if kind.removeprefix("a") not in _ANSWERS_CALLS and kind not in _ANSWERS_CALLS:
        return []
    if record.get("status") == "failure" or record.get("response") in (None, "", {}):
        return []
    asked = _asked(record.get("messages"))
    if asked.prompt == _REDACTED:
        asked = AskedPrompt(None)
    read = [
        replace(
            one,
            prompt=asked.prompt,
            turns=asked.turns,
            system=asked.system,
            model=one.model or label(record, "model", "model_group"),
            at=time_of(record, "startTime") or one.at,
            key=one.key or label(record, "id"),
        )
        for one in _answers(record["response"])
    ]
    return [one for one in read if one.text != _REDACTED]


def is_langfuse(record: Record) -> bool:
    """True for an observation of the export or the API, of any type."""
    return record.get("type") in _OBSERVATIONS and ("trace_id" in record or "traceId" in record)


def read_langfuse(record: Record) -> list[Completion]:
    """The completions of a generation; none for one without output, or another observation."""
    output = _unpacked(record.get("output"))
    if record["type"] != "GENERATION" or output in (None, "", {}, []):
        return []
    asked = _asked(_unpacked(record.get("input")))
    return [
        Completion(
            one.text,
            asked.prompt,
            asked.turns,
            asked.system,
            model=label(record, "provided_model_name", "providedModelName", "model") or one.model,
            at=time_of(record, "start_time", "startTime"),
            key=label(record, "id"),
            number=one.number,
            truncated=one.truncated,
        )
        for one in _answers(output)
    ]


def _unpacked(value: Any) -> Any:
    """What a text of JSON holds; any other value, and a text of none, as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return parse_json(value)
        except ParseError:
            return value  # an answer may begin with a brace
    return value


def _asked(value: Any) -> AskedPrompt:
    """What was asked: a text, messages, or an object that holds messages or a prompt."""
    if isinstance(value, dict):
        value = value.get("messages") or value.get("input") or value.get("prompt")
    if isinstance(value, list):
        return asked_in([{"role": "user", "content": one} if isinstance(one, str) else one
                         for one in value])  # fmt: skip
    return AskedPrompt(text_of(value, "prompt") if value else None)


def _answers(value: Any) -> list[Completion]:
    """What was answered: a text, a response of an API, or the model's message or messages."""
    if isinstance(value, str):
        return [Completion(text_of(value, "response"), None)]
    if isinstance(value, list):
        said = [one for one in value if isinstance(one, dict) and one.get("role") != "user"]
        if not said:
            raise MalformedError("the answer is no list of messages")
        return [Completion(_text(said[-1]), None)]
    if not isinstance(value, dict):
        raise MalformedError("the answer is neither a text nor an object")
    if "choices" in value:
        return completions_of({}, {}, value)
    text = _items(value["output"]) if isinstance(value.get("output"), list) else _text(value)
    cut_off = value.get("stop_reason") == "max_tokens" or value.get("status") == "incomplete"
    model, key = label(value, "model"), label(value, "id")
    return [Completion(text, None, model=model, key=key, truncated=cut_off)]


def _items(items: Sequence[Any]) -> str:
    """The text of a response in the form of the Responses API: messages and calls of tools."""
    kept = [one for one in items if isinstance(one, dict)]
    said = [one for one in kept if one.get("type", "message") == "message"]
    calls = [one for one in kept if one.get("type") == "function_call"]
    texts = [answer_of({"content": one.get("content")}) for one in said]
    called = [{"function": {"arguments": one.get("arguments")}} for one in calls]
    return "\n\n".join(text for text in (*texts, answer_of({"tool_calls": called})) if text)


def _text(message: Record) -> str:
    """The text of the model's message, of an object with one under ``completion`` or ``text``."""
    content = message.get("content")
    if content is None and not message.get("tool_calls"):
        value = message.get("completion") or message.get("text")
        if value is None:
            raise MalformedError("the answer has no content")
        return text_of(value, "text")
    if not isinstance(content, list):
        return answer_of(message)
    parts = [part for part in content if isinstance(part, dict)]
    used = [
        {"function": {"arguments": p.get("input")}} for p in parts if p.get("type") == "tool_use"
    ]
    calls = message.get("tool_calls")
    return answer_of(
        {**message, "tool_calls": [*(calls if isinstance(calls, list) else ()), *used]}
    )
