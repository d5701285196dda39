"""What a round may need of the day's budgets, by how far it came."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS
from ghostbust.loop.round_needs import Ahead, ahead_of, needs_of_round
from ghostbust.loop.watch import Watched
from ghostbust.prompts import Task, split
from ghostbust.records import Candidate, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.loop.rounds import report_of

PROGRAM = """
import sys
import ghostbust.loop.round_needs, ghostbust.loop.session
from ghostbust.loop import alarms, recheck, sweep
found = {"torch", "transformers", "peft"} & set(sys.modules)
assert not found, found
"""


def test_what_the_daemon_reads_needs_no_model_library() -> None:
    """Once a merge of modules made every session load torch."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=300)


CONFIG = override(
    Config(),
    registry__mode="snapshot",
    sampling__max_new_tokens=100,
    training__probes=40,
    gates__humaneval_tasks=20,
    gates__max_new_tokens=200,
    gates__samples=2,
    gates__blocks=1,
)
HELD, LOOKED, CODED = 5 * 3 * 2, 2 * 6 * 40, 2 * 20
"""answers of one model to five held-out tasks, of both members' looks, to the coding tasks"""


def needs(config: Config, tasks: list[Task], ahead: Ahead) -> tuple[float, float]:
    found = needs_of_round(config, tasks, ahead)
    assert set(found) == {SAMPLES, TOKENS}
    return found[SAMPLES], found[TOKENS]


def test_a_new_round_asks_both_models_and_looks_and_codes(tasks: list[Task]) -> None:
    samples = 2 * HELD + LOOKED + CODED
    tokens = (2 * HELD + LOOKED) * 100 + CODED * 200
    assert needs(CONFIG, tasks, Ahead(5)) == (samples, tokens)
    _, holdout = split(tasks, CONFIG.prompts.holdout_share)
    all_held = 2 * len(holdout) * 3 * 2
    assert needs(CONFIG, tasks, Ahead(1000))[0] == all_held + LOOKED + CODED
    by_command = override(CONFIG, trainer__command=("train",))
    assert needs(by_command, tasks, Ahead(5))[0] == 2 * HELD + CODED, "what it asks isn't known"
    blocks = override(CONFIG, gates__blocks=3)
    assert needs(blocks, tasks, Ahead(5))[0] == samples + 2 * 2 * HELD, "every block counts"
    asked = Ahead(5, base=False, training=False, candidate=False)
    assert needs(blocks, tasks, asked)[0] == 2 * 2 * HELD + CODED, "the first one is there"
    mbpp = override(CONFIG, gates__mbpp="mbpp.jsonl", gates__mbpp_tasks=7)
    assert needs(mbpp, tasks, Ahead(5))[0] == samples + 2 * 7


@pytest.mark.parametrize(
    ("changed", "looked"),
    [
        ({}, 2 * 6 * 40),
        ({"training__members": 3}, 3 * 6 * 40),
        ({"training__method": "au-repair"}, 2 * 4 * 40),
        ({"training__method": "npo"}, 0),
        ({"training__probes": 29}, 0),
        ({"training__probes": 150}, 1800),
    ],
)
def test_the_looks_are_those_of_the_method_and_of_all_members(
    tasks: list[Task], changed: dict[str, object], looked: int
) -> None:
    """What a training really asks is counted in test_round_budgets.py."""
    training = Ahead(5, base=False, candidate=False, gates=False)
    assert needs(override(CONFIG, **changed), tasks, training) == (looked, looked * 100)


@pytest.mark.parametrize(
    ("changed", "replicas"),
    [
        ({}, 0),
        ({"publish__kind": "vllm", "publish__replicas": ("http://a", "http://b")}, 2),
        ({"publish__kind": "vllm", "model__endpoint": "http://a"}, 1),
        ({"publish__kind": "directory", "publish__replicas": ("/a",)}, 0),
        (
            {"publish__kind": "directory", "publish__replicas": ("/a",), "model__endpoint": "http://a"},
            1,
        ),
        ({"publish__kind": "vllm", "model__endpoint": "http://a", "daemon__promote": "review"}, 0),
    ],
)  # fmt: skip
def test_each_server_has_a_canary_unless_a_person_promotes(
    tasks: list[Task], changed: dict[str, object], replicas: int
) -> None:
    config = override(CONFIG, **changed)
    settled = Ahead(5, base=False, training=False, candidate=False, gates=False)
    assert needs(config, tasks, settled) == (replicas * 2 * 30, replicas * 2 * 30 * 100)


def test_live_registries_need_a_request_at_least(tasks: list[Task]) -> None:
    assert needs_of_round(override(CONFIG, registry__mode="auto"), tasks, Ahead(5))[REQUESTS] == 1


def round_in(store: Store, state: RoundState, before: Watched | None, path: Path) -> Ahead:
    """What is ahead of a round that came so far."""
    round_id = store.rounds.start(
        model="m", method="au", seed=1, settings={}, plan={"most_holdout": 7},
        before_run=None if before is None else before.run_id,
    )  # fmt: skip
    if state is not RoundState.STARTED:
        name = f"round-{round_id:04d}-aa"
        store.rounds.add_candidate(round_id, Candidate(name, path, "m", "au", 1, 1, 0.1, 1.0))
        if state is RoundState.GATED:
            store.rounds.add_gate_report(round_id, report_of(name, GateVerdict.PASS))
    left = store.rounds.get(round_id)
    assert left.state is state
    return ahead_of(store, left, 60)


def test_what_is_ahead_is_what_the_store_lacks(
    session: object, before: Watched, store: Store, tmp_path: Path
) -> None:
    assert ahead_of(store, None, 60) == Ahead(60)
    started = round_in(store, RoundState.STARTED, before, tmp_path)
    assert started == Ahead(7, base=False), "with its own number of tasks"
    assert round_in(store, RoundState.STARTED, None, tmp_path) == Ahead(7)
    trained = round_in(store, RoundState.TRAINED, before, tmp_path)
    assert trained == Ahead(7, base=False, training=False)
    newest = store.rounds.recent(1)[0]
    run_id = store.runs.start(RunSpec(RunKind.GATE, "m", newest.adapter, 1))
    assert ahead_of(store, newest, 60) == trained, "a run that isn't done"
    store.runs.finish(run_id, RunStatus.DONE, before.measurement)
    assert ahead_of(store, newest, 60) == replace(trained, candidate=False)
    settled = round_in(store, RoundState.GATED, before, tmp_path)
    assert settled == Ahead(7, base=False, training=False, candidate=False, gates=False)


def test_the_base_is_asked_again_where_texts_were_not_kept(
    session: object, before: Watched, store: Store, tmp_path: Path
) -> None:
    with store._connection.write() as connection:
        connection.execute("UPDATE samples SET text = NULL WHERE rowid = 1")
    assert round_in(store, RoundState.STARTED, before, tmp_path).base
