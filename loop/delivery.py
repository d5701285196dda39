"""Handing a JSON document to a webhook or to a program. Both say what went wrong, or nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

import httpx
import stamina

from ghostbust.registries.transport import USER_AGENT
from ghostbust.registries.trust import trusted
from ghostbust.safe_path import for_users_program

LONGEST_WAIT_S: Final = 10.0
"""between two attempts at a webhook"""
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


def post(
    url: str,
    body: bytes,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    attempts: int = 1,
    wait_s: float = 0.5,
) -> str:
    """Posts the document; what went wrong, without the address, which may hold a secret, or empty.

    Asks again, so many times in all, where that may help; ``wait_s`` is before the second attempt,
    doubled each time. Raises ConfigError for certificates that can't be used.
    """
    sent = {"Content-Type": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
    try:
        for attempt in stamina.retry_context(
            on=_again, attempts=attempts, timeout=None,
            wait_initial=wait_s, wait_max=LONGEST_WAIT_S, wait_jitter=wait_s,
        ):  # fmt: skip
            with attempt, httpx.Client(timeout=timeout_s, verify=trusted()) as client:
                client.post(url, content=body, headers=sent).raise_for_status()
    except httpx.HTTPStatusError as exc:
        return f"the webhook answered HTTP {exc.response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return f"the webhook can't be reached ({type(exc).__name__})"
    return ""


def run(command: Sequence[str], body: bytes, *, timeout_s: float) -> str:
    """Gives the document to the program; what went wrong, else empty. No shell is involved."""
    try:
        done = subprocess.run(
            command,
            input=body,
            env={**os.environ, **for_users_program()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"the program {command[0]} failed ({type(exc).__name__})"
    return f"the program {command[0]} ended with {done.returncode}" if done.returncode else ""


def _again(exc: Exception) -> bool:
    if isinstance(exc, httpx.HTTPStatusError):
        return exc.response.status_code in _AGAIN
    return isinstance(exc, httpx.TransportError)
