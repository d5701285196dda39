"""The figures are of a run that counted every completion; another one is an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ghostbust.bench.ingest import Size, ingest_log, measure_ingest, time_extraction, tree_bytes
from ghostbust.bench.traffic_log import write_log
from ghostbust.errors import GhostbustError


def test_speed_and_memory_of_a_small_log() -> None:
    told: list[str] = []
    result = measure_ingest(Size((120,), 300, 0, 0.1, 0, 0), told.append)
    [run] = result.runs
    assert run.completions == 120
    assert run.log_bytes > 120 * 300
    assert run.cpu_s > 0
    assert run.peak_bytes > 10_000_000
    assert result.ratio == run.per_s / result.extraction_per_s
    assert len(told) == 2


def test_a_run_that_counts_otherwise_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    write_log(log, 3, chars=100, context=0, invented=0, seed=0)
    with pytest.raises(GhostbustError, match="3 of 4 completions"):
        ingest_log(log, tmp_path / "home", 4, 0)
    with pytest.raises(GhostbustError, match="there is no file"):
        ingest_log(tmp_path / "gone", tmp_path / "home", 4, 0)
    assert min(time_extraction(log)) > 0


def test_memory_of_a_process() -> None:
    assert tree_bytes(os.getpid()) > 10_000_000
    assert tree_bytes(2**22 + 1) == 0
