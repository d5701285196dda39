"""``ghostbust round``: one pass from logged inventions to a gated adapter."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.adapters import gate_table
from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import ended_like_ctrl_c, on_interrupt
from ghostbust.cli.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    ModelOption,
    QuietOption,
    RegistryModeOption,
    SeedOption,
)
from ghostbust.cli.output import Output, Stages
from ghostbust.cli.sweep import measurement_table
from ghostbust.prompts import MOST_HOLDOUT
from ghostbust.results import round_document

if TYPE_CHECKING:
    from ghostbust.loop.round import RoundOutcome
    from ghostbust.loop.watch import Watched


def round_(
    model: ModelOption = None,
    holdout: Annotated[
        int, typer.Option("--holdout", min=10, help="Held-out tasks that measure, at most.")
    ] = MOST_HOLDOUT,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            show_default="the settings' training.method",
            help="How it unlearns; a name that isn't known lists those there are.",
        ),
    ] = None,
    registry: RegistryModeOption = None,
    seed: SeedOption = 0,
    budgeted: Annotated[
        bool,
        typer.Option(
            "--budgeted",
            help="Keep to the day's budgets of the settings, and note in them what it asks.",
        ),
    ] = False,
    train_anyway: Annotated[
        bool,
        typer.Option(
            "--train-anyway",
            help="Train also where it is known beforehand that the gates can't pass.",
        ),
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train an adapter on what sweeps and watches logged, gate it, and promote it if it passes.

    A round that was interrupted is gone on with first, with its own seed. Exits with 0 when the
    round came to its end, whatever the gates said, and with 2 before it trains where they can't
    pass. Under `accelerate launch` all processes train
    together, and the first one does the rest.
    """
    from ghostbust.config import override
    from ghostbust.home import Home
    from ghostbust.loop.round import next_round
    from ghostbust.loop.session import open_session
    from ghostbust.loop.signals import SystemClock
    from ghostbust.unlearners.processes import together
    from ghostbust.unlearners.train import run_worker

    output = Output(as_json=as_json, quiet=quiet)
    started = time.monotonic()
    with together() as processes:
        if processes is not None and not processes.main:
            run_worker(processes)
            return
        place = Home.open(home)
        settings = override(
            load_settings(config, place),
            model__name=model,
            registry__mode=registry,
            training__method=method,
        )
        with (
            on_interrupt("run it again: the round goes on with the step that it was at"),
            ended_like_ctrl_c(),
            Stages(output) as stages,
            open_session(
                place, settings, purpose="round", clock=SystemClock() if budgeted else None
            ) as session,
        ):
            before, outcome = next_round(
                session, holdout, seed, stages, processes, train_anyway=train_anyway
            )
    report_round(output, before, outcome)
    output.document(
        round_document(before, outcome)
        | {"model": settings.model.name, "seed": seed, "wall_s": round(time.monotonic() - started)}
    )


def report_round(output: Output, before: Watched, outcome: RoundOutcome) -> None:
    """Before and after, the gates, and what came of it, for people."""
    output.result.print(
        measurement_table(
            {"before": before.measurement, "after": outcome.after.measurement}
            | {f"before, {k}": m for k, m in before.measurement.by_context.items()}
            | {f"after, {k}": m for k, m in outcome.after.measurement.by_context.items()}
        )
    )
    output.result.print(gate_table(outcome.report))
    output.line(f"adapter: {outcome.candidate.path}")
    came_of_it = "not promoted"
    if outcome.promotion is not None:
        came_of_it = "promoted: it serves now"
    elif outcome.report.verdict == "PASS":
        came_of_it = f"waits for `ghostbust adapters promote {outcome.candidate.name}`"
    output.line(f"gates: {outcome.report.verdict}; {came_of_it}")
