"""Pip's extra indexes: real ones on the loopback, one of them behind a password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.live import LiveLookups
from ghostbust.registries.pypi import Indexes, PyPIRegistry
from ghostbust.registries.transport import Client, Patience

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import Door, PyPIServer

MakeDoor = Callable[[str, str], "Door"]
NAMES = ["zz-real-1", "zz-private", "zz-nobodys"]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the machine's settings."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "PIP_PROXY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def judged(mode: Mode = Mode.LIVE, cutoff: date | None = None) -> dict[str, Lookup]:
    with default_judge(mode, cutoff=cutoff) as judge:
        return judge.names(Ecosystem.PYPI, NAMES)


def verdicts(found: dict[str, Lookup]) -> dict[str, str]:
    return {name: str(lookup.verdict) for name, lookup in found.items()}


def with_password(door: Door, password: str) -> str:
    return door.url.replace("//", f"//me:{password}@")


def test_a_private_name_is_found_with_the_extra_indexs_own_credentials(
    pypi_server: PyPIServer,
    private_server: PyPIServer,
    make_door: MakeDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main, extra = make_door(pypi_server.url, "you:word"), make_door(private_server.url, "me:s3cret")
    monkeypatch.setenv("PIP_INDEX_URL", main.url.replace("//", "//you:word@"))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", with_password(extra, "s3cret"))
    found = judged()
    assert verdicts(found) == {"zz-real-1": "REAL", "zz-private": "REAL", "zz-nobodys": "ABSENT"}
    assert found["zz-private"].evidence.startswith(extra.url)
    assert found["zz-nobodys"].evidence == (
        f"{main.url}/zz-nobodys/: 404; {extra.url}/zz-nobodys/: 404"
    )
    assert "/simple/zz-real-1/" not in extra.asked, "the main index has it"
    assert main.turned_away == extra.turned_away == 0
    assert "s3cret" not in repr(found)


def test_an_extra_index_that_refuses_leaves_no_absent(
    pypi_server: PyPIServer,
    private_server: PyPIServer,
    make_door: MakeDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door = make_door(private_server.url, "me:s3cret")
    monkeypatch.setenv("PIP_INDEX_URL", pypi_server.url)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", with_password(door, "wrong"))
    found = judged()
    assert verdicts(found) == {
        "zz-real-1": "REAL", "zz-private": "UNKNOWN", "zz-nobodys": "UNKNOWN",
    }  # fmt: skip
    assert found["zz-private"].reason == "unreachable"
    assert "wrong" not in repr(found)


def test_an_extra_index_that_is_down_leaves_no_absent(
    pypi_server: PyPIServer, private_server: PyPIServer
) -> None:
    haste = Patience(attempts=2, initial_s=0, longest_s=0, jitter_s=0)
    client = Client(httpx.AsyncClient(trust_env=False), haste)
    urls = [pypi_server.url, "http://127.0.0.1:9/simple", private_server.url]
    indexes = Indexes(*(PyPIRegistry(client, endpoint(url, "test")) for url in urls))
    live = LiveLookups({Ecosystem.PYPI: indexes}, on_close=client.http.aclose)
    found = live.look_up(Ecosystem.PYPI, NAMES)
    live.close()
    assert verdicts(found) == {"zz-real-1": "REAL", "zz-private": "REAL", "zz-nobodys": "UNKNOWN"}


def test_the_snapshot_asks_on_for_what_an_extra_index_may_have(
    pypi_server: PyPIServer, private_server: PyPIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a private name too young because no snapshot holds it."""
    monkeypatch.setenv("PIP_INDEX_URL", pypi_server.url)
    assert verdicts(judged(Mode.AUTO))["zz-private"] == "ABSENT"
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", private_server.url)
    for cutoff in (None, date(2020, 1, 2)):
        found = judged(Mode.AUTO, cutoff)
        assert found["zz-private"].verdict is Verdict.REAL
        assert found["zz-nobodys"].verdict is Verdict.ABSENT
    assert verdicts(judged(Mode.SNAPSHOT))["zz-private"] == "ABSENT", "it asks nobody"
