"""Each request counts once, by what came of it."""

from __future__ import annotations

import httpx
import pytest

from ghostbust.errors import RegistryError, UnansweredError
from ghostbust.registries.transport import Client, Heard, Outcome, Patience, Reply


async def ask(heard: Heard, *statuses: int) -> None:
    """One question, whose requests get these answers; 0 is a lost connection."""
    left = list(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        status = left.pop(0)
        if not status:
            raise httpx.ConnectError("nobody there")
        return httpx.Response(status, headers={"Content-Type": "text/x"}, content=b"x")

    patience = Patience(attempts=len(statuses), initial_s=0, longest_s=0, jitter_s=0)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = Client(http, patience, heard=heard)
        await client.ask(
            "http://registry/x", lambda reply: isinstance(reply, Reply), accept="text/x",
            content_types=("text/x",), headers={},
        )  # fmt: skip


async def test_answers_and_retries() -> None:
    heard = Heard()
    await ask(heard, 503, 0, 200)
    await ask(heard, 404)
    assert heard.counts == {Outcome.ANSWERED: 2, Outcome.UNANSWERED: 2, Outcome.REFUSED: 0}
    assert heard.last_answer is not None
    assert heard.last_failure is not None
    assert heard.last_answer >= heard.last_failure


async def test_refusals_and_silence() -> None:
    heard = Heard()
    with pytest.raises(RegistryError):
        await ask(heard, 401)
    assert heard.counts[Outcome.REFUSED] == 1
    with pytest.raises(UnansweredError):
        await ask(heard, 0, 0)
    assert heard.counts[Outcome.UNANSWERED] == 2
    assert heard.last_answer is None
