"""Model servers that speak the OpenAI API: one JSON request, and several servers as one.

A request goes to the server with the least load for its weight. A server that fails is left out,
longer each time, and the request goes to another; before it gets requests again it has to list the
model. A single server is never left out: its requests are retried.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar

import stamina
from aiolimiter import AsyncLimiter
from pydantic import BaseModel, ValidationError

from ghostbust import http
from ghostbust.errors import EndpointError, RefusedError
from ghostbust.sections import EndpointEntry

ATTEMPTS: Final = 5
WAIT_FLOOR_S: Final = 0.5
"""shortest wait after a Retry-After; servers do say 0"""
WAIT_LONGEST_S: Final = 60.0
"""longest Retry-After that is waited for; a server that asks for more gets an EndpointError"""
QUOTED_CHARACTERS: Final = 200
"""how much of a server's own error message is passed on"""
_REFUSALS: Final = frozenset({400, 413, 422})
"""what is wrong with the request, whichever server gets it"""

Answer = TypeVar("Answer", bound=BaseModel)


async def request_json(
    client: http.AsyncClient,
    method: str,
    path: str,
    body: Mapping[str, object] | None,
    answer: type[Answer],
    *,
    attempts: int = ATTEMPTS,
) -> Answer:
    """The server's reply, checked to have the fields of ``answer``.

    Asks again, after a jittered and growing wait or what Retry-After says, on 409, what
    `http.may_pass`, time-outs and lost connections. The client's time-out for a read is the limit
    for a whole reply. Raises EndpointError when the attempts are used up, and at once for any
    other status and for a reply that isn't what was asked for: RefusedError where another server
    wouldn't answer it either.
    """
    where = f"{client.base_url.netloc.decode()}{client.base_url.path.rstrip('/')}{path}"
    try:
        async for attempt in stamina.retry_context(
            on=_again, attempts=attempts, timeout=None, wait_initial=0.5, wait_max=20
        ):
            with attempt:
                response = await http.ask_by(
                    client, method, path, json=body, total_s=client.timeout.read
                )
                response.raise_for_status()
        return answer.model_validate_json(response.content)
    except http.StatusError as exc:
        kind = RefusedError if exc.response.status_code in _REFUSALS else EndpointError
        raise kind(_refusal(where, exc.response)) from None
    except http.ERRORS as exc:
        raise EndpointError(http.failure(exc, where)) from exc
    except ValidationError as exc:
        raise EndpointError(f"{where}: {_misfit(exc)}; is it an OpenAI-compatible server?") from exc


def _again(exc: Exception) -> bool | float:
    """Whether to ask again: False, True for the usual wait, or the seconds to wait."""
    if not isinstance(exc, http.StatusError):
        return isinstance(exc, http.TransportError)
    status = exc.response.status_code
    if not http.may_pass(status) and status != HTTPStatus.CONFLICT:  # a lock that another holds
        return False
    asked_s = http.retry_after_s(exc.response)
    if asked_s is None:
        return True
    jitter_s = random.uniform(0, WAIT_FLOOR_S)  # noqa: S311
    return asked_s <= WAIT_LONGEST_S and max(asked_s, WAIT_FLOOR_S) + jitter_s


def _refusal(where: str, response: http.Response) -> str:
    """One line for a status that ended the attempts. Quotes no answer that may quote the key."""
    status = response.status_code
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f"{where} answered {status}: it doesn't accept the API key (or wants one)"
    if status == HTTPStatus.NOT_FOUND:
        return f"{where} answered 404: wrong base URL (most end in /v1) or no such model"
    said = " ".join(response.text.split())
    key = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
    if key:
        said = said.replace(key, "***")
    return f"{where} answered {status}: {said[:QUOTED_CHARACTERS] or 'nothing more'}"


def _misfit(exc: ValidationError) -> str:
    """What is wrong with a reply, in a few words."""
    first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"its reply isn't usable ({place + ': ' if place else ''}{first['msg']})"


OUT_S: Final = 5.0
"""how long a server is left out after its first failure; twice as long after each further one"""
LONGEST_OUT_S: Final = 300.0


@dataclass
class Health:
    """How one server has been doing. Kept from one call to the next."""

    answered: int = 0
    failed: int = 0
    """requests without a usable answer"""
    in_row: int = 0
    """failures since its last answer"""
    out_until: float = 0.0
    """by the monotonic clock"""
    said: str = ""
    """its last error"""

    def fail(self, said: str, now: float) -> None:
        """Leaves the server out for a while."""
        self.failed += 1
        self.out_until = now + min(LONGEST_OUT_S, OUT_S * 2.0**self.in_row)
        self.in_row += 1
        self.said = said

    def recover(self) -> None:
        """Takes the server in again."""
        self.in_row, self.out_until = 0, 0.0


class _Listed(BaseModel):
    id: str


class ModelList(BaseModel):
    """The reply of ``/models``."""

    data: list[_Listed]


@dataclass
class ConnectedServer:
    """A server during one call of the sampler."""

    entry: EndpointEntry
    health: Health
    client: http.AsyncClient
    busy: int = 0

    def __post_init__(self) -> None:
        # one request every 1 / per_s seconds: no burst at the start
        per_s = self.entry.per_s
        self.limiter = None if per_s is None else AsyncLimiter(1, 1 / per_s)

    @property
    def load(self) -> float:
        """Requests for its weight, if it got one more."""
        return (self.busy + 1) / share_of(self.entry)


@dataclass
class ServerPool:
    """The servers, each connected, for as long as one call lasts."""

    servers: Sequence[ConnectedServer]
    model: str
    """the name that is asked for"""
    lists: Callable[[Sequence[str]], bool]
    """whether a server that lists these models has it"""
    attempts: int = ATTEMPTS
    """tries of a request at a single server"""
    _freed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def ask(self, path: str, body: Mapping[str, object], answer: type[Answer]) -> Answer:
        """The reply of the first server that gives a usable one.

        Raises RefusedError where the request itself is at fault, and EndpointError with each
        server's error where none is left.
        """
        tried: set[int] = set()
        alone = len(self.servers) == 1
        while True:
            async with self._turn(tried) as server:
                try:
                    if server.health.in_row and not alone:
                        await self.look(server)
                    attempts = self.attempts if alone else 1
                    reply = await request_json(
                        server.client, "POST", path, body, answer, attempts=attempts
                    )
                except RefusedError:
                    raise
                except EndpointError as exc:
                    if alone:
                        server.health.failed += 1
                        raise
                    server.health.fail(str(exc), time.monotonic())
                    tried.add(self.servers.index(server))
                    continue
                server.health.answered += 1
                server.health.recover()
                return reply

    async def check(self) -> None:
        """Asks each server once whether it has the model, and leaves out those that don't."""

        async def one(server: ConnectedServer) -> None:
            try:
                await self.look(server)
            except EndpointError as exc:
                server.health.fail(str(exc), time.monotonic())
            else:
                server.health.recover()

        await asyncio.gather(*map(one, self.servers))

    async def look(self, server: ConnectedServer) -> None:
        """Raises EndpointError where the server doesn't list the model."""
        models = await request_json(server.client, "GET", "/models", None, ModelList, attempts=1)
        names = [entry.id for entry in models.data]
        if not self.lists(names):
            known = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            where = server.client.base_url.netloc.decode()
            raise EndpointError(
                f"the server at {where} has no model {self.model!r}; it lists {known or 'none'}"
            )

    @asynccontextmanager
    async def _turn(self, tried: set[int]) -> AsyncIterator[ConnectedServer]:
        """A server with room that wasn't tried for this request; waits for one."""
        async with self._freed:
            while (server := self._best(tried)) is None:
                await self._freed.wait()
            server.busy += 1
        try:
            if server.limiter is not None:
                await server.limiter.acquire()
            yield server
        finally:
            async with self._freed:
                server.busy -= 1
                self._freed.notify_all()

    def _best(self, tried: set[int]) -> ConnectedServer | None:
        """The server to ask; None where all that are well have no room now.

        Raises EndpointError where none is well.
        """
        alone = len(self.servers) == 1
        well = [
            server
            for number, server in enumerate(self.servers)
            if number not in tried and (alone or server.health.out_until <= time.monotonic())
        ]
        if not well:
            said = "; ".join(dict.fromkeys(s.health.said for s in self.servers if s.health.said))
            raise EndpointError(f"none of {len(self.servers)} model servers is left: {said}")
        # One that was left out gets one request at a time, until it has answered.
        free = [
            server
            for server in well
            if server.busy < (1 if server.health.in_row and not alone else server.entry.concurrency)
        ]
        return min(free, key=lambda server: server.load, default=None)


def share_of(entry: EndpointEntry) -> float:
    """The server's share of the requests, relative to the others'."""
    return entry.weight or entry.concurrency


def at_once(entries: Sequence[EndpointEntry]) -> int:
    """Requests that all servers together may have: as many as leave each its share.

    With more, the limits would decide who gets how many, and no longer the weights.
    """
    total = sum(map(share_of, entries))
    return math.ceil(min(each.concurrency / share_of(each) for each in entries) * total)
