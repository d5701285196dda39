"""Whole conversations: ``{"messages": […]}``, of which the model's last message is the answer."""

from __future__ import annotations

from ghostbust.traffic.chat import answer_of, split_answer
from ghostbust.traffic.fields import label, time_of
from ghostbust.traffic.interface import Completion, Record
from ghostbust.traffic.plain_record import ANSWER_KEYS


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
