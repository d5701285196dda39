"""Several model servers as one: who gets the next request, and who is left out for a while.

A request goes to the server that has the least to do for its weight. One that fails is left out,
longer each time, and the request goes to another; before it comes back it has to list the model.
With one server alone nothing is left out: its requests are tried again as ``wire.py`` does.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar

import stamina
from aiolimiter import AsyncLimiter
from pydantic import BaseModel, ValidationError

from ghostbust import http
from ghostbust.errors import EndpointError, RefusedError

# --- wire
# One JSON question to a model server: retries, and every failure as one clear line.

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


# --- pool
# Several model servers as one: who gets the next request, and who is left out for a while.
#
# A request goes to the server that has the least to do for its weight. One that fails is left out,
# longer each time, and the request goes to another; before it comes back it has to list the model.
# With one server alone nothing is left out: its requests are tried again as ``wire.py`` does.

OUT_S: Final = 5.0
"""how long a server is left out after its first failure; twice as long after each further one"""
LONGEST_OUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model server."""

    url: str
    weight: float | None = None
    """share of the requests, relative to the others' weights; None: its concurrency"""
    concurrency: int = 8
    """requests under way there at once"""
    per_s: float | None = None
    """requests a second at most; None for no limit"""

    @property
    def share(self) -> float:
        """Its weight, relative to the others'."""
        return self.weight or self.concurrency


@dataclass
class Health:
    """How one server has been doing. Kept from one call to the next."""

    answered: int = 0
    failed: int = 0
    """requests that it gave no usable answer to"""
    in_row: int = 0
    """failures since its last answer"""
    out_until: float = 0.0
    """by the monotonic clock"""
    said: str = ""
    """its last error"""

    def fail(self, said: str, now: float) -> None:
        """Leaves it out for a while."""
        self.failed += 1
        self.out_until = now + min(LONGEST_OUT_S, OUT_S * 2.0**self.in_row)
        self.in_row += 1
        self.said = said

    def answer(self) -> None:
        """It is well."""
        self.answered += 1
        self.in_row, self.out_until = 0, 0.0


class _Listed(BaseModel):
    id: str


class Models(BaseModel):
    """What ``/models`` lists."""

    data: list[_Listed]


@dataclass
class Place:
    """A server within one call of the sampler."""

    endpoint: Endpoint
    health: Health
    client: http.AsyncClient
    limiter: AsyncLimiter | None
    busy: int = 0

    @property
    def load(self) -> float:
        """Requests for its weight, if it got one more."""
        return (self.busy + 1) / self.endpoint.share


@dataclass
class Pool:
    """The servers, each connected, for as long as one call lasts."""

    places: Sequence[Place]
    lists: Callable[[Sequence[str]], bool]
    """whether a server that lists these models has the one that is asked for"""
    attempts: int = ATTEMPTS
    """tries of a request at a server that has no other beside it"""
    now: Callable[[], float] = time.monotonic
    _freed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def ask(self, path: str, body: Mapping[str, object], answer: type[Answer]) -> Answer:
        """The reply of the first server that gives a usable one.

        Raises RefusedError where the request itself is at fault, and EndpointError with what each
        server said where none is left.
        """
        tried: set[int] = set()
        while True:
            async with self._turn(tried) as place:
                alone = len(self.places) == 1
                attempts = self.attempts if alone else 1
                try:
                    if place.health.in_row and not alone:
                        await self._look(place)
                    reply = await request_json(
                        place.client, "POST", path, body, answer, attempts=attempts
                    )
                except RefusedError:
                    raise
                except EndpointError as exc:
                    if alone:
                        place.health.failed += 1
                        raise
                    place.health.fail(str(exc), self.now())
                    tried.add(self.places.index(place))
                    continue
                place.health.answer()
                return reply

    async def _look(self, place: Place) -> None:
        """Raises EndpointError where a server that was out doesn't list the model."""
        models = await request_json(place.client, "GET", "/models", None, Models, attempts=1)
        if not self.lists([listed.id for listed in models.data]):
            raise EndpointError(
                f"{place.client.base_url.netloc.decode()} doesn't list the model any more"
            )

    @asynccontextmanager
    async def _turn(self, tried: set[int]) -> AsyncIterator[Place]:
        """A server with room that wasn't tried for this request; waits for one."""
        async with self._freed:
            while (place := self._best(tried)) is None:
                await self._freed.wait()
            place.busy += 1
        try:
            if place.limiter is not None:
                await place.limiter.acquire()
            yield place
        finally:
            async with self._freed:
                place.busy -= 1
                self._freed.notify_all()

    def _best(self, tried: set[int]) -> Place | None:
        """The server to ask; None where all that are well have no room now.

        Raises EndpointError where none is well.
        """
        alone = len(self.places) == 1
        well = [
            place
            for number, place in enumerate(self.places)
            if number not in tried and (alone or place.health.out_until <= self.now())
        ]
        if not well:
            said = "; ".join(dict.fromkeys(p.health.said for p in self.places if p.health.said))
            raise EndpointError(f"none of {len(self.places)} model servers is left: {said}")
        # One that was out gets one request at a time, until it has answered.
        free = [
            place
            for place in well
            if place.busy < (1 if place.health.in_row and not alone else place.endpoint.concurrency)
        ]
        return min(free, key=lambda place: place.load, default=None)


def at_once(endpoints: Sequence[Endpoint]) -> int:
    """Requests under way at all servers together: as many as leave everyone its share.

    With more, the limits would decide who gets how many, and no longer the weights.
    """
    total = sum(endpoint.share for endpoint in endpoints)
    return math.ceil(min(each.concurrency / each.share for each in endpoints) * total)


@asynccontextmanager
async def connect(
    endpoints: Sequence[Endpoint],
    health: Sequence[Health],
    client: Callable[[Endpoint], http.AsyncClient],
    lists: Callable[[Sequence[str]], bool],
    attempts: int,
) -> AsyncIterator[Pool]:
    """The pool, its connections open inside."""
    async with AsyncExitStack() as stack:
        places = [
            Place(
                endpoint,
                state,
                await stack.enter_async_context(client(endpoint)),
                None if endpoint.per_s is None else _limiter(endpoint.per_s),
            )
            for endpoint, state in zip(endpoints, health, strict=True)
        ]
        yield Pool(places, lists, attempts)


def _limiter(per_s: float) -> AsyncLimiter:
    """Lets one request through every 1 / per_s seconds: no burst at the start."""
    return AsyncLimiter(1, 1 / per_s)
