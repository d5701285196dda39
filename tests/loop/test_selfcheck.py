"""The selfcheck finds a damaged adapter, a damaged database, and a disk without room."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import DataError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace, check_house
from ghostbust.records import Candidate
from ghostbust.sections import SelfcheckSection
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler


@pytest.fixture
def place(home: Home, scripted: MakeSampler) -> Workplace:
    config = Config(selfcheck=SelfcheckSection(free_bytes=0))
    return Workplace(home, config, [], lambda _: scripted(lambda _: ""), ["no"], threading.Event())


def test_an_adapter_that_was_changed_is_named(place: Workplace, home: Home) -> None:
    with Store.open(home.database) as store:
        check_house(place)
        number = store.rounds.start(model="m", method="au", seed=1, settings={})
        folder: Path = home.adapters / "round-0001"
        store.rounds.add_candidate(
            number, Candidate("round-0001", folder, "m", "au", 1, 10, 0.5, 1.0)
        )
        check_house(place)  # a person deleted it
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        with pytest.raises(DataError, match="round-0001 is not a complete ghostbust adapter"):
            check_house(place)


def test_a_disk_without_room_is_told(place: Workplace, home: Home) -> None:
    Store.open(home.database).close()
    config = place.config.model_copy(update={"selfcheck": SelfcheckSection(free_bytes=1 << 62)})
    with pytest.raises(DataError, match="MB left, which is less than"):
        check_house(replace(place, config=config))


def test_a_damaged_database_is_told(place: Workplace, home: Home) -> None:
    with Store.open(home.database) as store:
        for number in range(300):
            store.jobs.pause(f"job-{number:0300d}")
    pages = bytearray(home.database.read_bytes())
    pages[-8192:] = b"\xff" * 8192
    home.database.write_bytes(pages)
    with pytest.raises(DataError, match="damaged"):
        check_house(place)
