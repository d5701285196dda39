"""Gives up what a process may do, before model-written code runs in it. Nothing can undo it.

All of it by system calls that need no privilege, through ctypes. What the kernel doesn't have is
left out silently: the probes of ``gates.layers`` say what holds.
"""

from __future__ import annotations

# The module signal imports enum, which takes longer than all of this.
import _signal  # type: ignore[import-not-found]
import ctypes
import os
import resource
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
MS_NOSUID, MS_NODEV = 2, 4
CAPABILITY_VERSION = 0x20080522
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every machine
RULE_PATH_BENEATH = 1

# Rights of Landlock, by bit (linux/landlock.h).
WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_REG, TRUNCATE = 1, 2, 3, 5, 8, 14
FS_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""ABI version -> how many rights on files there are, counted from bit 0; later ones as the last"""
NET_RIGHTS = 0b11
"""bind and connect TCP, from ABI 4"""
SCOPES = 0b11
"""abstract sockets and signals, from ABI 6"""

FOLDER = 4
"""the type of a file, in the upper bits of its mode"""

_libc = ctypes.CDLL(None, use_errno=True)


def limit(cpu_s: int, memory_bytes: int, file_bytes: int) -> None:
    """Sets the resource limits, for this process and whatever it starts."""
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)  # a write over the limit is an OSError
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_NICE, 0, 0),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_SIGPENDING, 64, 64),
    ):
        lower(kind, soft, hard)


def lower(kind: int, soft: int, hard: int) -> None:
    """Sets one limit; one that is lower already can't be raised, and stays."""
    allowed = resource.getrlimit(kind)[1]
    most = sys.maxsize if allowed == resource.RLIM_INFINITY else allowed
    resource.setrlimit(kind, (min(soft, most), min(hard, most)))


def hide() -> None:
    """No other process of this user may look inside: neither at memory nor at what is open."""
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_up_privileges() -> None:
    """No capabilities, and none to be won by exec."""
    header = struct.pack("<Ii", CAPABILITY_VERSION, 0)
    _libc.capset(header, bytes(24))
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """This process is killed when ``parent`` ends; at once, where it has ended already."""
    _libc.prctl(PR_SET_PDEATHSIG, int(_signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def bound_folder(folder: str, most_bytes: int, most_files: int) -> None:
    """Puts a file system in memory over ``folder``, which is twice as large as the limits.

    Only for a process in a mount namespace of its own. Twice, so that a program that exceeds its
    limits is seen to do so, and doesn't just meet the end of the file system.
    """
    options = f"size={2 * most_bytes},nr_inodes={2 * most_files + 2},mode=0700"
    _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID | MS_NODEV, options.encode())
    os.chdir(folder)  # the folder that was there before is below it now


def landlock_version() -> int:
    """The version of Landlock's interface in this kernel; 0 without Landlock."""
    return max(0, int(_libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def allow_files(readable: list[str], folder: str) -> None:
    """From now on only ``readable`` can be read, and files be made and written in ``folder``.

    Of a path that ends in a slash only names can be read, there and below. Nothing is done if
    ``readable`` is empty.

    Beside files, what Landlock holds depends on the kernel's version: TCP (6.7), signals to
    other processes and abstract sockets (6.12), looking into other processes (always).
    """
    version = landlock_version() if readable else 0
    if not version:
        return
    rights = (1 << FS_RIGHTS_OF_ABI.get(version, 16)) - 1
    attributes = struct.pack(
        "<QQQ", rights, NET_RIGHTS if version >= 4 else 0, SCOPES if version >= 6 else 0
    )[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return
    reading = 1 << READ_FILE | 1 << READ_DIR
    writing = 1 << WRITE_FILE | 1 << REMOVE_FILE | 1 << MAKE_REG | 1 << TRUNCATE
    for path in readable:
        _allow(ruleset, path, (1 << READ_DIR if path.endswith("/") else reading) & rights)
    _allow(ruleset, folder, (reading | writing) & rights)
    _allow(ruleset, os.devnull, (1 << READ_FILE | 1 << WRITE_FILE) & rights)
    _libc.syscall(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this system
        return
    if os.fstat(place).st_mode >> 12 != FOLDER:
        rights &= ~(1 << READ_DIR)
    rule = struct.pack("<Qi", rights, place)
    _libc.syscall(LANDLOCK_ADD, ruleset, RULE_PATH_BENEATH, rule, 0)
    os.close(place)


def filter_calls(program: bytes) -> None:
    """Only the system calls that the BPF ``program`` lets through work from now on."""
    if not program:
        return
    code = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0)
