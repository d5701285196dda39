"""Younger than the model: by the first release, by snapshots, or not judged."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.rules import AgeRule
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot

CUTOFF = date(2025, 6, 15)


def snapshot(folder: Path, day: date, *names: str, complete: bool = True) -> Snapshot:
    path = build_snapshot(
        [NameRow(name) for name in names], ecosystem=Ecosystem.PYPI, date=day,
        complete=complete, out_dir=folder / str(day),
    )  # fmt: skip
    return Snapshot.load(path)


def real(name: str = "new", released: datetime | None = None) -> Lookup:
    return Lookup(
        Ecosystem.PYPI, name, Verdict.REAL, "registered", "there", "live",
        datetime(2026, 1, 2, tzinfo=UTC), released,
    )  # fmt: skip


@pytest.fixture
def known(tmp_path: Path) -> list[Snapshot]:
    return [
        snapshot(tmp_path, date(2025, 1, 1), "old"),
        snapshot(tmp_path, date(2025, 8, 1), "few", complete=False),
        snapshot(tmp_path, date(2025, 9, 1), "old", "unsure"),
        snapshot(tmp_path, date(2026, 1, 1), "old", "unsure", "new"),
    ]


@pytest.fixture
def rule(known: list[Snapshot]) -> AgeRule:
    return AgeRule(CUTOFF, {Ecosystem.PYPI: known})


@pytest.mark.parametrize(
    ("released", "young"),
    [
        (datetime(2025, 6, 15, 23, 59, tzinfo=UTC), False),
        (datetime(2025, 6, 16, tzinfo=UTC), True),
    ],
)
def test_by_the_first_release(rule: AgeRule, released: datetime, young: bool) -> None:
    lookup = rule(real(released=released))
    assert (lookup.verdict is Verdict.SUSPECT) is young
    if young:
        assert lookup.reason == "younger-than-model"
        assert lookup.evidence.endswith(
            "first released 2025-06-16, the model's knowledge ends 2025-06-15"
        )


def test_by_a_complete_snapshot_that_lacks_it(rule: AgeRule) -> None:
    lookup = rule(real("new"))
    assert (lookup.verdict, lookup.reason) == (Verdict.SUSPECT, "younger-than-model")
    assert "not yet registered on 2025-09-01" in lookup.evidence


def test_a_snapshot_that_lacks_it_shows_nothing_of_an_extra_index(
    known: list[Snapshot],
) -> None:
    elsewhere = AgeRule(CUTOFF, {Ecosystem.PYPI: known}, also_elsewhere={Ecosystem.PYPI})
    assert elsewhere(real("private")).verdict is Verdict.REAL
    assert elsewhere(real("private", datetime(2026, 1, 1, tzinfo=UTC))).verdict is Verdict.SUSPECT


def test_what_cannot_be_dated_is_not_judged(rule: AgeRule) -> None:
    assert rule(real("unsure")).verdict is Verdict.REAL


def test_what_was_there_before_is_old_whatever_is_left_of_it(rule: AgeRule) -> None:
    again = real("old", datetime(2025, 12, 1, tzinfo=UTC))
    assert rule(again) is again


def test_other_verdicts_stay(rule: AgeRule) -> None:
    absent = Lookup(
        Ecosystem.PYPI, "new", Verdict.ABSENT, "not-registered", "404", "live",
        datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    assert rule(absent) is absent


def test_whose_age_is_asked_for() -> None:
    rule = AgeRule(CUTOFF, {})
    assert rule.may_be_young("x", datetime(2025, 6, 16, tzinfo=UTC))
    assert not rule.may_be_young("x", datetime(2025, 6, 15, tzinfo=UTC))


def test_the_default_judge_compares_with_every_snapshot_there_is(tmp_path: Path) -> None:
    """A name that is new since the shipped snapshot is younger than a model of before it."""
    rows = [NameRow("requests", 1), NameRow("zz-brand-new")]
    build_snapshot(
        rows, ecosystem=Ecosystem.PYPI, date=date(2027, 1, 1), complete=True, out_dir=tmp_path
    )
    names = ["requests", "zz-brand-new"]
    found = {}
    for cutoff in (None, date(2024, 10, 31), date(2026, 12, 1)):
        with default_judge(Mode.SNAPSHOT, data_dir=tmp_path, cutoff=cutoff) as judge:
            lookups = judge.names(Ecosystem.PYPI, names)
        found[cutoff] = [lookups[name].verdict for name in names]
    assert found == {
        None: [Verdict.REAL, Verdict.REAL],
        date(2024, 10, 31): [Verdict.REAL, Verdict.SUSPECT],
        date(2026, 12, 1): [Verdict.REAL, Verdict.REAL],
    }
