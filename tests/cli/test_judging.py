"""The judge of commands that only ask."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.cli.context import ForgivingCache, open_judge
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.judge import Mode
from ghostbust.registries.snapshot import NameRow, build_snapshot

LOOKUP = Lookup(Ecosystem.PYPI, "a", Verdict.REAL, "registered", "", "live", utc_now())


class FakeCache:
    """A cache whose database may be broken."""

    def __init__(self, *, broken: bool) -> None:
        self.kept: dict[str, Lookup] = {}
        self.broken = broken

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        if self.broken:
            raise StoreError("broken")
        return self.kept.get(name)

    def put_lookup(self, lookup: Lookup) -> None:
        if self.broken:
            raise StoreError("broken")
        self.kept[lookup.name] = lookup


@pytest.mark.parametrize(("broken", "found"), [(False, LOOKUP), (True, None)])
def test_a_forgiving_cache(broken: bool, found: Lookup | None) -> None:
    cache = ForgivingCache(FakeCache(broken=broken))
    cache.put_lookup(LOOKUP)
    assert cache.get_lookup(Ecosystem.PYPI, "a") == found


def test_a_home_without_anything(tmp_path: Path) -> None:
    with open_judge(Mode.SNAPSHOT, tmp_path / "home") as judge:
        found = judge.names(Ecosystem.PYPI, ["requests"])["requests"]
    assert found.verdict is Verdict.REAL


def test_the_snapshots_of_the_home_come_first(tmp_path: Path) -> None:
    build_snapshot(
        [NameRow("only")],
        ecosystem=Ecosystem.PYPI,
        date=date(2026, 1, 2),
        complete=True,
        out_dir=Home.find(tmp_path).registry,
    )
    with open_judge(Mode.SNAPSHOT, tmp_path) as judge:
        assert len(judge.snapshots[Ecosystem.PYPI]) == 1
