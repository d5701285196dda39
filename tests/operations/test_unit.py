"""The unit that is shipped: valid, hardened, and right for this installation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ghostbust.operations.systemd import (
    NAME,
    entries,
    installed_unit,
    program_of,
    shipped_unit,
    unit_for,
)


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
