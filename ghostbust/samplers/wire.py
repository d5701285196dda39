"""One JSON question to a model server: retries, and every failure as one clear line."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx
import stamina
from pydantic import BaseModel, ValidationError

from ghostbust.errors import EndpointError, RefusedError
from ghostbust.http import TooLargeError, ask_by
from ghostbust.records import utc_now

ATTEMPTS: Final = 5
WAIT_FLOOR_S: Final = 0.5
"""shortest wait after a Retry-After; servers do say 0"""
WAIT_LONGEST_S: Final = 60.0
"""longest Retry-After that is waited for; a server that asks for more gets an EndpointError"""
QUOTED_CHARACTERS: Final = 200
"""how much of a server's own error message is passed on"""
_AGAIN_STATUSES: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_REFUSALS: Final = frozenset({400, 413, 422})
"""what is wrong with the request, whichever server gets it"""

Answer = TypeVar("Answer", bound=BaseModel)


async def request_json(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    body: Mapping[str, object] | None,
    answer: type[Answer],
    *,
    attempts: int = ATTEMPTS,
) -> Answer:
    """The server's reply, checked to have the fields of ``answer``.

    Asks again, after a jittered and growing wait or what Retry-After says, on 408, 409, 425,
    429, 5xx, time-outs and lost connections. The client's time-out for a read is the limit for a
    whole reply. Raises EndpointError when the attempts are used
    up, and at once for any other status and for a reply that isn't what was asked for:
    RefusedError where another server wouldn't answer it either.
    """
    where = f"{client.base_url.netloc.decode()}{client.base_url.path.rstrip('/')}{path}"
    try:
        async for attempt in stamina.retry_context(
            on=_again, attempts=attempts, timeout=None, wait_initial=0.5, wait_max=20
        ):
            with attempt:
                response = await ask_by(
                    client, method, path, json=body, total_s=client.timeout.read
                )
                response.raise_for_status()
        return answer.model_validate_json(response.content)
    except httpx.HTTPStatusError as exc:
        kind = RefusedError if exc.response.status_code in _REFUSALS else EndpointError
        raise kind(_refusal(where, exc.response)) from None
    except httpx.TimeoutException as exc:
        raise EndpointError(f"{where} didn't answer in time; is the server overloaded?") from exc
    except TooLargeError as exc:
        raise EndpointError(f"{where}: {exc}; is it an OpenAI-compatible server?") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise EndpointError(f"can't reach {where} ({type(exc).__name__}); does it run?") from exc
    except ValidationError as exc:
        raise EndpointError(f"{where}: {_misfit(exc)}; is it an OpenAI-compatible server?") from exc


def _again(exc: Exception) -> bool | float:
    """Whether to ask again: False, True for the usual wait, or the seconds to wait."""
    if not isinstance(exc, httpx.HTTPStatusError):
        return isinstance(exc, httpx.TransportError)
    if exc.response.status_code not in _AGAIN_STATUSES:
        return False
    asked_s = _retry_after_s(exc.response)
    if asked_s is None:
        return True
    jitter_s = random.uniform(0, WAIT_FLOOR_S)  # noqa: S311
    return asked_s <= WAIT_LONGEST_S and max(asked_s, WAIT_FLOOR_S) + jitter_s


def _retry_after_s(response: httpx.Response) -> float | None:
    """What Retry-After asks for, in seconds or as a date; None without a readable one."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - utc_now()).total_seconds())


def _refusal(where: str, response: httpx.Response) -> str:
    """One line for a status that ended the attempts. Quotes no answer that may quote the key."""
    status = response.status_code
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return f"{where} answered {status}: it doesn't accept the API key (or wants one)"
    if status == httpx.codes.NOT_FOUND:
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
