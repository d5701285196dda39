"""TRAINER: a program of the user's that trains in the place of ghostbust.

docs/guides/trainer.md says what it gets and what it has to leave: an adapter folder and metrics.
Nothing of that is trusted: the adapter is checked like ghostbust's own, and only then copied to the
other adapters.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ghostbust.adapters import CONFIG, WEIGHTS, copy_plain, name_key, write_adapter, write_forgotten
from ghostbust.errors import HomeError, TrainingError
from ghostbust.files import for_users_program
from ghostbust.loop.child import Child, sweep_children
from ghostbust.loop.publish import check_limits, make_publishing
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.records import Answer, Candidate, SetSplit, content_id
from ghostbust.unlearners.external import check_left, read_metrics
from ghostbust.unlearners.settings import Former, TrainSettings
from ghostbust.unlearners.train import data_id

METRICS = "metrics.json"


def train_by_command(
    session: Session,
    sets: SetSplit,
    settings: TrainSettings,
    round_id: int,
    listener: Listener,
    former: Former | None = None,
) -> Candidate:
    """The adapter that the settings' program makes of the sets, in a complete folder.

    The program gets the folder of the ``former`` adapter to start from; nobody checks that it does.

    Raises TrainingError where the program fails, ModelError where what it left can't be served,
    PublishError where a server wouldn't take it, HomeError where the disk refuses.
    """
    model, work = session.config.model.name, session.home.trainer
    mark = f"{session.home.path}:trainer"
    sweep_children(mark)  # of a killed round: they would write into the same folder
    placeholders = _lay_out(work, model, sets, settings, former)
    _run(session, placeholders, mark, listener)
    left = work / "adapter"
    shape = check_left(left, most_rank=session.config.training.rank)
    check_limits(
        make_publishing(session.config, session.home, session.store), shape.rank, shape.targets
    )
    metrics = read_metrics(work / METRICS)
    made_of = content_id(
        model, data_id(sets.forget + sets.retain), repr(settings), *session.config.trainer.command
    )
    folder = session.home.adapters / f"round-{round_id:04d}-{made_of[:8]}"
    facts = {
        "round": round_id,
        "method": settings.method,
        "trainer": list(session.config.trainer.command),
        "settings": asdict(settings),
        "answers": {
            "forget": len(sets.forget),
            "retain": len(sets.retain),
            "id": data_id(sets.forget + sets.retain),
        },
        "steps": metrics.steps,
        "train_s": metrics.train_s,
        "losses": list(metrics.losses),
        "start": None if former is None else former.folder.name,
    }
    write_adapter(
        folder,
        model=model,
        facts=facts,
        save=lambda aside: _save(left, aside, sets, session.config.training.rank),
    )
    shutil.rmtree(work, ignore_errors=True)
    return Candidate(
        name=folder.name,
        path=folder,
        model=model,
        method=settings.method,
        seed=settings.seed,
        steps=metrics.steps,
        final_loss=metrics.losses[-1],
        train_s=metrics.train_s,
    )


def _lay_out(
    work: Path, model: str, sets: SetSplit, settings: TrainSettings, former: Former | None
) -> dict[str, str]:
    """Writes what the program reads; the values of its placeholders and variables."""
    placeholders = {
        "sets": str(work / "sets"),
        "adapter": str(work / "adapter"),
        "metrics": str(work / METRICS),
        "model": model,
        "start": "" if former is None else str(former.folder),
        "rank": str(settings.rank),
        "seed": str(settings.seed),
    }
    try:
        shutil.rmtree(work, ignore_errors=True)
        for folder in (work, work / "sets", work / "adapter"):
            folder.mkdir(mode=0o700)
        for name, answers in (("forget", sets.forget), ("retain", sets.retain)):
            lines = (json.dumps(row) + "\n" for row in _rows(answers))
            (work / "sets" / f"{name}.jsonl").write_text("".join(lines), "utf-8")
        training = {"model": model, "settings": asdict(settings)}
        (work / "sets" / "training.json").write_text(json.dumps(training, indent=2), "utf-8")
    except OSError as exc:
        raise HomeError(f"can't write {work}: {exc.strerror or exc}") from exc
    return placeholders


def _rows(answers: Sequence[Answer]) -> Iterator[dict[str, object]]:
    """One row an answer: the prompt, the answer, its packages and where in it they are."""
    for answer in answers:
        prompt = answer.sample.prompt
        yield {
            "prompt": prompt.text,
            "turns": list(prompt.turns),
            "answer": answer.sample.text,
            "context": prompt.context,
            "ecosystem": prompt.ecosystem,
            "family": prompt.family,
            "packages": [
                {
                    "name": judged.lookup.name,
                    "verdict": judged.lookup.verdict,
                    "start": judged.ref.start,
                    "end": judged.ref.end,
                }
                for judged in answer.judged
            ],
        }


def _run(session: Session, placeholders: dict[str, str], mark: str, listener: Listener) -> None:
    """Runs the program to its end. Raises TrainingError where it fails or takes too long."""
    section = session.config.trainer

    def filled(argument: str) -> str:
        for key, value in placeholders.items():  # other braces stay as they are
            argument = argument.replace(f"{{{key}}}", value)
        return argument

    command = [filled(argument) for argument in section.command]
    child = Child(
        command,
        mark,
        limit_s=section.timeout_s,
        environment={
            **{f"GHOSTBUST_TRAINER_{key.upper()}": value for key, value in placeholders.items()},
            **for_users_program(),
        },
    )
    listener.begin(f"train by {command[0]}")
    ended = child.run(listener.begin, threading.Event())
    if ended.stopped:
        raise TrainingError(f"trainer.command took longer than {section.timeout_s:g} s")
    if ended.code:
        raise TrainingError(f"trainer.command {ended.why}")


def _save(left: Path, aside: Path, sets: SetSplit, most_rank: int) -> None:
    """Copies weights and config, and writes which names are forgotten."""
    for name in (CONFIG, WEIGHTS):
        copy_plain(left / name, aside / name)
    check_left(aside, most_rank=most_rank)  # what was copied may not be what was checked
    write_forgotten(
        aside,
        (
            name_key(judged.lookup.ecosystem, judged.lookup.name)
            for answer in sets.forget
            for judged in answer.judged
            if judged.lookup.invented
        ),
    )
