"""docs/reference/registries.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.records import PROMPTED, Ecosystem, Flag, SuspectReason, Verdict
from ghostbust.registries.judge import Mode
from ghostbust.registries.names import VERSION_ABSENT
from ghostbust.registries.snapshot import Snapshot, find_snapshot

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "registries.md").read_text()


OTHER_REASONS = (
    "registered", "not-registered", "invalid-name", "builtin", "not-in-snapshot", "unreachable",
    "no-mapping", "not-asked", VERSION_ABSENT, Flag.LOCAL_MODULE, Flag.TRUNCATED, Flag.ELSEWHERE,
    Flag.PRIVATE_INDEX,
)  # fmt: skip


def test_every_verdict_reason_and_mode_is_there() -> None:
    words = [*Verdict, *SuspectReason, *Mode, *OTHER_REASONS]
    assert [word for word in words if f"`{word}`" not in TEXT] == []


@pytest.mark.parametrize("ecosystem", PROMPTED)
def test_the_shipped_snapshots_are_described(ecosystem: Ecosystem) -> None:
    told = Snapshot.load(find_snapshot(ecosystem)).manifest
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {ecosystem} |"))
    size = sum(int(part["bytes"]) for part in told.files.values()) / 1e6
    assert row == (
        f"| {ecosystem} | {told.date} | {told.count:,} | {'yes' if told.complete else 'no'} | "
        f"{told.popular:,} | {told.suspects:,} | {size:.2f} MB |"
    )
