"""SCORE: how likely base and adapters find the canonical solutions, once each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from ghostbust.adapters import read_copy
from ghostbust.errors import HomeError
from ghostbust.evaluation.figures import BASE
from ghostbust.gates import LikelihoodGate
from ghostbust.gates.likelihood import TaskScores
from ghostbust.loop.eval_plan import Chosen, load_local, weights_of
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import benchmark_tasks
from ghostbust.loop.session import Session
from ghostbust.parsing import parse_json
from ghostbust.records import Score, content_id


def score_known_code(
    session: Session, models: Sequence[Chosen | None], listener: Listener
) -> dict[str, TaskScores]:
    """The scores of each model's canonical solutions, by adapter; None is the base.

    Kept in the home folder, and taken from there where model, adapter and tasks are the same. No
    scores where the tasks can't be fetched.
    """
    tasks = benchmark_tasks(session.config, session.cache_dir, listener)
    found: dict[str, TaskScores] = {}
    for chosen in models:
        name = BASE if chosen is None else chosen[0]
        found[name] = {}
        if not tasks:
            continue
        file = kept_scores(session, chosen)
        known = _read(file)
        if known is None:
            listener.begin(f"score {len(tasks)} canonical solutions with {name}")
            known = LikelihoodGate(tasks).measure(load_local(session, chosen))
            _write(file, known)
        found[name] = known
    return found


def kept_scores(session: Session, chosen: Chosen | None) -> Path:
    """Where a model's scores are kept: named for the weights and the tasks, not for the adapter."""
    model, gates = session.config.model.name, session.config.gates
    tasks = f"humaneval {gates.humaneval_tasks} mbpp {gates.mbpp} {gates.mbpp_tasks}"
    weights = [weights_of(session.config), {} if chosen is None else read_copy(chosen[1]).files]
    key = content_id(model, json.dumps(weights, sort_keys=True), tasks)
    return session.home.path / "scores" / f"{key}.json"


def are_numbers(scores: TaskScores) -> bool:
    """False where a model's predictions are NaN or without bound: it can't be sampled either."""
    return all(math.isfinite(score.nll) for score in scores.values())


def _read(file: Path) -> TaskScores | None:
    """None where nothing is kept. Raises HomeError for a file that is damaged."""
    try:
        rows = parse_json(file.read_text("utf-8"))
        return {task: Score(float(nll), int(tokens)) for task, (nll, tokens) in rows.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, TypeError, AttributeError) as exc:
        raise HomeError(f"can't read {file}: {exc}; remove it") from exc


def _write(file: Path, scores: TaskScores) -> None:
    rows = {task: (score.nll, score.tokens) for task, score in scores.items()}
    aside = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        aside.write_text(json.dumps(rows) + "\n", "utf-8")
        aside.replace(file)
    except OSError as exc:
        raise HomeError(f"can't write {file}: {exc.strerror or exc}") from exc
