"""Filters of system calls in a model of the kernel's machine; what is put around programs."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from pathlib import Path

import pytest

from ghostbust.gates.confinement import (
    ALLOW,
    BUBBLEWRAP,
    ENVIRONMENT,
    ERRNO,
    INTERPRETER,
    KILL,
    MACHINES,
    NONE,
    PACKAGES,
    READABLE,
    UNSHARE,
    call_filter,
    find_confinement,
    find_namespaces,
)

REFUSED = ERRNO | errno.EPERM


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
        ("x86_64", 257, (0, 0, 0o20200002), REFUSED),  # openat(O_TMPFILE)
        ("x86_64", 2, (0, 0o102), ALLOW),  # open, to make a file
        ("x86_64", 2, (0, 0o20200002), REFUSED),  # open(O_TMPFILE)
        ("x86_64", 41, (), REFUSED),  # socket
        ("x86_64", 57, (), REFUSED),  # fork
        ("x86_64", 62, (), REFUSED),  # kill
        ("x86_64", 101, (), REFUSED),  # ptrace
        ("x86_64", 435, (), ERRNO | errno.ENOSYS),  # clone3
        ("x86_64", 0x40000000, (), ERRNO | errno.ENOSYS),  # x32's read
        ("x86_64", 72, (0, 3), ALLOW),  # fcntl(F_GETFL)
        ("x86_64", 72, (0, 8), REFUSED),  # fcntl(F_SETOWN)
        ("x86_64", 16, (0, 0x5401), ALLOW),  # ioctl(TCGETS)
        ("x86_64", 16, (0, 0x5412), REFUSED),  # ioctl(TIOCSTI)
        ("x86_64", 302, (0, 9, 0), ALLOW),  # prlimit64, asking
        ("x86_64", 302, (0, 9, 1), REFUSED),  # prlimit64, setting
        ("x86_64", 302, (0, 9, 1 << 32), REFUSED),
        ("aarch64", 63, (), ALLOW),  # read
        ("aarch64", 56, (0, 0, 0o102), ALLOW),  # openat, to make a file
        ("aarch64", 56, (0, 0, 0o20040002), REFUSED),  # openat(O_TMPFILE)
        ("aarch64", 0, (), REFUSED),  # io_setup
        ("aarch64", 198, (), REFUSED),  # socket
        ("aarch64", 220, (), REFUSED),  # clone
        ("aarch64", 25, (0, 8), REFUSED),  # fcntl(F_SETOWN)
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
    assert _verdict(call_filter(machine=machine), kill, machine) == REFUSED


def test_calls_in_the_numbering_of_another_machine_end_the_process() -> None:
    program = call_filter(machine="x86_64")
    assert _verdict(program, 0, "aarch64") == KILL


def test_other_machines_have_no_filter() -> None:
    assert call_filter(machine="riscv64") == b""


# Namespaces, and what is readable


def test_the_strongest_has_all_there_is() -> None:
    found = find_confinement()
    assert found.namespaces == find_namespaces()
    assert found.readable == READABLE
    assert found.program_calls == call_filter()
    assert found.judge_calls == call_filter(judge=True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("other", ""),
        ("bwrap", "#!/bin/sh\nexit 1\n"),
        # runs what follows, and isolates nothing
        ("unshare", '#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n'),
        ("unshare", "not a program"),
    ],
)
def test_a_command_that_does_not_isolate_is_not_taken(tmp_path: Path, name: str, text: str) -> None:
    script = tmp_path / name
    script.write_text(text)
    script.chmod(0o755)
    assert find_namespaces(str(tmp_path)) is NONE


def test_what_is_found_has_a_full_path_and_isolates(tmp_path: Path) -> None:
    found = find_namespaces()
    if found is NONE:
        pytest.skip("neither bubblewrap nor unshare works here")
    assert found.name in (BUBBLEWRAP.name, UNSHARE.name)
    assert Path(found.command[0]).is_absolute()
    # Asks for a route, sends nothing; the address is kept for documentation (RFC 5737).
    look = "from socket import *; socket(AF_INET, SOCK_DGRAM).connect(('192.0.2.1', 9))"
    done = subprocess.run(
        [*found.around(str(tmp_path)), *INTERPRETER, "-c", look],
        env=ENVIRONMENT,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unreachable" in done.stderr


def test_what_is_readable_leaves_installed_packages_out() -> None:
    names = {path for path in READABLE if path.endswith("/")}
    whole = [Path(path) for path in READABLE if path not in names]
    assert not any(Path(one).is_relative_to(path) for one in PACKAGES for path in whole)
    assert not any(path.is_relative_to(one) for one in PACKAGES for path in whole)
    assert any(Path(os.__file__).resolve().is_relative_to(path) for path in whole)


def test_the_private_folder_is_put_into_the_command() -> None:
    command = BUBBLEWRAP.around("/private", 4096)
    assert command.count("/private") == 2
    assert command[command.index("--size") + 1] == "4096"
    assert not any("{" in part for part in command)
