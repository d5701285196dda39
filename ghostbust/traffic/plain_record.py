"""Plain records: ``{"completion": "…", "prompt": "…", "model": "…", "time": "…", "id": "…"}``.

The answer may also be called ``response``, ``output`` or ``text``, and may be a list of several;
in place of ``prompt`` there may be ``messages``, ``instruction``, ``question`` or ``input``.
"""

from __future__ import annotations

from typing import Any

from ghostbust.traffic.chat import Asked, asked_in
from ghostbust.traffic.fields import label, text_of, time_of
from ghostbust.traffic.interface import Completion, MalformedError, Record

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
        asked = _asked(record)
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


def _asked(record: Record) -> Asked:
    if "messages" in record:
        return asked_in(record["messages"])
    value: Any = next((record[key] for key in _PROMPT_KEYS if record.get(key)), None)
    if isinstance(value, list):
        return asked_in(value)
    system = record.get("system")
    told = text_of(system, "system") if isinstance(system, str) else ""
    return Asked(None if value is None else text_of(value, "prompt"), (), told)
