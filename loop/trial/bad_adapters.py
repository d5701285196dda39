"""Bad adapters, made of a good one, and put where a daemon comes upon them.

``garbage`` has random second matrices: its answers are noise. ``turned`` does the opposite of what
was learnt: it invents more. Both have a gate report that says PASS, as a gate that errs would.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ghostbust.adapters import CONFIG, WEIGHTS, write_adapter
from ghostbust.config import Config
from ghostbust.errors import BusyError
from ghostbust.home import Home
from ghostbust.loop.promote import promote
from ghostbust.loop.publish import make_publishing
from ghostbust.loop.session import Session, open_session
from ghostbust.measure import measure
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict
from ghostbust.store.runs import RunKind, RunSpec, RunStatus

Badness = Literal["garbage", "turned"]
NOISE = 2.0
"""standard deviation of garbage's second matrices"""
TURN = -2.0
"""what a turned adapter's second matrices are multiplied by"""


def leave_for_daemon(
    home: Home, config: Config, good: Path, badness: Badness, *, until: float
) -> int:
    """A round that passed its gates and was then interrupted: the daemon goes on with it.

    The round's number. Waits for a job that works, ``until`` so many seconds of the monotonic
    clock; then it raises BusyError.
    """
    with _patiently(home, config, until) as session:
        round_id, _, _ = _make(session, good, badness)
        session.store.rounds.put_down(round_id)
        return round_id


def let_serve_without_canary(
    home: Home, config: Config, good: Path, badness: Badness, *, until: float
) -> str:
    """An adapter that clients get though no canary has seen it; its name. Waits in the same way."""
    with _patiently(home, config, until) as session:
        _, name, report = _make(session, good, badness)
        publishing = make_publishing(config, home, session.store)
        unseen = replace(publishing, trial=lambda _publisher, _name: None)
        promote(session.store, home, name, report, "a drill: no canary", unseen)
        return name


def _make(session: Session, good: Path, badness: Badness) -> tuple[int, str, GateReport]:
    """The round's number, the adapter's name, and the report that says PASS."""
    store, model = session.store, session.config.model.name
    runs = []
    for seed in (1, 2):
        run_id = store.runs.start(RunSpec(RunKind.GATE, model, None, seed))
        store.runs.finish(run_id, RunStatus.DONE, measure([], seed=0))
        runs.append(run_id)
    round_id = store.rounds.start(
        model=model, method=session.config.training.method, seed=0, settings={"drill": badness},
        plan={"most_holdout": 1}, before_run=runs[0],
    )  # fmt: skip
    name = f"round-{round_id:04d}-{badness}"
    path = session.home.adapters / name
    write_adapter(
        path, model=model, facts={"drill": badness}, save=lambda aside: _save(good, aside, badness)
    )
    store.rounds.add_candidate(round_id, Candidate(name, path, model, "drill", 0, 0, 0.0, 0.0))
    said = GateResult("drill", GateVerdict.PASS, "a drill", None, None, None, "none")
    report = GateReport(name, (said,))
    store.rounds.add_gate_report(round_id, report, runs[1])
    return round_id, name, report


def _save(good: Path, aside: Path, badness: Badness) -> None:
    """The good adapter's files, with other second matrices."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(good / WEIGHTS)
    torch.manual_seed(0)
    for key, weight in weights.items():
        if "lora_B" in key:
            bad = TURN * weight if badness == "turned" else NOISE * torch.randn(weight.shape)
            weights[key] = bad.to(weight.dtype).contiguous()
    shutil.copyfile(good / CONFIG, aside / CONFIG)
    save_file(weights, aside / WEIGHTS)


@contextmanager
def _patiently(home: Home, config: Config, until: float) -> Iterator[Session]:
    """The home folder, as soon as no job works in it."""
    with ExitStack() as opened:
        while True:
            try:
                session = opened.enter_context(open_session(home, config, purpose="drill"))
                break
            except BusyError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield session
