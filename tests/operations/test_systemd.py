"""What systemd is sent, and the unit file that is shipped."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.loop.signals import JobDone
from ghostbust.operations.systemd import (
    LONGEST_STATUS,
    NAME,
    Pulse,
    ServiceManager,
    entries,
    installed_unit,
    program_of,
    shipped_unit,
    unit_for,
)
from tests.operations.conftest import RecordingManager, wait_for


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


@pytest.mark.parametrize("address", [None, "relative", "", "unix:/x"])
def test_without_systemd_nothing_is_sent(address: str | None) -> None:
    told = {} if address is None else {"NOTIFY_SOCKET": address}
    manager = ServiceManager.from_environment(told)
    manager.ready()
    assert not manager.listens
    assert manager.watchdog_s is None


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


def test_ready_watchdog_status_stopping() -> None:
    heard, stopping, alive = RecordingManager(0.06), threading.Event(), threading.Event()
    pulse = Pulse(heard, alive.is_set, stopping, lambda text: text.replace("s3cret", "***"))
    pulse.start()
    assert "READY=1" not in heard.sent, "the schedule hasn't begun"
    alive.set()
    wait_for(lambda: heard.sent.count("WATCHDOG=1") >= 2)
    assert heard.sent.count("READY=1") == 1
    pulse.job_done(JobDone("watch", "failed", 3.2, "401 for s3cret"))
    assert "STATUS=watch failed, 3 s: 401 for ***" in heard.sent
    stopping.set()
    alive.clear()
    wait_for(lambda: "STOPPING=1" in heard.sent)
    beats = heard.sent.count("WATCHDOG=1")
    wait_for(lambda: heard.sent.count("WATCHDOG=1") > beats, 5)
    pulse.stop()
    assert heard.sent.count("STOPPING=1") == 1


def test_a_schedule_that_has_died_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    heard, alive = RecordingManager(0.06), threading.Event()
    alive.set()
    pulse = Pulse(heard, alive.is_set, threading.Event())
    pulse.start()
    wait_for(lambda: "WATCHDOG=1" in heard.sent)
    alive.clear()
    wait_for(lambda: "the schedule has died" in caplog.text)
    beats = heard.sent.count("WATCHDOG=1")
    pulse.stop()
    assert heard.sent.count("WATCHDOG=1") == beats


def test_nobody_listens_nothing_runs() -> None:
    pulse = Pulse(ServiceManager(None), lambda: True, threading.Event())
    before = threading.active_count()
    pulse.start()
    assert threading.active_count() == before
    pulse.stop()


def keys(text: str) -> dict[str, str]:
    return dict(entries(text))


def test_it_speaks_the_daemons_protocol() -> None:
    told = keys(shipped_unit())
    assert (told["Type"], told["KillMode"], told["Restart"]) == ("notify", "mixed", "on-failure")
    assert float(told["TimeoutStopSec"]) > 30, "the daemon takes up to 30 s"
    assert float(told["WatchdogSec"]) >= 30
    assert "-HUP $MAINPID" in told["ExecReload"]
    assert told["OOMPolicy"] == "continue", "a round out of memory isn't the daemon's end"


def test_nothing_in_it_takes_the_sandbox_or_the_gpu_away() -> None:
    told = keys(shipped_unit())
    for key in (
        "RestrictNamespaces", "ProtectProc", "ProcSubset", "ProtectKernelTunables",
        "ProtectKernelLogs", "PrivateDevices", "ProtectClock", "MemoryDenyWriteExecute",
    ):  # fmt: skip
        assert key not in told
    assert "@mount" in told["SystemCallFilter"], "bubblewrap mounts and pivots"


def test_for_this_installation() -> None:
    text = unit_for(None, None, Path("/opt/x/bin/ghostbust"))
    assert keys(text)["ExecStart"] == "/opt/x/bin/ghostbust daemon"
    assert program_of(text) == "/opt/x/bin/ghostbust"
    assert keys(text)["StateDirectory"] == "ghostbust"
    assert text.replace("/opt/x/", "/opt/ghostbust/") == shipped_unit()


def test_a_home_and_settings_elsewhere() -> None:
    text = unit_for(
        Path("/srv/my 100% home"), Path("/etc/gb.toml"), Path("/home/me/v$1/bin/ghostbust")
    )
    assert 'Environment="GHOSTBUST_HOME=/srv/my 100%% home"' in text
    assert 'ReadWritePaths="/srv/my 100%% home"' in text
    assert "StateDirectory" not in keys(text)
    assert "CacheDirectory=ghostbust" in text
    assert keys(text)["ExecStart"] == "/home/me/v$$1/bin/ghostbust daemon --config /etc/gb.toml"
    assert keys(text)["ProtectHome"] == "read-only", "else the program isn't there"


@pytest.mark.parametrize("place", ["/tmp/try", "/var/tmp/try"])
def test_what_lies_in_a_temporary_folder_is_seen_by_the_service(place: str) -> None:
    """`PrivateTmp=yes` would show it an empty one, and the unit would fail to start."""
    program, elsewhere = Path("/opt/x/bin/ghostbust"), Path("/srv/x")
    for text in (
        unit_for(Path(place), None, program),
        unit_for(elsewhere, Path(f"{place}.toml"), program),
        unit_for(None, None, Path(place) / "bin/ghostbust"),
    ):
        assert keys(text)["PrivateTmp"] == "no"
    assert keys(unit_for(elsewhere, None, program))["PrivateTmp"] == "yes"


def test_what_a_link_leads_to_is_seen_by_the_service(tmp_path: Path) -> None:
    place = tmp_path / "home"
    place.symlink_to("/root")
    assert keys(unit_for(place, None, Path("/opt/x/bin/ghostbust")))["ProtectHome"] == "read-only"


def test_the_interpreter_is_seen_by_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment's own program is a link to one that may lie in somebody's home."""
    monkeypatch.setattr("sys.base_prefix", "/root/pythons/3.11")
    assert keys(unit_for(None, None))["ProtectHome"] == "read-only"


def test_which_unit_is_installed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    assert installed_unit((first, second)) is None
    (second / NAME).write_text("x")
    assert installed_unit((first, second)) == second / NAME


@pytest.mark.parametrize("text", ["", "[Service]\nType=notify", "ExecStart='unfinished"])
def test_a_unit_that_starts_nothing(text: str) -> None:
    assert program_of(text) is None


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze isn't installed")
    program = Path(shutil.which("true") or "/bin/true")
    path = tmp_path / NAME
    for text in (
        unit_for(None, None, program),
        unit_for(Path("/srv/my 100% home"), Path("/etc/a;b.toml"), program),
    ):
        path.write_text(text)
        done = subprocess.run(
            [analyze, "verify", str(path)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
