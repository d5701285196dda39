"""pip's and npm's own proxies, each in front of a real registry, at addresses that nobody has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Mode, default_judge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import Door, NpmServer, PyPIServer

NAMES = ["zz-real-1", "zz-absent"]


def test_each_asks_through_its_own(
    pypi_server: PyPIServer,
    npm_server: NpmServer,
    make_door: Callable[[str, str], Door],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pip, npm = make_door(pypi_server.url, "me:word"), make_door(npm_server.url, "you:other")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = http://index.example.test/simple\n"
        f"proxy = http://me:word@{pip.address}\n"
    )
    (tmp_path / ".npmrc").write_text(
        f"registry=http://npm.example.test/\nproxy=http://you:other@{npm.address}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with default_judge(Mode.LIVE) as judge:
        for ecosystem in (Ecosystem.PYPI, Ecosystem.NPM):
            found = judge.names(ecosystem, NAMES)
            assert [str(found[name].verdict) for name in NAMES] == ["REAL", "ABSENT"]
    assert "http://index.example.test/simple/zz-absent/" in pip.asked
    assert "http://npm.example.test/zz-absent" in npm.asked
    assert pip.turned_away == npm.turned_away == 0
