"""No real module is called absent, and the shipped snapshots stay small in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.registries.judge import Mode, default_judge
from tests.lab.audit import audit_modules
from tests.lab.speed import MEMORY_BYTES, memory_bytes


def test_modules_of_the_tables_and_of_what_is_installed_are_no_false_alarms() -> None:
    with default_judge(Mode.SNAPSHOT) as judge:
        tables, installed, guesses = audit_modules(judge)
    assert tables.names > 800
    assert installed.names > 50
    assert guesses.names > 400
    for outcome in (tables, installed):
        assert (outcome.lost, outcome.wrong) == ([], [])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc here")
def test_both_snapshots_fit_into_the_memory_that_they_may_take() -> None:
    memory = memory_bytes()
    assert memory is not None
    assert 10_000_000 < memory < MEMORY_BYTES
