"""Reads logs as the loop does, and stores how far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.loop.ingest.files import LogBlock, LogFile
from ghostbust.loop.ingest.paths import Files
from ghostbust.records import utc_now
from ghostbust.store.store import Store
from ghostbust.store.traffic import Traffic


def keep(traffic: Traffic, file: LogFile, block: LogBlock) -> None:
    """Stores how far a file was read, as the loop does with each block."""
    read = file.read_up_to(block.end)
    if read.id is None:
        read = traffic.number(read)
        file.id = read.id
    traffic.add([], read)


@pytest.fixture
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    """A store by whose clock everything was read a minute ago."""
    home = Home.open(tmp_path_factory.mktemp("home"))  # outside of the folders that tests read
    with Store.open(home.database, now=lambda: utc_now() - timedelta(minutes=1)) as store:
        yield store.traffic


@dataclass
class NewLines:
    """Reads what is new in paths, as often as a test likes."""

    traffic: Traffic
    notes: list[str] = field(default_factory=list)
    unfinished: int = 0
    line_limit: int = 1 << 20

    def __call__(self, *paths: Path) -> list[str]:
        """The new lines of the paths, in the order in which they were read."""
        files = Files(paths, self.traffic, self.line_limit, self.notes.append)
        lines: list[str] = []
        for read in files.once():
            if read is not None:
                keep(self.traffic, *read)
                lines += read[1].data.decode().split()
        self.unfinished = files.unfinished
        return lines


@pytest.fixture
def read_new(traffic: Traffic) -> NewLines:
    return NewLines(traffic)
