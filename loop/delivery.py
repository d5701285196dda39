"""Handing a JSON document to a webhook or to a program. Both say what went wrong, or nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

import httpx
import stamina

from ghostbust.http import ask
from ghostbust.loop.leash import leashed
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
    doubled each time. ``timeout_s`` is for an attempt as a whole, up to the answer's status: what
    else the webhook says isn't read. Raises ConfigError for certificates that can't be used.
    """
    sent = {"Content-Type": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
    try:
        for attempt in stamina.retry_context(
            on=_again, attempts=attempts, timeout=None,
            wait_initial=wait_s, wait_max=LONGEST_WAIT_S, wait_jitter=wait_s,
        ):  # fmt: skip
            with attempt:
                answer = ask(
                    "POST", url, content=body, headers=sent, total_s=timeout_s, max_bytes=None,
                    verify=trusted(),
                )  # fmt: skip
                answer.raise_for_status()
    except httpx.HTTPStatusError as exc:
        return f"the webhook answered HTTP {exc.response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return f"the webhook can't be reached ({type(exc).__name__})"
    return ""


def run(command: Sequence[str], body: bytes, *, timeout_s: float) -> str:
    """Gives the document to the program; what went wrong, else empty. No shell is involved.

    It doesn't outlive this process, nor its time: then all that is left of its process group ends.
    """
    if shutil.which(command[0]) is None:
        return f"the program {command[0]} failed (FileNotFoundError)"
    try:
        program = subprocess.Popen(
            leashed([*command]),
            stdin=subprocess.PIPE,
            env={**os.environ, **for_users_program()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        return f"the program {command[0]} failed ({type(exc).__name__})"
    with program:
        try:
            program.communicate(body, timeout_s)
        except (OSError, subprocess.TimeoutExpired) as exc:
            return f"the program {command[0]} failed ({type(exc).__name__})"
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
    return f"the program {command[0]} ended with {program.returncode}" if program.returncode else ""


def _again(exc: Exception) -> bool:
    if isinstance(exc, httpx.HTTPStatusError):
        return exc.response.status_code in _AGAIN
    return isinstance(exc, httpx.TransportError)
