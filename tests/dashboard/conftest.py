"""A temporary home, empty or filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.records import GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from tests.dashboard.board import HOSTILE, Clock, Filler


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def filler(home: Home) -> Filler:
    return Filler(home, Clock())


@pytest.fixture
def filled(filler: Filler) -> Filler:
    """A store with rates of the base and an adapter, ordinary and hostile names, two rounds."""
    filler.answers([f"ghost-{number:03d}" for number in range(60)])
    filler.answers([*HOSTILE, "ghost-007"], seed=2)
    for rate in (0.30, 0.28, 0.286):
        filler.rate(rate, None)
    filler.round(RoundState.REJECTED, GateVerdict.FAIL)
    name = filler.round(RoundState.WAITING)
    filler.rate(0.019, name, RunKind.GATE)
    return filler
