"""A run that is judged again: same refs, other snapshots, nothing written."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import StoreError
from ghostbust.loop.recheck import rescore
from ghostbust.loop.watch import Watcher
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.registries.judge import Judge, Mode
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

TEXTS = {
    "one": "```bash\npip install requests zz-a zz-b\n```",
    "two": "```python\nimport requests\nimport zz_a\n```",
}


def judge_of(folder: Path, day: date, *names: str) -> Judge:
    path = build_snapshot(
        [NameRow(name) for name in names], ecosystem=Ecosystem.PYPI, date=day, complete=True,
        out_dir=folder / str(day),
    )  # fmt: skip
    return Judge(Mode.SNAPSHOT, snapshots={Ecosystem.PYPI: Snapshot.load(path)})


@pytest.fixture
def run_id(store: Store, scripted: MakeSampler, tmp_path: Path) -> int:
    """A run of two prompts, judged by a snapshot of the second of January."""
    judge = judge_of(tmp_path, date(2026, 1, 2), "requests")
    sampler = scripted(lambda prompt: TEXTS[prompt.text])
    settings = SamplingSettings(samples_per_prompt=1)
    prompts = [Prompt(text, Context.CODE, Ecosystem.PYPI, text) for text in TEXTS]
    return Watcher(store, sampler, judge, settings).prompts(prompts, RunKind.WATCH).run_id


def test_the_same_snapshot_gives_the_logged_figures(
    store: Store, run_id: int, tmp_path: Path
) -> None:
    done = rescore(store, run_id, judge_of(tmp_path, date(2026, 1, 2), "requests"))
    assert (done.then.rate, done.then.volume) == (3 / 5, 1.0)
    assert done.now == done.then
    assert (done.changes, done.left_out, done.only_live) == ((), 0, 0)


def test_a_later_one_shows_who_was_claimed_in_how_many_answers(
    store: Store, run_id: int, tmp_path: Path
) -> None:
    later = judge_of(tmp_path, date(2026, 2, 3), "requests", "zz-a")
    done = rescore(store, run_id, later)
    assert (done.now.rate, done.now.suspect) == (3 / 5, 2)
    (change,) = done.changes
    assert (change.now.name, change.now.reason, change.answers) == ("zz-a", "claimed", 2)
    assert change.now.evidence.endswith("; absent on 2026-01-02")


def test_an_earlier_one_shows_what_was_there_before(
    store: Store, run_id: int, tmp_path: Path
) -> None:
    earlier = judge_of(tmp_path, date(2025, 12, 1), "zz-b")
    done = rescore(store, run_id, earlier)
    assert [(c.now.name, str(c.then.verdict), str(c.now.verdict)) for c in done.changes] == [
        ("requests", "REAL", "ABSENT"),
        ("zz-b", "ABSENT", "REAL"),
    ]
    assert (done.now.rate, done.now.volume) == (4 / 5, 0.5)


def test_a_run_that_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run 7"):
        rescore(store, 7, judge_of(tmp_path, date(2026, 1, 2), "requests"))
