"""A process is told from a dead one, a zombie, and a later one with its number."""

from __future__ import annotations

import os
import subprocess
import sys

from ghostbust.store.connection import is_alive, this_process

PRINT_OWN = "from ghostbust.store.connection import this_process; print(this_process(), flush=True)"


def test_this_process_is_alive() -> None:
    assert is_alive(this_process())


def test_a_later_process_with_the_number_is_another_one() -> None:
    assert not is_alive(f"{os.getpid()}:1")


def test_a_process_is_gone_when_it_ends_even_before_it_is_reaped() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PRINT_OWN + "; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        process = child.stdout.readline().strip()
        assert is_alive(process)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process), "a zombie"
    assert not is_alive(process)


def test_without_a_start_the_number_alone_counts() -> None:
    assert is_alive(f"{os.getpid()}:")
    assert is_alive("1:"), "there, though it may be another user's"
    ended = subprocess.run([sys.executable, "-c", PRINT_OWN], stdout=subprocess.PIPE, check=True)
    assert not is_alive(ended.stdout.decode().partition(":")[0] + ":")
