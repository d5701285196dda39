"""Finds a command that runs a program without network and in a process tree of its own.

bubblewrap, where it is on PATH, also leaves nothing to be seen of the system's files but
Python and the libraries it needs, read-only, and the private folder. ``unshare`` comes with
nearly every Linux. Neither works where the kernel or a container forbids user namespaces, so
what counts is a probe, not that the command exists.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path

BASE_PYTHON = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
"""the interpreter itself, not a virtual environment's link to it: without site-packages they are
the same, and fewer folders have to be shown to the program"""
LAUNCHER = Path(__file__).with_name("launcher.py")
NIX = "/nix/store"
"""where Nix has everything, in thousands of folders: too many for a rule for each"""
SHOWN = tuple(
    dict.fromkeys(
        (
            "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", NIX,
            "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/zero",
            sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"),
            sysconfig.get_config_var("LIBDIR") or "/usr/lib", str(Path(sys.base_prefix, "lib")),
        )
    )
)  # fmt: skip
"""Python and shared libraries: what a program may read beside its own folder, without ``PACKAGES``
"""
PREFIXES = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix]
PACKAGES = tuple(
    dict.fromkeys(
        os.path.realpath(path) for path in site.getsitepackages(PREFIXES) if Path(path).is_dir()
    )
)
"""where packages are installed, which no program may read: a benchmark with its solutions may be
among them, and ghostbust itself"""


def _readable(path: str) -> list[str]:
    """What Landlock is to allow of ``path``: all of it, or, since no rule can take back a part,
    what lies in it beside ``PACKAGES``, and to list it. A rule for a link would be one for what it
    leads to, wherever that is."""
    if path == NIX or not any(f"{one}/".startswith(f"{path}/") for one in PACKAGES):
        return [path]
    if path in PACKAGES:
        return []
    entries = sorted(entry for entry in Path(path).iterdir() if not entry.is_symlink())
    inner = [_readable(str(entry)) for entry in entries]
    return [f"{path}/", *chain.from_iterable(inner)]


READABLE = tuple(
    dict.fromkeys(chain.from_iterable(_readable(os.path.realpath(path)) for path in SHOWN))
)
"""``SHOWN`` without ``PACKAGES``; of a path that ends in a slash only the names in it"""
# -I would ignore PYTHONHASHSEED, and with it the order of sets would differ from run to run;
# with this environment -s -P is the rest of what -I means.
INTERPRETER = (BASE_PYTHON, "-s", "-P", "-S", "-B", "-X", "utf8")
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
PROBE_S = 30.0
PROBE = """\
import os, socket, sys
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
except OSError:
    sys.exit(0 if os.getpid() < 9 else 1)
sys.exit(1)
"""
"""succeeds in a process tree of its own without a route to anywhere. Connecting a datagram
socket sends nothing, it only asks the kernel for a route; the address is one of those
kept for documentation (RFC 5737)"""


@dataclass(frozen=True, slots=True)
class Namespaces:
    """A command that puts what follows it behind namespaces."""

    name: str
    """empty where there are none"""
    command: tuple[str, ...]
    """``{folder}`` stands for the private folder, ``{room}`` for the size of its file system"""
    mounts: bool = False
    """whether the judge may mount a file system over the private folder before it gives up its
    privileges, in a mount namespace of its own"""

    def around(self, folder: str, room_bytes: int = 16 << 20) -> list[str]:
        """The command for a program whose private folder is ``folder``."""
        values = {"{folder}": folder, "{room}": str(room_bytes)}
        return [values.get(part, part) for part in self.command]


def _shown(*paths: str) -> tuple[str, ...]:
    """Options of bubblewrap that show ``paths`` read-only, where they exist."""
    return tuple(part for path in paths for part in ("--ro-bind-try", path, path))


def _among(paths: tuple[str, ...]) -> list[str]:
    """Those of ``paths`` that lie in ``SHOWN``."""
    shown = tuple(f"{os.path.realpath(path)}/" for path in SHOWN)
    return [path for path in paths if path.startswith(shown)]


def _bubblewrap(*folder: str) -> Namespaces:
    """bubblewrap with these options for the private folder."""
    return Namespaces(
        "bubblewrap",
        (
            "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1",
            "--cap-drop", "ALL",
            *_shown(*(path for path in SHOWN if not path.startswith("/dev"))),
            *(part for path in _among(PACKAGES) for part in ("--tmpfs", path)),
            *_shown(BASE_PYTHON, str(LAUNCHER)),  # which may lie in one of them
            "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev", "--remount-ro", "/dev",
            *folder, "--remount-ro", "/", "--chdir", "{folder}", "--",
        ),
    )  # fmt: skip


BUBBLEWRAP = _bubblewrap("--perms", "0700", "--size", "{room}", "--tmpfs", "{folder}")
OLD_BUBBLEWRAP = _bubblewrap("--bind", "{folder}", "{folder}")
"""for versions before 0.7 (2022), which can't limit the size of a file system"""
UNSHARE = Namespaces(
    "unshare",
    (
        "unshare", "--map-root-user", "--net", "--ipc", "--mount", "--pid", "--fork",
        "--kill-child", "--",
    ),
    mounts=True,
)  # fmt: skip
NONE = Namespaces("", ())
"""where nothing better works"""


@cache
def find_namespaces(path: str | None = None) -> Namespaces:
    """The strongest namespaces that work here, tried once: NONE where none do.

    Commands are looked for in the folders of ``path``; None for those of PATH.
    """
    for candidate in (BUBBLEWRAP, OLD_BUBBLEWRAP, UNSHARE):
        # The full path of the command, since the sandbox's environment has no PATH.
        command = shutil.which(candidate.command[0], path=path)
        if command is not None:
            found = replace(candidate, command=(command, *candidate.command[1:]))
            if _isolates(found):
                return found
    return NONE


def _isolates(namespaces: Namespaces) -> bool:
    """True if ``PROBE`` succeeds behind them."""
    try:
        with tempfile.TemporaryDirectory(prefix="ghostbust-run-") as folder:
            done = subprocess.run(
                [*namespaces.around(folder), *INTERPRETER, "-c", PROBE],
                env=ENVIRONMENT,
                cwd=folder,
                capture_output=True,
                timeout=PROBE_S,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
