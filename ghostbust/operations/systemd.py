"""The systemd unit that is shipped, with this installation's program and home folder in it."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from ghostbust.loop.signals import JobDone
from ghostbust.operations.repeating import Repeating
from ghostbust.text import visible

# --- service_manager
# Telling systemd how the service is: one datagram to the socket that ``NOTIFY_SOCKET`` names.
#
# The protocol is sd_notify(3)'s. A name that begins with ``@`` is an abstract socket.

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


# --- pulse
# The daemon's pulse, as systemd feels it: READY once it works, WATCHDOG as long as it does.

BEAT_S: Final = 5.0
"""how often it is felt, where the watchdog doesn't ask for more"""
FIRST_BEAT_S: Final = 0.1
"""how often until the schedule has begun"""


class Pulse:
    """A companion. A long job is no reason for silence; a schedule that has died is."""

    def __init__(
        self,
        manager: ServiceManager,
        alive: Callable[[], bool],
        stopping: threading.Event,
        shown: Callable[[str], str] = str,
    ) -> None:
        """``alive``: whether the schedule goes on. ``shown``: takes out what mustn't be seen."""
        self._manager = manager
        self._alive = alive
        self._stopping = stopping
        self._shown = shown
        self._told_ready = self._told_stopping = self._told_dead = False
        beat_s = min(BEAT_S, (manager.watchdog_s or BEAT_S * 3) / 3)
        self._beats = Repeating("systemd", self._beat, beat_s)
        self._first = Repeating("systemd", self._begin, FIRST_BEAT_S)

    def start(self) -> None:
        """Begins to tell, where anybody listens."""
        if self._manager.listens:
            self._first.start()
            self._beats.start()

    def stop(self) -> None:
        """The last word."""
        self._first.stop()
        self._beats.stop()
        if not self._told_stopping:
            self._manager.stopping()

    def job_done(self, done: JobDone) -> None:
        """Makes it the status line."""
        reason = f": {done.reason}" if done.reason else ""
        self._manager.status(self._shown(f"{done.name} {done.state}, {done.seconds:.0f} s{reason}"))

    def _begin(self) -> None:
        """Tells READY as soon as the schedule has begun."""
        if not self._told_ready and self._alive():
            self._told_ready = True
            self._manager.ready()
            self._manager.status("the schedule has begun")
            self._first.stop()

    def _beat(self) -> None:
        if self._stopping.is_set():
            if not self._told_stopping:
                self._told_stopping = True
                self._manager.stopping()
            self._manager.watchdog()  # a job has its time to end
        elif not self._told_ready:
            return
        elif self._alive():
            self._manager.watchdog()
        elif not self._told_dead:
            self._told_dead = True
            log.error("daemon: the schedule has died; a watchdog of systemd starts it anew")


# --- unit
# The systemd unit that is shipped, with this installation's program and home folder in it.

NAME: Final = "ghostbust.service"
FOLDERS: Final = (
    Path("/etc/systemd/system"), Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"), Path("~/.config/systemd/user"),
)  # fmt: skip
"""where a unit may be installed, the first one counts"""
_HOMES: Final = ("/home", "/root", "/run/user")
"""where ``ProtectHome=yes`` shows empty folders"""
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 (compared with, not written to)
"""where ``PrivateTmp=yes`` shows empty folders"""


def shipped_unit() -> str:
    """The unit as it is shipped: the program in /opt/ghostbust, the home in /var/lib."""
    return (files("ghostbust.data") / NAME).read_text("utf-8")


def unit_for(home: Path | None, config: Path | None, program: Path | None = None) -> str:
    """The unit for this installation.

    ``home``: where another folder than /var/lib/ghostbust is wanted, ``config``: where a settings
    file was given, both absolute; ``program``: None for the one that runs. A home elsewhere isn't
    systemd's to make: it must be there, and the service user's own.
    """
    started = program or Path(sys.executable).with_name("ghostbust")
    words = [str(started), "daemon"] + ([] if config is None else ["--config", str(config)])
    changed = {"ExecStart": [f"ExecStart={_words(words)}"]}
    if home is not None:
        changed |= {"StateDirectory": [], "StateDirectoryMode": []}
        changed["Environment=GHOSTBUST_HOME"] = [
            f"Environment={_quoted(f'GHOSTBUST_HOME={home}')}",
            f"ReadWritePaths={_quoted(str(home))}",
        ]
    needed = [path for path in (started, home, config) if path is not None]
    if program is None:  # what runs it may lie elsewhere: an interpreter, a checkout
        needed += map(Path, (sys.prefix, sys.base_prefix, __file__))
    needed += [path.resolve() for path in needed]
    if any(_is_below(path, _HOMES) for path in needed):
        changed["ProtectHome"] = ["ProtectHome=read-only"]
    if any(_is_below(path, _TEMPORARY) for path in needed):
        changed["PrivateTmp"] = ["PrivateTmp=no"]
    lines = []
    for line in shipped_unit().splitlines():
        key = line.rpartition("=")[0] if line.startswith("Env") else line.partition("=")[0]
        lines += changed.get(key, [line])
    return "\n".join(lines) + "\n"


def installed_unit(folders: tuple[Path, ...] = FOLDERS) -> Path | None:
    """The unit file that systemd would read; None where none is installed under its name."""
    places = (folder.expanduser() / NAME for folder in folders)
    return next((place for place in places if place.is_file()), None)


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Every key and value of a unit file, whatever its section."""
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            yield key.strip(), value.strip()


def program_of(text: str) -> str | None:
    """The program that the unit starts; None where it says none, or what can't be read."""
    commands = [value for key, value in entries(text) if key == "ExecStart" and value]
    try:
        words = shlex.split(commands[-1].lstrip("-@:+!")) if commands else []
    except ValueError:
        return None
    return words[0] if words else None


def _is_below(path: Path, places: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def _words(words: list[str]) -> str:
    """The words as systemd splits them again; it would replace a bare ``$`` in a command."""
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _quoted(text: str) -> str:
    """The text as one word of a unit file, in which ``%`` begins a specifier."""
    text = text.replace("%", "%%")
    if not set(text) & set(" \t\"'\\;"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
