"""systemd: what it is sent while the daemon runs, and the unit file for this installation."""

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

log = logging.getLogger(__name__)

SEND_S: Final = 1.0
"""how long systemd may take to make room for a datagram"""
LONGEST_STATUS: Final = 200
"""characters of a status line"""
BEAT_S: Final = 5.0
"""between two beats, unless the watchdog needs more of them"""
FIRST_BEAT_S: Final = 0.1
"""between two beats until the schedule has begun"""


class ServiceManager:
    """Sends states to the socket in ``NOTIFY_SOCKET`` as sd_notify(3) does; without one, nothing.

    A name that begins with ``@`` is an abstract socket.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        """``address``: of its socket, None for none; ``watchdog_s``: longest silence it accepts."""
        self._address = address
        self.watchdog_s = watchdog_s
        """seconds after which the service counts as hung; None without a watchdog"""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> ServiceManager:
        """From systemd's variables. A watchdog of another process doesn't count."""
        watchdog_s = None
        period = environ.get("WATCHDOG_USEC", "")
        meant = environ.get("WATCHDOG_PID", "")
        if period.isdecimal() and int(period) and meant in ("", str(os.getpid())):
            watchdog_s = int(period) / 1e6
        address = environ.get("NOTIFY_SOCKET", "")
        return cls(address if address.startswith(("/", "@")) else None, watchdog_s)

    @property
    def listens(self) -> bool:
        """Whether there is a socket."""
        return self._address is not None

    def ready(self) -> None:
        """The service works, after a start or a reload."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """The status of ``systemctl status``: one line, whatever is in the text."""
        self._send(f"STATUS={visible(' '.join(text.split()))[:LONGEST_STATUS]}")

    def watchdog(self) -> None:
        """The service isn't hung."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """The service reads its settings again; `ready` ends that."""
        monotonic_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        """Sends one datagram within a second, or logs a warning."""
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(SEND_S)
                out.sendto(message.encode("utf-8", "replace"), address)
        except OSError as exc:
            log.warning("systemd: can't be told %s (%s)", message.partition("=")[0], exc)


class Pulse:
    """A companion that sends READY once the schedule runs, and WATCHDOG as long as it does.

    It keeps sending during a long job, and stops when the schedule has died.
    """

    def __init__(
        self,
        manager: ServiceManager,
        alive: Callable[[], bool],
        stopping: threading.Event,
        shown: Callable[[str], str] = str,
    ) -> None:
        """``alive``: whether the schedule runs. ``shown``: removes secrets and prompts."""
        self._manager = manager
        self._alive = alive
        self._stopping = stopping
        self._shown = shown
        self._told_ready = self._told_stopping = self._told_dead = False
        beat_s = min(BEAT_S, (manager.watchdog_s or BEAT_S * 3) / 3)
        self._beats = Repeating("systemd", self._beat, beat_s)
        self._first = Repeating("systemd", self._begin, FIRST_BEAT_S)

    def start(self) -> None:
        """Begins to send, if there is a socket."""
        if self._manager.listens:
            self._first.start()
            self._beats.start()

    def stop(self) -> None:
        """Sends STOPPING, unless that was sent."""
        self._first.stop()
        self._beats.stop()
        if not self._told_stopping:
            self._manager.stopping()

    def job_done(self, done: JobDone) -> None:
        """Makes the end of the job the status line."""
        reason = f": {done.reason}" if done.reason else ""
        self._manager.status(self._shown(f"{done.name} {done.state}, {done.seconds:.0f} s{reason}"))

    def _begin(self) -> None:
        """Sends READY as soon as the schedule has begun."""
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
            self._manager.watchdog()  # a job may take some time to end
        elif not self._told_ready:
            return
        elif self._alive():
            self._manager.watchdog()
        elif not self._told_dead:
            self._told_dead = True
            log.error("daemon: the schedule has died; a watchdog of systemd starts it anew")


# The unit file that is shipped, with this installation's program and home folder in it.

NAME: Final = "ghostbust.service"
FOLDERS: Final = (
    Path("/etc/systemd/system"), Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"), Path("~/.config/systemd/user"),
)  # fmt: skip
"""where a unit may be installed; the first one counts"""
_HOMES: Final = ("/home", "/root", "/run/user")
"""where ``ProtectHome=yes`` shows empty folders"""
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 (compared with, not written to)
"""where ``PrivateTmp=yes`` shows empty folders"""


def shipped_unit() -> str:
    """The shipped unit: the program in /opt/ghostbust, the home in /var/lib."""
    return (files("ghostbust.data") / NAME).read_text("utf-8")


def unit_for(home: Path | None, config: Path | None, program: Path | None = None) -> str:
    """The unit for this installation.

    ``home``: instead of /var/lib/ghostbust; ``config``: a settings file; both absolute.
    ``program``: None for the one that runs. systemd doesn't create a home elsewhere: it must exist
    and belong to the service's user.
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
    if program is None:  # its interpreter or checkout may lie elsewhere
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
    """The unit file that systemd would read; None if none of this name is installed."""
    places = (folder.expanduser() / NAME for folder in folders)
    return next((place for place in places if place.is_file()), None)


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Every key and value of a unit file, whatever its section."""
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            yield key.strip(), value.strip()


def program_of(text: str) -> str | None:
    """The program that the unit starts; None if there is none, or it can't be parsed."""
    commands = [value for key, value in entries(text) if key == "ExecStart" and value]
    try:
        words = shlex.split(commands[-1].lstrip("-@:+!")) if commands else []
    except ValueError:
        return None
    return words[0] if words else None


def _is_below(path: Path, places: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def _words(words: list[str]) -> str:
    """The words as systemd splits them; ``$`` is doubled, since systemd expands it."""
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _quoted(text: str) -> str:
    """The text as one word of a unit file; ``%`` is doubled, since it begins a specifier."""
    text = text.replace("%", "%%")
    if not set(text) & set(" \t\"'\\;"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
