"""What is put around a program, as far as this system has it: filters of system calls (seccomp),
namespaces (bubblewrap or unshare), and the files that Landlock lets it read.
"""

from __future__ import annotations

import errno
import os
import platform
import shutil
import site
import struct
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path

# The filters of system calls, as programs for the kernel's BPF machine.
#
# A list of what is allowed, since calls are added to Linux faster than anyone lists what is
# dangerous: what a Python program needs that computes, allocates, keeps time and reads and writes
# files. Not on it, among others: sockets, processes and threads, signals to anybody, exec, mounts,
# namespaces, ptrace, keyrings, io_uring, userfaultfd, memfd, files without a name, shared memory,
# message queues, inotify, changing limits, priorities, owners and modes, making links and folders,
# deleting. Those fail with EPERM; calls newer than ``FIRST_NEW``, which a C library tries before it
# falls back on older ones, with ENOSYS.
#
# Source of the numbers: asm/unistd_64.h (x86-64), asm-generic/unistd.h (arm64); of the form:
# linux/filter.h, linux/seccomp.h. On other machines there is no filter.

ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # files that are open, and opening more
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80),
    "newfstatat": (262, 79), "stat": (4, None), "lstat": (6, None), "statx": (332, 291),
    "lseek": (8, 62), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65),
    "writev": (20, 66), "access": (21, None), "faccessat": (269, 48),
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "ftruncate": (77, 46),
    "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49),
    "readlink": (89, None), "readlinkat": (267, 78), "statfs": (137, 43), "fstatfs": (138, 44),
    "fadvise64": (221, 223), "umask": (95, 166), "select": (23, None), "pselect6": (270, 72),
    "poll": (7, None), "ppoll": (271, 73),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214),
    "mremap": (25, 216), "madvise": (28, 233), "membarrier": (324, 283),
    # its own signals, and time
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132),
    "pause": (34, None), "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None),
    "times": (100, 153), "getrusage": (98, 165), "restart_syscall": (219, 128),
    # asking what it is, and ending
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158),
    "getpgrp": (111, None), "getpgid": (121, 155), "getsid": (124, 156), "uname": (63, 160),
    "sysinfo": (99, 179), "getrlimit": (97, 163), "getcpu": (309, 168),
    "getrandom": (318, 278), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "exit": (60, 93),
    "exit_group": (231, 94),
}  # fmt: skip
"""name -> its number on x86-64 and arm64; None where there is no such call"""
COMMANDS: dict[str, tuple[tuple[int, int], tuple[int, ...]]] = {
    "fcntl": ((72, 25), (0, 1, 2, 3, 4, 1030)),  # duplicate, close-on-exec, status flags
    "ioctl": ((16, 29), (0x5401, 0x5450, 0x5451)),  # is it a terminal, close-on-exec
}
"""calls whose second argument must be one of these: nothing that signals another process, or
types into a terminal"""
OPEN: dict[str, tuple[tuple[int | None, int | None], int]] = {
    "open": ((2, None), 1), "openat": ((257, 56), 2),
}  # fmt: skip
"""calls that open a file, and which argument has the flags"""
NAMELESS = 0o20000000
"""O_TMPFILE without O_DIRECTORY, the highest of all flags, on either machine. Refused, since a file
without a name is found in no folder, so that no limit on files would see it"""
PRLIMIT64 = (302, 261)
"""allowed to read a limit: with no new one, which is its third argument"""
FOR_THE_JUDGE = {
    "kill": (62, 129), "wait4": (61, 260), "waitid": (247, 95), "unlink": (87, None),
    "unlinkat": (263, 35),
}  # fmt: skip
FIRST_NEW = 424
"""from here on all machines number system calls alike (Linux 5.1)"""
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""machine -> its column above, and its AUDIT_ARCH (linux/audit.h)"""

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
"""offsets in struct seccomp_data"""


def call_filter(*, judge: bool = False, machine: str | None = None) -> bytes:
    """The filter for a program, or for the process that judges it, which may end the program.

    Empty on a ``machine`` that isn't known here; None stands for this one.
    """
    column, architecture = MACHINES.get(machine or platform.machine(), (0, 0))
    if not architecture:
        return b""
    allowed = [*ALLOWED.values(), *(FOR_THE_JUDGE.values() if judge else ())]
    code = [_op(LOAD, ARCHITECTURE), _op(EQUAL, architecture, 1, 0), _op(RETURN, KILL)]
    code.append(_op(LOAD, NUMBER))
    for numbers in allowed:
        number = numbers[column]
        if number is not None:
            code += [_op(EQUAL, number, 0, 1), _op(RETURN, ALLOW)]
    for numbers, values in COMMANDS.values():
        code += _if_call(numbers[column], _one_of(1, values))
    for numbers, flags in OPEN.values():
        number = numbers[column]
        if number is not None:
            code += _if_call(number, _below(flags, NAMELESS))
    code += _if_call(PRLIMIT64[column], _is_null(2))
    code += [_op(AT_LEAST, FIRST_NEW, 0, 1), _op(RETURN, ERRNO | errno.ENOSYS)]
    code.append(_op(RETURN, ERRNO | errno.EPERM))
    return b"".join(code)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction, a struct sock_filter; the last two say how many to skip."""
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _if_call(number: int, then: list[bytes]) -> list[bytes]:
    """For the call ``number`` decides ``then``, which must return."""
    return [_op(EQUAL, number, 0, len(then)), *then]


def _one_of(argument: int, values: tuple[int, ...]) -> list[bytes]:
    """Allows if the lower half of an argument is one of ``values``."""
    code = [_op(LOAD, ARGUMENTS + 8 * argument)]
    for value in values:
        code += [_op(EQUAL, value, 0, 1), _op(RETURN, ALLOW)]
    return [*code, _op(RETURN, ERRNO | errno.EPERM)]


def _below(argument: int, value: int) -> list[bytes]:
    """Allows if the lower half of an argument is less than ``value``."""
    return [
        _op(LOAD, ARGUMENTS + 8 * argument),
        _op(AT_LEAST, value, 0, 1), _op(RETURN, ERRNO | errno.EPERM), _op(RETURN, ALLOW),
    ]  # fmt: skip


def _is_null(argument: int) -> list[bytes]:
    """Allows if both halves of an argument are 0."""
    low = ARGUMENTS + 8 * argument
    refuse, allow = _op(RETURN, ERRNO | errno.EPERM), _op(RETURN, ALLOW)
    return [
        _op(LOAD, low), _op(EQUAL, 0, 1, 0), refuse,
        _op(LOAD, low + 4), _op(EQUAL, 0, 1, 0), refuse, allow,
    ]  # fmt: skip


# Commands that run a program without network and in a process tree of its own.
#
# bubblewrap, where it is on PATH, also hides all of the system's files but Python and the libraries
# it needs, read-only, and the private folder. ``unshare`` comes with nearly every Linux. Neither
# works where the kernel or a container forbids user namespaces, so a probe decides, not that the
# command exists.

BASE_PYTHON = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
"""the interpreter itself, not a virtual environment's link to it: without site-packages they are
the same, and the program has to see fewer folders"""
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
    """What Landlock allows of ``path``: all of it, or, where ``PACKAGES`` lie in it, everything
    beside them, and to list it, since no rule can take back a part. A rule for a link would be one
    for its target, wherever that is."""
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
    """True where the judge has a mount namespace of its own, and may mount a file system over the
    private folder before it gives up its privileges"""

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
    """The strongest namespaces that work here, tried once; NONE where none do.

    Commands are searched in the folders of ``path``; None stands for those of PATH.
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


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is put around a program, beside the limits that every system has."""

    namespaces: Namespaces
    readable: tuple[str, ...]
    """files and folders that Landlock lets it read; empty: Landlock isn't used"""
    judge_calls: bytes
    """filter of the judge's system calls; empty: none"""
    program_calls: bytes
    """filter of the program's own system calls; empty: none"""


BARE = Confinement(NONE, (), b"", b"")
"""nothing but limits"""


@cache
def find_confinement() -> Confinement:
    """The strongest that works here. Landlock does nothing where the kernel lacks it."""
    return Confinement(find_namespaces(), READABLE, call_filter(judge=True), call_filter())
