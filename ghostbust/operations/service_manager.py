"""Telling systemd how the service is: one datagram to the socket that ``NOTIFY_SOCKET`` names.

The protocol is sd_notify(3)'s. A name that begins with ``@`` is an abstract socket.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

from ghostbust.shown import visible

log = logging.getLogger(__name__)

SEND_S: Final = 1.0
"""how long systemd may take to make room for a datagram"""
LONGEST_STATUS: Final = 200
"""characters of a status line"""


class ServiceManager:
    """Whoever started this process and wants to hear of it; where nobody does, nothing happens."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        """``address``: of its socket, None for none; ``watchdog_s``: silence it puts up with."""
        self._address = address
        self.watchdog_s = watchdog_s
        """seconds after which the service counts as hung; None where nobody watches"""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> ServiceManager:
        """As systemd told this process; a watchdog meant for another process is none."""
        watchdog_s = None
        period = environ.get("WATCHDOG_USEC", "")
        meant = environ.get("WATCHDOG_PID", "")
        if period.isdecimal() and int(period) and meant in ("", str(os.getpid())):
            watchdog_s = int(period) / 1e6
        address = environ.get("NOTIFY_SOCKET", "")
        return cls(address if address.startswith(("/", "@")) else None, watchdog_s)

    @property
    def listens(self) -> bool:
        """Whether anybody is told."""
        return self._address is not None

    def ready(self) -> None:
        """The service works, after a start or a reload."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """What it does, for ``systemctl status``: one line, whatever is in the text."""
        self._send(f"STATUS={visible(' '.join(text.split()))[:LONGEST_STATUS]}")

    def watchdog(self) -> None:
        """It isn't hung."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """It reads its settings again; `ready` says that it has."""
        monotonic_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        """It ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        """One datagram, taken within a second or not at all."""
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(SEND_S)
                out.sendto(message.encode("utf-8", "replace"), address)
        except OSError as exc:
            log.warning("systemd: can't be told %s (%s)", message.partition("=")[0], exc)
