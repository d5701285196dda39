"""A newer snapshot of PyPI from the listing of a real index that speaks PEP 691."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Verdict
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.registries.sync import Synced, sync_pypi

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import PyPIServer

TODAY = date(2026, 1, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home's snapshots, with a small one of PyPI's."""
    build_snapshot(
        [NameRow("zz-real-1", 1), NameRow("pip"), NameRow("gone")], ecosystem=Ecosystem.PYPI,
        date=date(2026, 1, 2), complete=True, out_dir=tmp_path,
    )  # fmt: skip
    return tmp_path


def sync(server: PyPIServer, folder: Path) -> Synced:
    with httpx.Client(trust_env=False) as client:
        return sync_pypi(
            client, server.url, folder, today=TODAY, progress=lambda _done, _total: None
        )


def test_what_the_index_lists_is_the_snapshot(json_server: PyPIServer, folder: Path) -> None:
    done = sync(json_server, folder)
    made = Snapshot.load(folder / "registry-pypi.json")
    assert (done.changed, done.vanished, made.date, made.popular(9)) == (
        True, 1, TODAY, ["zz-real-1"],
    )  # fmt: skip
    assert "zz-real-59" in made
    assert made.look_up("gone").verdict is Verdict.ABSENT
    json_server.publish("zz-synced")
    assert sync(json_server, folder).added == 1


def test_an_index_in_html_has_no_listing_that_is_read(
    pypi_server: PyPIServer, folder: Path
) -> None:
    with pytest.raises(RegistryError, match="no listing as JSON"):
        sync(pypi_server, folder)
    assert Snapshot.load(folder / "registry-pypi.json").date == date(2026, 1, 2)
