"""What runs beside the jobs, and SIGHUP, which reads the settings again."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.config import Config, load_config
from ghostbust.errors import ConfigError, StoreError
from ghostbust.home import Home
from ghostbust.operations.companions import Beside, Reload, companions
from ghostbust.operations.health import HealthEndpoint
from ghostbust.operations.systemd import ServiceManager
from ghostbust.sections import DaemonSection
from tests.operations.conftest import RecordingManager, wait_for


def beside(home: Home, listen: str | None) -> Beside:
    config = Config(daemon=DaemonSection(listen=listen))
    return Beside(home, lambda: config, lambda: True, threading.Event(), ServiceManager(None), str)


def test_nobody_listens_unless_the_settings_say_so(home: Home) -> None:
    assert not any(isinstance(one, HealthEndpoint) for one in companions(beside(home, None)))


def test_all_of_them_start_and_stop(home: Home) -> None:
    before = set(threading.enumerate())
    all_of_them = companions(beside(home, "127.0.0.1:0"))
    for one in all_of_them:
        one.start()
    (endpoint,) = [one for one in all_of_them if isinstance(one, HealthEndpoint)]
    assert endpoint.port
    for one in reversed(all_of_them):
        one.stop()
    assert set(threading.enumerate()) <= before  # others' threads may end meanwhile


def test_a_place_that_is_none(home: Home) -> None:
    with pytest.raises(ConfigError, match=r"daemon\.listen"):
        companions(beside(home, "nowhere"))


@pytest.fixture
def file(home: Home) -> Path:
    home.config.write_text("[daemon]\nwatch_every_s = 60\n")
    return home.config


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: object) -> None:
    monkeypatch.chdir(tmp_path)


Make = Callable[..., Reload]


@pytest.fixture
def make(home: Home, file: Path) -> Make:
    """A reload of the home's settings, which tells a function of new ones."""

    def made(apply: Callable[[Config], None], manager: ServiceManager | None = None) -> Reload:
        return Reload(
            load_config(None, home), lambda: load_config(None, home), apply,
            manager or ServiceManager(None),
        )  # fmt: skip

    return made


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "ghostbust.operations.companions"]


def test_what_changed_is_put_to_use_and_told(
    file: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    used: list[Config] = []
    reload = make(used.append)
    file.write_text(
        '[daemon]\nwatch_every_s = 90\nlisten = ":1"\n[notify]\nwebhook = "http://h/s3cret"\n'
    )
    assert reload.reload()
    assert reload.config is used[0]
    assert reload.config.daemon.watch_every_s == 90
    assert lines(caplog) == [
        "reload: notify.webhook changed; daemon.watch_every_s was 60.0, is 90.0;"
        " daemon.listen changed",
        "reload: daemon.listen is read at the start only: restart the daemon",
    ]
    assert reload.reload()
    assert lines(caplog)[-1] == "reload: nothing has changed"
    assert len(used) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[daemon]\nwatch_evry_s = 5", "unknown key daemon.watch_evry_s"),
        ("[daemon\n", "isn't valid TOML"),
        ("[daemon]\nwatch_every_s = 'often'", "daemon.watch_every_s"),
    ],
)
def test_bad_settings_are_one_line_and_the_old_ones_stay(
    file: Path, make: Make, caplog: pytest.LogCaptureFixture, text: str, complaint: str
) -> None:
    used: list[Config] = []
    reload = make(used.append)
    before = reload.config
    file.write_text(text)
    assert not reload.reload()
    (line,) = lines(caplog)
    assert complaint in line
    assert line.endswith("; the settings in force stay")
    assert (reload.config, used) == (before, [])


def test_settings_that_cant_be_applied_arent_in_force(
    file: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(new: Config) -> None:
        raise StoreError("the disk is full")

    reload = make(refuse)
    before = reload.config
    file.write_text("[daemon]\nwatch_every_s = 90")
    assert not reload.reload()
    assert lines(caplog) == ["reload: the disk is full; the settings in force stay"]
    assert reload.config is before


def test_the_signal_itself_and_what_systemd_hears(file: Path, make: Make) -> None:
    used: list[Config] = []
    heard, before = RecordingManager(), signal.getsignal(signal.SIGHUP)
    reload = make(used.append, heard)
    reload.start()
    try:
        file.write_text("[daemon]\nwatch_every_s = 90")
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: heard.sent == ["RELOADING=1", "READY=1"])
        assert [config.daemon.watch_every_s for config in used] == [90]
        file.write_text("broken")
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: heard.sent == ["RELOADING=1", "READY=1"] * 2)
        assert len(used) == 1
    finally:
        reload.stop()
    assert signal.getsignal(signal.SIGHUP) is before
