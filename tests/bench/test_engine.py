"""Two loops side by side, each in a process of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghostbust.bench.engine import Comparison, Run, Size, check_losses, compare
from ghostbust.errors import TrainingError

TINY = Size(vocabulary=500, length=16, batch=2, layers=1, width=64)
PLAIN = Run("plain", step_s=4.0, peak_bytes=1000, loaded_bytes=100, loss=2.0)
ENGINE = Run("engine", step_s=1.0, peak_bytes=300, loaded_bytes=100, loss=2.01)


def test_ratios_are_of_median_times_and_highest_peaks() -> None:
    runs = (PLAIN, ENGINE, replace(PLAIN, step_s=9.0), replace(ENGINE, peak_bytes=400))
    result = Comparison(TINY, (*runs, replace(PLAIN, step_s=5.0), replace(ENGINE, step_s=2.0)))
    assert (result.step_s("plain"), result.step_s("engine")) == (5.0, 1.0)
    assert result.time_ratio == pytest.approx(0.2)
    assert result.memory_ratio == pytest.approx(0.4)


def test_loops_that_compute_something_else_are_not_compared() -> None:
    check_losses(PLAIN, ENGINE)
    for loss in (2.1, float("nan")):
        with pytest.raises(TrainingError, match="don't compute the same"):
            check_losses(PLAIN, replace(ENGINE, loss=loss))


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(TrainingError, match=r"the plain loop failed.*nowhere"):
        compare(replace(TINY, device="nowhere"), repeats=1, steps=1)
