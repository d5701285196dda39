"""``ghostbust bench unattended``: the daemon beside a model server under load, all alone."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import FINDINGS, ended_like_ctrl_c
from ghostbust.cli.options import JsonOption, QuietOption
from ghostbust.cli.output import Output, Stages, cell, table
from ghostbust.measure import said_unknown

if TYPE_CHECKING:
    from ghostbust.home import Home
    from ghostbust.loop.trial.clients import Heard
    from ghostbust.loop.trial.settings import Size
    from ghostbust.loop.trial.unattended import Unattended
    from ghostbust.records import Measurement

REAL = (
    "requests", "numpy", "flask", "pandas", "click", "rich", "httpx", "boto3",
    "django", "fastapi", "pydantic", "scipy", "pillow", "lxml", "redis", "celery",
)  # fmt: skip
MADE_UP = tuple(
    f"zz-{one}-{other}"
    for one in ("quux", "harbor", "meadow", "lantern")
    for other in ("sensorlib", "toolkit", "parser", "client")
)
"""with the real ones, what the model of random weights can name"""


def unattended(
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A model to serve and train; none: a made one."),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds that have to end.")] = 3,
    per_s: Annotated[
        float, typer.Option("--per-s", min=0.1, help="Requests of clients a second.")
    ] = 20.0,
    tasks: Annotated[
        int,
        typer.Option("--tasks", min=40, help="Shipped tasks that are asked; a quarter held out."),
    ] = 80,
    train_answers: Annotated[
        int, typer.Option("--train-answers", min=2, help="Answers that a round trains on, at most.")
    ] = 120,
    watch_prompts: Annotated[
        int | None,
        typer.Option(
            "--watch-prompts", min=10, help="Prompts of a watch; none: 40, of a real model 24."
        ),
    ] = None,
    coding: Annotated[
        int,
        typer.Option(
            "--coding",
            min=0,
            max=164,
            help="HumanEval tasks of the gates; 0: gated by rate and volume alone.",
        ),
    ] = 0,
    every_s: Annotated[
        float, typer.Option("--every-s", min=1, help="Seconds from watch to watch.")
    ] = 5.0,
    linger_s: Annotated[
        float, typer.Option("--linger-s", min=0, help="Seconds in which the server fills a batch.")
    ] = 0.1,
    limit_s: Annotated[
        float, typer.Option("--limit-s", min=30, help="Seconds after which it gives up.")
    ] = 1200.0,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Keep home folder and logs here; none: a temporary folder."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a real daemon beside a real model server under load: rounds, swaps, two bad adapters.

    All of it on this machine's loopback. Exits with 1 where a client met an error, a bad adapter
    wasn't caught, nothing was promoted, or the rate didn't fall.
    """
    from ghostbust.loop.trial.settings import Size
    from ghostbust.loop.trial.unattended import Trial

    output = Output(as_json=as_json, quiet=quiet)
    size = Size(
        rounds=rounds, per_s=per_s, tasks=tasks, train_answers=train_answers, coding=coding,
        every_s=every_s, limit_s=limit_s,
    )  # fmt: skip
    size = size if model is None else _real(size)
    size = size if watch_prompts is None else replace(size, watch_prompts=watch_prompts)
    # Whole, since paths in a settings file are relative to that file.
    folder = (work or Path(tempfile.mkdtemp(prefix="ghostbust-unattended-"))).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        named, served = _model(model, folder)
        with ended_like_ctrl_c(), Stages(output) as stages:
            found = Trial(
                folder, size, named, _server(served, linger_s), partial(_daemon, size), stages
            ).run()
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
    _report(output, found)
    output.document(_document(found))
    if found.breaches:
        raise typer.Exit(FINDINGS)


def _real(size: Size) -> Size:
    """The sizes for a real model: longer answers, training and canary as the settings have them."""
    return replace(
        size, chat=True, tokens=48, watch_prompts=24, rank=16, lr=8e-4, canary_prompts=12,
    )  # fmt: skip


def _model(model: str | None, folder: Path) -> tuple[str, Path | str]:
    """The model's name in the settings, and the folder or id that is served."""
    from ghostbust.bench.talking import make_talking_model
    from ghostbust.home import cache_dir
    from ghostbust.models.load import resolve_model

    if model is not None:
        return model, resolve_model(model, cache_dir())
    made = folder / "model"
    make_talking_model(made, REAL + MADE_UP)
    return str(made), made


def _server(served: Path | str, linger_s: float) -> list[str]:
    program = "ghostbust.bench.model_server"
    return [sys.executable, "-m", program, str(served), "--linger-s", str(linger_s)]


def _daemon(size: Size, home: Home) -> list[str]:
    if size.coding:
        return [
            sys.executable, "-m", "ghostbust", "daemon", "--home", str(home.path),
            "--config", str(home.config),
        ]  # fmt: skip
    return [sys.executable, "-m", "ghostbust.cli.trial_daemon", str(home.path), str(size.tasks)]


def _report(output: Output, found: Unattended) -> None:
    shown = table("when", "served", "outside: rate", "volume", "watches: rate", "round")
    for stand in found.stands:
        said = "" if stand.round is None else f"{stand.round.state}: {stand.round.reason}"
        shown.add_row(
            cell(stand.when), cell(stand.adapter or "the base"), cell(_rate(stand.outside)),
            cell(f"{stand.outside.volume:.2f}"), cell(_rate(stand.live)), cell(said[:100]),
        )  # fmt: skip
    output.result.print(shown)
    asked = table("clients asked", "answered", "errors", "median s", "95 % s", "longest s")
    for model, heard in found.clients.items():
        asked.add_row(*map(cell, (model, *_figures(heard).values())))
    output.result.print(asked)
    for drill, came in found.drills.items():
        output.line(f"{drill}: {came}")
    for breach in found.breaches:
        output.line(breach, "red")
    total = sum(len(heard.waits) + len(heard.errors) for heard in found.clients.values())
    errors = sum(len(heard.errors) for heard in found.clients.values())
    output.line(
        f"{len(found.rounds)} rounds with drills, {len(found.moves)} moves of the pointer,"
        f" {total:,} requests of clients ({found.asked_per_s:.1f} a second),"
        f" {errors} errors, {found.wall_s:.0f} s"
    )


def _rate(measured: Measurement | None) -> str:
    if measured is None:
        return "no watch"
    low, high = measured.ci95
    unknown = said_unknown(measured.unknown, measured.local, measured.unmapped)
    return f"{measured.rate:.3f} ({low:.3f} to {high:.3f}), unknown {unknown}"


def _figures(heard: Heard) -> dict[str, float]:
    """Answers, errors, and seconds to an answer: median, 95 % and longest."""
    waits = heard.waits
    cuts = quantiles(waits, n=20) if len(waits) > 1 else [math.nan] * 19
    return {
        "answered": len(waits),
        "errors": len(heard.errors),
        "median_s": round(cuts[9], 3),
        "p95_s": round(cuts[18], 3),
        "longest_s": round(max(waits, default=math.nan), 3),
    }


def _document(found: Unattended) -> dict[str, object]:
    from ghostbust.results import measurement_document

    return {
        "stands": [
            {
                "when": stand.when,
                "adapter": stand.adapter,
                "round": None if stand.round is None else stand.round.id,
                "outside": measurement_document(stand.outside),
                "watches": None if stand.live is None else measurement_document(stand.live),
            }
            for stand in found.stands
        ],
        "rounds": [
            {"id": r.id, "state": r.state, "adapter": r.adapter, "reason": r.reason}
            for r in found.rounds
        ],
        "moves": found.moves,
        "clients": {model: _figures(heard) for model, heard in found.clients.items()},
        "asked_per_s": round(found.asked_per_s, 2),
        "drills": found.drills,
        "breaches": found.breaches,
        "wall_s": round(found.wall_s, 1),
    }
