"""``ghostbust bench dashboard`` on a small store: every step is timed, every tab visited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.bench.big_store import fill
from ghostbust.store.names import NameOrder
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_every_step_is_timed(run: Run) -> None:
    result = run(
        "bench", "dashboard", "--refs", 2000, "--names", 400, "--repeats", 1, "--json", "--quiet"
    )
    assert result.exit_code in (0, 1), result.stderr
    told = json.loads(result.stdout)
    steps = {"open", "page", "search", *(f"sort_{order}" for order in NameOrder)}
    for step in steps:
        assert told["figures"][f"{step}_s"] > 0
        assert told["figures"][f"{step}_cpu_s"] > 0
    assert {step for step in told["figures"] if step.startswith("tab_")} >= {
        "tab_overview_s", "tab_samples_s", "tab_rounds_s", "tab_prompts_s", "tab_jobs_s",
    }  # fmt: skip
    assert (result.exit_code == 1) is bool(told["missed"])


def test_the_store_holds_what_was_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "big.db", refs=2000, names=400)
    with Store.open(tmp_path / "big.db") as store:
        refs = store._connection.rows("SELECT count(*) AS n FROM refs")[0]["n"]
        broken = store._connection.rows("PRAGMA foreign_key_check")
        (sample, *_) = store.answers.page(limit=1)
        answer = store.answers.latest(sample.sample_id)
        assert (refs, store.ledger.page().found, broken) == (2000, 400, [])
    assert answer is not None
    text = answer.sample.text
    assert all(text[one.ref.start : one.ref.end] == one.ref.raw for one in answer.judged)
