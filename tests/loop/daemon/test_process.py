"""The daemon's process from outside: who it is, and whom `end` leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ghostbust.errors import BusyError, UsageError
from ghostbust.home import Home
from ghostbust.loop.daemon.process import end, find_holder

HOLDS = """
import signal, sys, time
from pathlib import Path
from ghostbust.home import Home
signal.signal(signal.SIGTERM, {on_term})
home = Home(Path(sys.argv[1]))
with home.exclusive(sys.argv[2], home.daemon_lock):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def holding(
    place: Home, purpose: str = "daemon", on_term: str = "signal.SIG_DFL"
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS.format(on_term=on_term), place.path, purpose],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_nobody_holds_a_home_that_no_daemon_works_in(place: Home) -> None:
    assert find_holder(place) is None


def test_a_daemon_is_ended_and_waited_for(place: Home) -> None:
    with holding(place) as process:
        holder = find_holder(place)
        assert holder is not None
        assert (holder.pid, holder.purpose) == (process.pid, "daemon")
        end(place, holder)
        assert find_holder(place) is None


def test_one_that_does_not_end_is_said_to_work_still(place: Home) -> None:
    with holding(place, on_term="signal.SIG_IGN") as process:
        holder = find_holder(place)
        assert holder is not None
        with pytest.raises(BusyError, match=f"still works after .*kill -9 {process.pid}"):
            end(place, holder, wait_s=0.1)
        assert process.poll() is None
        process.kill()


def test_what_runs_a_job_by_hand_is_left_alone(place: Home) -> None:
    with holding(place, "jobs") as process:
        holder = find_holder(place)
        assert holder is not None
        with pytest.raises(UsageError, match=f"runs one of the jobs, process {process.pid}"):
            end(place, holder)
        assert process.poll() is None
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who has a file open")
def test_a_number_of_another_container_is_never_signalled(place: Home) -> None:
    """The lock is held by somebody whom this system numbers otherwise: here, by this process."""
    with place.exclusive("daemon", place.daemon_lock):
        bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        handle = os.open(place.daemon_lock, os.O_WRONLY | os.O_TRUNC)
        os.write(handle, f" {bystander.pid} daemon\n".encode())
        os.close(handle)
        holder = find_holder(place)
        assert holder is not None
        with pytest.raises(UsageError, match="another container"):
            end(place, holder)
        assert bystander.poll() is None
        bystander.kill()
        bystander.wait()
