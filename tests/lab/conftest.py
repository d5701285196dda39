"""A home folder and its store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.store.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home.database) as store:
        yield store
