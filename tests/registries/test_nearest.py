"""The popular names that a made-up one looks like."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.name_lists import NameRow
from ghostbust.registries.nearest import NearestNames
from ghostbust.registries.snapshot import Snapshot, build_snapshot


def nearest(folder: Path, *names: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> NearestNames:
    rows = [NameRow(name, rank) for rank, name in enumerate(names, start=1)]
    rows += [NameRow("requestz", 99, SuspectReason.DECOY), NameRow("requesty")]
    path = build_snapshot(
        rows, ecosystem=ecosystem, date=date(2026, 1, 2), complete=True, out_dir=folder
    )
    return NearestNames(Snapshot.load(path))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("reqeusts", ["requests"]),
        ("numpi", ["numpy"]),
        ("umpy", []),  # another first letter
        ("flask-thing-for-everything", []),
        ("", []),
    ],
)
def test_of(tmp_path: Path, name: str, found: list[str]) -> None:
    """Neither suspects nor names that nobody downloads are offered."""
    assert nearest(tmp_path, "requests", "numpy", "flask").of(name) == found


def test_the_likest_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    names = nearest(tmp_path, "flask-corse", "flask-cor", "flask-cors", "flask-cars", "flask")
    found = names.of("flask-cors-", n=3)
    assert (found[0], len(found)) == ("flask-cors", 3)


def test_a_name_is_not_its_own_neighbour(tmp_path: Path) -> None:
    assert nearest(tmp_path, "requests", "request").of("requests") == ["request"]


def test_scoped_names_are_compared_within_their_scope(tmp_path: Path) -> None:
    names = nearest(tmp_path, "@types/node", "@type/node", ecosystem=Ecosystem.NPM)
    assert names.of("@types/nodes") == ["@types/node"]
