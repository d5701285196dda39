"""CLIENTS: a steady load on a model server, by whatever the pointer file says serves.

So many requests a second, whether or not earlier ones are answered yet, each for the model that the
file names at that moment. Every error and every time is kept.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

from ghostbust import http

MOST_AT_ONCE = 500
"""connections"""
KEPT_ALIVE = 20
"""idle connections that are kept: httpcore looks at all connections for each idle one, which took
three quarters of a core at 500 (docs/log.md)"""
GRACE_S = 5.0
"""beyond the longest request, until nobody waits for the clients any more"""


@dataclass
class Heard:
    """What clients got of one model."""

    waits: list[float] = field(default_factory=list)
    """seconds from when a request was due to its answer"""
    errors: list[str] = field(default_factory=list)


class Clients:
    """Inside its context clients ask; ``heard`` is by model, and whole behind it."""

    def __init__(
        self, url: str, pointer: Path, base: str, *, per_s: float, tokens: int, timeout_s: float
    ) -> None:
        """``base``: the model that is asked for before there is a pointer file; ``tokens``: of
        each completion. A request that takes longer than ``timeout_s`` is an error."""
        self._url, self._pointer, self._base = url, pointer, base
        self._per_s, self._tokens, self._timeout_s = per_s, tokens, timeout_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._go()), daemon=True)
        self.heard: dict[str, Heard] = {}
        self.wall_s = 0.0
        """seconds in which they asked"""
        self.asked = 0
        """requests that were begun"""

    @property
    def share(self) -> float:
        """Requests begun, as a share of those that were due: a starved machine begins fewer."""
        return self.asked / max(1.0, self.wall_s * self._per_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        # No longer: an interrupt in the middle of an import may leave the thread waiting for it.
        self._thread.join(self._timeout_s + GRACE_S)

    async def _go(self) -> None:
        limits = http.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=KEPT_ALIVE)
        began = due = time.monotonic()
        async with (
            http.AsyncClient(
                base_url=self._url, timeout=self._timeout_s, limits=limits, trust_env=False
            ) as client,
            asyncio.TaskGroup() as tasks,
        ):
            number = 0
            while not self._ended.is_set():
                tasks.create_task(self._ask(client, number, due))
                number, due = number + 1, due + 1 / self._per_s
                self.asked = number
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.wall_s = time.monotonic() - began

    async def _ask(self, client: http.AsyncClient, number: int, due: float) -> None:
        model = self._model()
        heard = self.heard.setdefault(model, Heard())
        body = {
            "model": model, "prompt": "pip install", "max_tokens": self._tokens,
            "temperature": 0.7, "top_k": 20, "seed": number,
        }  # fmt: skip
        try:
            answer = await client.post("/completions", json=body)
            if answer.status_code != HTTPStatus.OK or not answer.json()["choices"]:
                heard.errors.append(f"{answer.status_code} {answer.text[:200]}")
                return
        except (http.Error, ValueError, KeyError) as exc:
            heard.errors.append(repr(exc))
            return
        heard.waits.append(time.monotonic() - due)

    def _model(self) -> str:
        try:
            return str(json.loads(self._pointer.read_text("utf-8"))["model"])
        except FileNotFoundError:
            return self._base
