"""``ghostbust bench ingest``: a table, or one JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SMALL = ("--completions", 30, "--completions", 60, "--chars", 100, "--workers", 0)


def test_json(run: Run) -> None:
    document = json.loads(run("bench", "ingest", *SMALL, "--json", "--quiet").stdout)
    assert [row["completions"] for row in document["runs"]] == [30, 60]
    assert document["ratio"] == document["runs"][-1]["per_s"] / document["extraction_per_s"]
    assert document["wanted"] == {"per_minute": 100_000}


def test_table(run: Run) -> None:
    result = run("bench", "ingest", *SMALL)
    assert result.exit_code == 0
    assert "wanted of two cores: 100,000" in result.stdout
