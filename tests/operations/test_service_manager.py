"""What systemd hears, on real datagram sockets."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.operations.systemd import LONGEST_STATUS, ServiceManager


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What NOTIFY_SOCKET would hold, and the socket that listens there."""
    told = str(tmp_path / "notify") if request.param == "path" else f"@ghostbust-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(told if told[0] == "/" else "\0" + told[1:])
        heard.settimeout(5)
        yield told, heard


def test_each_message_is_one_datagram(listener: tuple[str, socket.socket]) -> None:
    address, heard = listener
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": address})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.ready()
    manager.status("watch ok")
    manager.watchdog()
    manager.reloading()
    manager.stopping()
    got = [heard.recv(4096).decode() for _ in range(5)]
    reloading, _, told = got.pop(3).partition("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1"
    assert before <= int(told) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert got == ["READY=1", "STATUS=watch ok", "WATCHDOG=1", "STOPPING=1"]


def test_a_status_cant_smuggle_in_another_message(listener: tuple[str, socket.socket]) -> None:
    address, heard = listener
    ServiceManager(address).status("bad\nMAINPID=1\x1b[2J" + "x" * 1000)
    got = heard.recv(4096).decode()
    assert got.startswith("STATUS=bad MAINPID=1\\x1b[2Jxxx")
    assert len(got) == len("STATUS=") + LONGEST_STATUS


def test_without_systemd_nothing_is_sent() -> None:
    manager = ServiceManager.from_environment({})
    manager.ready()
    assert not manager.listens
    assert manager.watchdog_s is None


@pytest.mark.parametrize("address", ["relative", "", "unix:/x"])
def test_an_address_that_is_none_is_none(address: str) -> None:
    assert not ServiceManager.from_environment({"NOTIFY_SOCKET": address}).listens


def test_the_watchdogs_period_if_it_is_meant_for_this_process() -> None:
    told = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "120000000"}
    assert ServiceManager.from_environment(told).watchdog_s == 120
    mine = ServiceManager.from_environment({**told, "WATCHDOG_PID": str(os.getpid())})
    assert mine.watchdog_s == 120
    assert ServiceManager.from_environment({**told, "WATCHDOG_PID": "1"}).watchdog_s is None


def test_a_socket_that_is_gone_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServiceManager(str(tmp_path / "none")).ready()
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "systemd: can't be told READY ([Errno 2] No such file or directory)")
    ]
