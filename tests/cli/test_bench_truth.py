"""`ghostbust bench truth`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]


def test_the_document(run: Run) -> None:
    told = json.loads(run("bench", "truth", "--answers", "4", "--json").stdout)
    whats = [rate["what"] for rate in told["rates"]]
    assert whats == ["answers extracted", "requirement lines read", "names judged offline"]
    assert all(rate["ratio"] == 1 and rate["per_s"] > 0 for rate in told["rates"])
    assert told["wanted"] == {"names_per_s": 300_000, "memory_bytes": 120_000_000}


def test_the_table_and_an_interpreter_without_peers(run: Run) -> None:
    result = run("bench", "truth", "--answers", "4", "--peers", sys.executable)
    assert result.exit_code == 0
    assert "names judged offline" in result.stdout
    assert "memory with both snapshots in use" in result.stdout
    assert "slopcheck" not in result.stdout
