"""Output files of OpenAI's batches: ``{"id", "custom_id", "response": {"body": …}, "error"}``.

They don't hold what was asked, so their completions have no prompt, unless the line has been
joined with its request: ``{"custom_id", "request": {"body": …} or "body": …, "response": …}``.
"""

from __future__ import annotations

from ghostbust.traffic.interface import Completion, Record
from ghostbust.traffic.openai_log import completions


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
