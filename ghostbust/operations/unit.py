"""The systemd unit that is shipped, with this installation's program and home folder in it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

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
