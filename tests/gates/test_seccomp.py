from __future__ import annotations

import errno
import struct

import pytest

from ghostbust.gates.confinement import ALLOW, ERRNO, KILL, MACHINES, call_filter

DENIED = ERRNO | errno.EPERM


def _verdict(program: bytes, number: int, machine: str, *arguments: int) -> int:
    """What a filter says of a system call: a BPF machine for the four instructions it uses."""
    data = struct.pack(
        "<IIQ6Q", number, MACHINES[machine][1], 0, *arguments, *[0] * (6 - len(arguments))
    )
    code = list(struct.iter_unpack("<HBBI", program))
    loaded = place = 0
    while True:
        operation, if_true, if_false, value = code[place]
        place += 1
        match operation:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, value)
            case 0x15:
                place += if_true if loaded == value else if_false
            case 0x35:
                place += if_true if loaded >= value else if_false
            case 0x06:
                return int(value)


@pytest.mark.parametrize(
    ("machine", "number", "arguments", "verdict"),
    [
        ("x86_64", 0, (), ALLOW),  # read
        ("x86_64", 257, (), ALLOW),  # openat
        ("x86_64", 257, (0, 0, 0o2000102), ALLOW),  # openat, to make a file
        ("x86_64", 257, (0, 0, 0o20200002), DENIED),  # openat(O_TMPFILE)
        ("x86_64", 2, (0, 0o102), ALLOW),  # open, to make a file
        ("x86_64", 2, (0, 0o20200002), DENIED),  # open(O_TMPFILE)
        ("x86_64", 41, (), DENIED),  # socket
        ("x86_64", 57, (), DENIED),  # fork
        ("x86_64", 62, (), DENIED),  # kill
        ("x86_64", 101, (), DENIED),  # ptrace
        ("x86_64", 435, (), ERRNO | errno.ENOSYS),  # clone3
        ("x86_64", 0x40000000, (), ERRNO | errno.ENOSYS),  # x32's read
        ("x86_64", 72, (0, 3), ALLOW),  # fcntl(F_GETFL)
        ("x86_64", 72, (0, 8), DENIED),  # fcntl(F_SETOWN)
        ("x86_64", 16, (0, 0x5401), ALLOW),  # ioctl(TCGETS)
        ("x86_64", 16, (0, 0x5412), DENIED),  # ioctl(TIOCSTI)
        ("x86_64", 302, (0, 9, 0), ALLOW),  # prlimit64, asking
        ("x86_64", 302, (0, 9, 1), DENIED),  # prlimit64, setting
        ("x86_64", 302, (0, 9, 1 << 32), DENIED),
        ("aarch64", 63, (), ALLOW),  # read
        ("aarch64", 56, (0, 0, 0o102), ALLOW),  # openat, to make a file
        ("aarch64", 56, (0, 0, 0o20040002), DENIED),  # openat(O_TMPFILE)
        ("aarch64", 0, (), DENIED),  # io_setup
        ("aarch64", 198, (), DENIED),  # socket
        ("aarch64", 220, (), DENIED),  # clone
        ("aarch64", 25, (0, 8), DENIED),  # fcntl(F_SETOWN)
        ("aarch64", 261, (0, 9, 0), ALLOW),  # prlimit64, asking
    ],
)
def test_what_a_program_may_call(
    machine: str, number: int, arguments: tuple[int, ...], verdict: int
) -> None:
    assert _verdict(call_filter(machine=machine), number, machine, *arguments) == verdict


@pytest.mark.parametrize(("machine", "kill"), [("x86_64", 62), ("aarch64", 129)])
def test_the_judge_may_also_kill(machine: str, kill: int) -> None:
    assert _verdict(call_filter(judge=True, machine=machine), kill, machine) == ALLOW
    assert _verdict(call_filter(machine=machine), kill, machine) == DENIED


def test_calls_in_the_numbering_of_another_machine_end_the_process() -> None:
    program = call_filter(machine="x86_64")
    assert _verdict(program, 0, "aarch64") == KILL


def test_other_machines_have_no_filter() -> None:
    assert call_filter(machine="riscv64") == b""
