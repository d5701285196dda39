"""`ghostbust registry recheck`: which invented names has somebody registered since?"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import Result

from ghostbust.records import Ecosystem, Lookup, Verdict

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def invented(log_run: Callable[..., int]) -> None:
    """Two names that a run logged as absent."""
    day = datetime(2026, 1, 2, tzinfo=UTC)
    log_run(
        *(
            Lookup(
                Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "",
                "snapshot:2026-01-02", day,
            )
            for name in ("zz-a", "zz-b")
        )
    )  # fmt: skip


def test_names_that_could_not_be_asked(run: Run, index: Any) -> None:
    index.status = 403
    result = run("registry", "recheck")
    assert result.exit_code == 3
    assert "2 names, 0 claimed, 2 could not be asked" in result.stdout


def test_a_claimed_name(run: Run, index: Any) -> None:
    index.names.append("zz-b")
    result = run("registry", "recheck", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["asked"], told["unknown"], told["told"]) == (1, 2, 0, 0)
    (claimed,) = told["claimed"]
    assert (claimed["purl"], claimed["event"]) == ("pkg:pypi/zz-b", "claimed")
    assert "1 files" in claimed["evidence"]


def test_what_was_asked_for_is_not_due(run: Run, index: Any) -> None:
    index.names.append("zz-b")
    result = run("registry", "recheck")
    assert result.exit_code == 1
    assert "claimed: zz-b (pypi), first released: not told, by: not told" in result.stdout
    result = run("registry", "recheck")
    assert result.exit_code == 0, "nothing is due"
    assert "0 names, 0 claimed" in result.stdout


def test_a_limit_leaves_the_others_due(run: Run) -> None:
    for asked in (1, 1, 0):
        told = json.loads(run("registry", "recheck", "--limit", "1", "--json").stdout)
        assert told["asked"] == asked
