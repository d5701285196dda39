"""Requests with their responses, as proxies and servers of the OpenAI API log them.

::

    {"request": {"messages": […]}, "response": {"choices": […]}}     chat, text completions
    {"messages": […], "response": {"choices": […]}}                  the request not nested
    {"object": "chat.completion", "choices": […]}                    a response alone
"""

from __future__ import annotations

from typing import Any

from ghostbust.traffic.chat import Asked, answer_of, asked_in
from ghostbust.traffic.fields import label, text_of, time_of
from ghostbust.traffic.interface import Completion, MalformedError, Record


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
    record: Record, request: Record, response: Record, asked: Asked, choice: Record, number: int
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


def _asked(request: Record) -> Asked:
    """What a request asks: its messages, or its one prompt; several prompts tell none."""
    if "messages" in request:
        return asked_in(request["messages"])
    prompt: Any = request.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    return Asked(text_of(prompt, "prompt") if isinstance(prompt, str) else None)
