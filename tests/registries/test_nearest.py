"""The popular names that a made-up one looks like."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.nearest import NearestNames, within
from ghostbust.registries.snapshot import NameRow, Snapshot, find_snapshot
from tests.registries.conftest import snapshot_of


def nearest(folder: Path, *names: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> NearestNames:
    rows = [NameRow(name, rank) for rank, name in enumerate(names, start=1)]
    rows += [NameRow("requestz", 99, SuspectReason.PLACEHOLDER), NameRow("requesty")]
    rows += [NameRow("sklearn", 98, SuspectReason.DECOY, "scikit-learn")]
    return NearestNames(snapshot_of(folder, rows, ecosystem))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("reqeusts", ["requests"]),
        ("numpi", ["numpy"]),
        ("umpy", ["numpy"]),
        ("nupmy", ["numpy"]),  # neighbours swapped
        ("flask-thing-for-everything", []),
        ("python-flask", ["flask"]),
        ("flask-tools", ["flask"]),
        ("opencv", ["opencv-python"]),
        ("python-opencv", ["opencv-python"]),
        ("opencvpython", ["opencv-python"]),
        ("sklearm", ["scikit-learn"]),  # near a decoy: what it stands in for
        ("fla", []),  # so short a name is only one edit away
        ("", []),
        ("---", []),
    ],
)
def test_of(tmp_path: Path, name: str, found: list[str]) -> None:
    """Neither suspects nor names that nobody downloads are offered."""
    names = nearest(tmp_path, "requests", "numpy", "flask", "scikit-learn", "opencv-python")
    assert names.of(name) == found


def test_the_likest_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    names = nearest(tmp_path, "flask-corze", "flask-cor", "flask-cors", "flask-core", "flask")
    assert names.of("flask-corz", n=3) == ["flask-corze", "flask-cor", "flask-cors"]
    assert names.of("flask-corz", n=1) == ["flask-corze"]


def test_the_shipped_names_are_found_behind_typing_errors() -> None:
    """One error in each of the 40 most downloaded names, of four kinds in turn."""
    snapshot = Snapshot.load(find_snapshot(Ecosystem.PYPI))
    names = NearestNames(snapshot)
    found = 0
    tried = 0
    for number, name in enumerate(snapshot.popular(40)):
        at = len(name) // 2
        wrong = (
            name[:at] + name[at + 1 :],
            name[:at] + "q" + name[at:],
            name[:at] + "q" + name[at + 1 :],
            name[1] + name[0] + name[2:],
        )[number % 4]
        if wrong not in snapshot:
            tried += 1
            found += name in names.of(wrong)
    assert tried > 25
    assert found >= 0.97 * tried


def test_no_name_is_its_own_neighbour_and_scopes_are_apart(tmp_path: Path) -> None:
    assert nearest(tmp_path, "requests", "request").of("requests") == ["request"]
    names = nearest(tmp_path, "@types/node", "@type/node", ecosystem=Ecosystem.NPM)
    assert names.of("@types/nodes") == ["@types/node"]


@pytest.mark.parametrize("ecosystem", [Ecosystem.PYPI, Ecosystem.NPM])
def test_recorded_names_have_the_same_neighbours(tmp_path: Path, ecosystem: Ecosystem) -> None:
    """Misspelt names and their neighbours as the walk through a trie found them (1708091)."""
    told = json.loads(Path(__file__).with_name("nearest.json").read_text())[ecosystem]
    names = nearest(tmp_path, *told["popular"], ecosystem=ecosystem)
    assert {name: names.of(name, 5) for name in told["nearest"]} == told["nearest"]


def edits(one: str, other: str) -> int:
    """Optimal string alignment, by the textbook."""
    table = [
        [a + b if not a or not b else 0 for b in range(len(other) + 1)] for a in range(len(one) + 1)
    ]
    for a in range(1, len(one) + 1):
        for b in range(1, len(other) + 1):
            changed = table[a - 1][b - 1] + (one[a - 1] != other[b - 1])
            table[a][b] = min(table[a - 1][b] + 1, table[a][b - 1] + 1, changed)
            if a > 1 and b > 1 and one[a - 1] == other[b - 2] and one[a - 2] == other[b - 1]:
                table[a][b] = min(table[a][b], table[a - 2][b - 2] + 1)
    return table[-1][-1]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_within(limit: int) -> None:
    for seed in range(20):
        dice = random.Random(seed)
        words = sorted({"".join(dice.choices("abc-", k=dice.randrange(7))) for _ in range(150)})
        word = "".join(dice.choices("abc-", k=dice.randrange(7)))
        near = {other: edits(word, other) for other in words}
        expected = {other: count for other, count in near.items() if count <= limit}
        assert dict(within(word, words, limit)) == expected, seed


def test_empty_words_and_any_letter() -> None:
    assert list(within("word", [], 2)) == []
    assert list(within("", ["", "a", "abc"], 1)) == [("", 0), ("a", 1)]
    assert dict(within("naïve", ["naive", "naïve", "\U0010fffe"], 1)) == {"naive": 1, "naïve": 0}
