"""Whether a user's own registry answers, and what time it thinks it is. Asks one question."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Verdict, utc_now
from ghostbust.registries.asking import CANARIES
from ghostbust.registries.live import close_clients, live_registries, open_clients
from ghostbust.registries.transport import Patience


@dataclass(frozen=True, slots=True)
class Reached:
    """A registry that answered."""

    where: str
    """its host"""
    wall_s: float
    """until its answer was there"""
    ahead: timedelta | None
    """how far its clock is ahead of this machine's; None where it doesn't say the time"""


def reach(ecosystem: Ecosystem, npm_project: Path | None = None) -> Reached:
    """Asks the registry of pip's or npm's configuration for a name that it must have, once.

    ``npm_project``: the folder whose ``.npmrc`` counts; None: no folder's. Raises RegistryError
    where it gives no usable answer or lacks the name, ConfigError for settings of pip or npm that
    can't be used.
    """
    return asyncio.run(_reach(ecosystem, npm_project))


def ahead_of_us(response: httpx.Response) -> timedelta | None:
    """How far the sender's clock is ahead, to the second; None without a Date that can be read."""
    try:
        return parsedate_to_datetime(response.headers["Date"]) - utc_now()
    except (KeyError, TypeError, ValueError):
        return None


async def _reach(ecosystem: Ecosystem, npm_project: Path | None) -> Reached:
    clients = open_clients(npm_project)
    heard: list[tuple[str, timedelta | None]] = []

    async def note(response: httpx.Response) -> None:
        heard.append((urlsplit(str(response.url)).netloc.rpartition("@")[2], ahead_of_us(response)))

    try:
        for client in clients.values():
            client.http.event_hooks = {**client.http.event_hooks, "response": [note]}
        once = {
            eco: replace(client, patience=Patience(attempts=1)) for eco, client in clients.items()
        }
        began = time.monotonic()
        registries = live_registries(once, npm_project=npm_project)
        found = await registries[ecosystem].look_up(CANARIES[ecosystem])
        wall_s = time.monotonic() - began
    finally:
        await close_clients(clients)
    where, ahead = heard[-1]
    if found.verdict is not Verdict.REAL:
        raise RegistryError(
            f"{where} doesn't have {CANARIES[ecosystem]!r}, which every such registry has: check"
            " its address in pip's or npm's configuration"
        )
    return Reached(where, wall_s, ahead)
