"""What absent names are: commands, modules, packages of another registry."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.records import ASKED, Ecosystem, PackageRef, RefKind, Verdict
from ghostbust.registries.judge import Judge, Mode
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot

NAMES = {Ecosystem.PYPI: ("matplotlib", "scikit-learn"), Ecosystem.NPM: ("d3", "three")}


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    snapshots = {}
    for eco in ASKED:
        rows = map(NameRow, NAMES[eco])
        path = build_snapshot(
            rows, ecosystem=eco, date=date(2026, 1, 2), complete=True, out_dir=tmp_path
        )
        snapshots[eco] = Snapshot.load(path)
    return Judge(Mode.SNAPSHOT, snapshots=snapshots)


@pytest.mark.parametrize(
    ("ecosystem", "name", "what"),
    [
        (Ecosystem.PYPI, "pip3", "pip3 is a command, of pip"),
        (Ecosystem.PYPI, "Python3.11", "python3-11 is a command, of python"),
        (Ecosystem.PYPI, "d3-js", "d3 is a package of npm"),
        (Ecosystem.PYPI, "Three.js", "three is a package of npm"),
        (Ecosystem.NPM, "d3-js", "npm has d3"),
        (Ecosystem.PYPI, "sklearn-model-selection", "sklearn is the module of scikit-learn"),
    ],
)
def test_what_a_name_is_stands_in_its_evidence(
    judge: Judge, ecosystem: Ecosystem, name: str, what: str
) -> None:
    lookup = judge.names(ecosystem, [name])[name]
    assert (lookup.verdict, lookup.reason) == (Verdict.ABSENT, "not-registered")
    assert lookup.evidence.endswith(f"; {what}")


@pytest.mark.parametrize(
    ("ecosystem", "name"),
    [
        (Ecosystem.PYPI, "pip-tools-zz"),
        (Ecosystem.PYPI, "zz-quux-js"),
        (Ecosystem.PYPI, "matplotlib"),
        (Ecosystem.PYPI, "js"),
        (Ecosystem.NPM, "zz-quux"),
    ],
)
def test_no_rule_tells_of_others(judge: Judge, ecosystem: Ecosystem, name: str) -> None:
    assert ";" not in judge.names(ecosystem, [name])[name].evidence


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("matplotlib.pyplot", "matplotlib.pyplot is written as a module of matplotlib"),
        ("sklearn.svm", "sklearn is the module of scikit-learn"),
        ("d3.js", "d3 is a package of npm"),
        ("zz.quux", ""),
    ],
)
def test_a_name_with_dots_is_a_module_of_the_package_in_front(
    judge: Judge, raw: str, what: str
) -> None:
    ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, raw, 0, len(raw), raw.replace(".", "-"))
    [judged] = judge.refs([ref])
    assert judged.lookup.evidence.partition("; ")[2] == what
