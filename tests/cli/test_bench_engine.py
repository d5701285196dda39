"""`ghostbust bench engine`."""

from __future__ import annotations

import json
from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]
TINY = ["--vocab", "500", "--length", "16", "--layers", "1", "--width", "64", "--batch", "2"]


def test_the_document(run: Run) -> None:
    once = ["--repeats", "1", "--steps", "1"]
    result = run("bench", "engine", *TINY, *once, "--answer-share", "0.5", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["size"]["vocabulary"] == 500
    assert [measured["loop"] for measured in told["runs"]] == ["plain", "engine"]
    assert told["engine"]["step_s"] == told["runs"][1]["step_s"] > 0
    assert told["plain"]["peak_bytes"] >= told["runs"][0]["loaded_bytes"] > 0
    assert told["time_ratio"] == told["engine"]["step_s"] / told["plain"]["step_s"]
    assert told["memory_ratio"] == told["engine"]["peak_bytes"] / told["plain"]["peak_bytes"]
    assert told["wanted"] == {"time_ratio": 0.6, "memory_ratio": 0.4}
    assert "engine: " in result.stderr


def test_a_width_without_whole_heads_is_an_error(run: Run) -> None:
    result = run("bench", "engine", "--width", "100")
    assert result.exit_code == 2
    assert "--width: 100 isn't a multiple of 64" in result.stderr
