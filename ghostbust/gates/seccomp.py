"""The filters of system calls, as programs for the kernel's BPF machine.

A list of what is allowed, since calls are added to Linux faster than anyone lists what is
dangerous: what a Python program needs that computes, allocates, keeps time and reads and
writes files. Not on it, among others: sockets, processes and threads, signals to anybody,
exec, mounts, namespaces, ptrace, keyrings, io_uring, userfaultfd, memfd, files without a name,
shared memory, message queues, inotify, changing limits, priorities, owners and modes, making links
and folders, deleting. Those fail with EPERM; calls newer than ``FIRST_NEW``, which a C library
tries before it falls back on older ones, with ENOSYS.

Source of the numbers: asm/unistd_64.h (x86-64), asm-generic/unistd.h (arm64); of the form:
linux/filter.h, linux/seccomp.h. On other machines there is no filter.
"""

from __future__ import annotations

import errno
import platform
import struct

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
