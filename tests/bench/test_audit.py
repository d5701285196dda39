"""The audit tells false alarms, misses and losses from sound verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ghostbust.bench.audit import (
    audit_guesses,
    audit_imports,
    audit_installs,
    installed_modules,
    mapped_modules,
    unlike_modules,
)
from ghostbust.records import Ecosystem, SuspectReason, Verdict
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.snapshot import NameRow, build_snapshot

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    """A registry that has lost a name."""
    rows = [NameRow("there", 1), NameRow("squat", None, SuspectReason.RESEARCH_SQUAT)]
    for ecosystem in (PYPI, NPM):
        build_snapshot(
            rows, ecosystem=ecosystem, date=date(2026, 1, 2), complete=True, out_dir=tmp_path
        )
    with default_judge(Mode.SNAPSHOT, data_dir=tmp_path) as made:
        yield made


@pytest.mark.parametrize("ecosystem", [PYPI, NPM])
def test_a_real_name_that_comes_out_absent_is_a_false_alarm(
    judge: Judge, ecosystem: Ecosystem
) -> None:
    outcome = audit_installs(judge, "g", ecosystem, ["there", "gone", "squat"])
    assert (outcome.names, outcome.lost, outcome.sound) == (3, [], False)
    assert len(outcome.wrong) == 1
    assert outcome.wrong[0].startswith("gone: ABSENT")
    assert outcome.verdicts == {Verdict.REAL: 1, Verdict.ABSENT: 1, Verdict.SUSPECT: 1}
    assert audit_installs(judge, "g", ecosystem, ["there", "squat"]).sound


def test_a_fake_that_comes_out_real_is_wrong(judge: Judge) -> None:
    outcome = audit_installs(judge, "g", PYPI, ["there", "squat"], fake=True)
    assert [wrong.partition(":")[0] for wrong in outcome.wrong] == ["there"]
    assert audit_installs(judge, "g", PYPI, ["squat"], fake=True).sound


def test_a_name_that_is_not_found_is_lost(judge: Judge) -> None:
    outcome = audit_installs(judge, "g", PYPI, ["there", "./there"])
    assert (outcome.lost, outcome.sound) == (["./there"], False)
    assert audit_imports(judge, "g", ["there", "not a module"]).lost == ["not a module"]


def test_an_import_that_comes_out_absent_is_a_false_alarm(judge: Judge) -> None:
    outcome = audit_imports(judge, "g", ["there", "gone_too"])
    assert [wrong.partition(":")[0] for wrong in outcome.wrong] == ["gone_too"]


def test_guesses_are_counted_and_never_wrong(judge: Judge) -> None:
    outcome = audit_guesses(judge, "g", ["there", "gone"])
    assert (outcome.verdicts[Verdict.ABSENT], outcome.sound) == (1, True)


def test_the_modules_of_the_tables() -> None:
    assert {"yaml", "google.cloud", "google.cloud.storage"} <= set(mapped_modules())
    assert "yaml" in unlike_modules()
    assert not [module for module in unlike_modules() if "." in module]


def test_only_what_the_registry_has_is_asked_of_it(judge: Judge, tmp_path: Path) -> None:
    for name in ("there", "in-development"):
        folder = tmp_path / "site" / f"{name}-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        (folder / "RECORD").write_text(f"{name[:2]}_module.py,,\n")
    assert installed_modules(judge, [tmp_path / "site"]) == ["th_module"]
