"""A filled home, and an adapter of a tiny model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.store.store import Store

MakeAdapter = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def store(home: Home, fill_home: Callable[[Home], str]) -> Iterator[Store]:
    """The filled store, which nothing here may write to."""
    fill_home(home)
    with Store.open(home.database, read_only=True) as store:
        yield store


@pytest.fixture
def make_adapter(
    make_lora: Callable[..., Path], tiny_model_dir: Path, tmp_path: Path
) -> MakeAdapter:
    """Makes a complete adapter folder of the tiny model, of rank 4, whose weights all act."""

    def make(*, targets: tuple[str, ...] = ("q_proj", "k_proj", "down_proj"), rslora: bool) -> Path:
        folder = tmp_path / "adapters" / "round-0001-tiny"
        return make_lora(folder, tiny_model_dir, size=0.3, targets=targets, rslora=rslora)

    return make
