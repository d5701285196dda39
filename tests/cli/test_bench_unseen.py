"""`ghostbust bench unseen`."""

from __future__ import annotations

import json
from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]
SMALL = ("--families", 12, "--answers", 2, "--runs", 2)


def test_the_document(run: Run) -> None:
    told = json.loads(run("bench", "unseen", *SMALL, "--json").stdout)
    assert (told["families"], told["answers"], told["runs"], told["seed"]) == (12, 2, 2, 0)
    assert told["wanted"] == {"chance_covered": 0.85}
    assert len(told["outcomes"]) == 7
    for one in told["outcomes"]:
        assert one["chance_covered"] in (0, 0.5, 1)
        assert one["left_true"] > 0


def test_the_table_and_the_seed(run: Run) -> None:
    first, second, other = (
        run("bench", "unseen", *SMALL, "--seed", seed).stdout for seed in (1, 1, 2)
    )
    assert "Zipf, exponent 1" in first
    assert "wanted is at least 0.85" in first
    assert first == second != other
