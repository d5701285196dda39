"""docs/reference/registries.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.records import ASKED, Ecosystem, Flag, SuspectReason, Verdict
from ghostbust.registries import live, transport
from ghostbust.registries.judge import Mode
from ghostbust.registries.snapshot import Snapshot, find_snapshot

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "registries.md").read_text()


OTHER_REASONS = (
    "registered", "not-registered", "invalid-name", "builtin", "not-in-snapshot", "unreachable",
    "no-mapping", "not-asked", Flag.LOCAL_MODULE, Flag.TRUNCATED, Flag.ELSEWHERE,
    Flag.PRIVATE_INDEX,
)  # fmt: skip


def test_every_verdict_reason_and_mode_is_there() -> None:
    words = [*Verdict, *SuspectReason, *Mode, *OTHER_REASONS]
    assert [word for word in words if f"`{word}`" not in TEXT] == []


@pytest.mark.parametrize("ecosystem", ASKED)
def test_the_shipped_snapshots_are_described(ecosystem: Ecosystem) -> None:
    told = Snapshot.load(find_snapshot(ecosystem)).manifest
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {ecosystem} |"))
    size = sum(int(part["bytes"]) for part in told.files.values()) / 1e6
    assert row == (
        f"| {ecosystem} | {told.date} | {told.count:,} | {'yes' if told.complete else 'no'} | "
        f"{told.popular:,} | {told.suspects:,} | {size:.2f} MB |"
    )


def test_the_figures_of_asking_are_the_codes() -> None:
    patience = transport.Patience()
    assert f"({patience.attempts} times, {patience.total_s:g} s in all" in TEXT
    assert f"floor of\n  {patience.floor_s:g} s" in TEXT
    assert f"more than {patience.longest_s:g} s" in TEXT
    assert f"After {transport.GIVE_UP_AFTER} names in a row" in TEXT
    left_alone = f"{transport.LEFT_ALONE_S:g} s, then twice as long each time"
    assert f"{left_alone}, {transport.LONGEST_LEFT_ALONE_S:g} s at most" in TEXT
    assert f"at most {live.PASSES} times" in TEXT
    assert f"whole within {patience.answer_s:g} s" in TEXT
    assert f"larger than {transport.MAX_BYTES >> 20} MB" in TEXT
    assert (transport.IN_FLIGHT, transport.PER_SECOND) == (4, 10)
    assert f"last {live.POSITIVE_TTL.days} days" in TEXT
    assert f"last {live.NEGATIVE_TTL.seconds // 3600} hours" in TEXT
