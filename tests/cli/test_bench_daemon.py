"""``ghostbust bench daemon``, with few runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_it_says_what_was_held_before_and_after(run: Run) -> None:
    result = run("bench", "daemon", "--runs", 30, "--json", "--quiet")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["runs"] >= 30
    assert told["simulated_days"] > 0
    assert 0 < told["heap_before"] < told["rss_before"]
    each = (told["heap_after"] - told["heap_before"]) / told["runs"]
    assert abs(told["bytes_per_run"] - each) < 0.01
