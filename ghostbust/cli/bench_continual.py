"""``ghostbust bench continual``: several rounds in a row, by each way to go on from the last."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.bench_tasks import (
    HoldoutShareOption,
    HoldoutTasksOption,
    SamplesOption,
    check_plot,
    local,
    report_plots,
    settings_of,
    sides,
)
from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.eval import print_tables
from ghostbust.cli.options import (
    ConfigOption,
    EcosystemOption,
    HomeOption,
    JsonOption,
    KeepPromptsOption,
    ModelOption,
    PromptsOption,
    QuietOption,
    RegistryModeOption,
)
from ghostbust.cli.output import Output, Stages
from ghostbust.evaluation.ways import Way

if TYPE_CHECKING:
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.continual import ContinualPlan


def continual(
    way: Annotated[
        list[Way] | None,
        typer.Option(
            "--way",
            show_default="every one",
            help="How a round builds on the last: refit a fresh adapter on all that was answered, "
            "continue its training, stack a fresh one on it, or merge the two; or static: no "
            "rounds, as much of what the base itself answers. May be repeated.",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds of each way.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    keep_prompts: KeepPromptsOption = False,
    ecosystem: EcosystemOption = "pypi",
    holdout_share: HoldoutShareOption = None,
    train_tasks: Annotated[
        int | None,
        typer.Option(
            "--train-tasks",
            min=1,
            help="Training tasks in each round, no task twice; else all there are, dealt out.",
        ),
    ] = None,
    holdout_tasks: HoldoutTasksOption = None,
    samples: SamplesOption = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="DIR", help="Write rate and volume by round, as SVG."),
    ] = None,
    registry: RegistryModeOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train several rounds in a row by each way, and compare every round with the base.

    In each round the model as it is answers fresh tasks, and learns. Works in HOME/bench, where
    nothing is gated and nothing serves. Exits with 0 when it came to its end.
    """
    from ghostbust.evaluation.comparisons import continual_tables, draw_continual
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.home import Home
    from ghostbust.loop.continual import ContinualPlan, compare_ways
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    check_plot(plot)
    place = Home.open(home)
    settings = settings_of(
        load_settings(config, place),
        model=model,
        prompts=prompts,
        keep_prompts=keep_prompts,
        holdout_share=holdout_share,
        samples=samples,
        registry=registry,
    )
    train, holdout = sides(settings, ecosystem, holdout_tasks)
    started = time.monotonic()
    with (
        on_interrupt("what was sampled and trained is kept; the same command goes on from there"),
        Stages(output) as stages,
        open_session(place.open_bench(), local(settings), purpose="bench") as session,
    ):
        plan = ContinualPlan(
            session,
            list(dict.fromkeys(way or Way)),
            rounds,
            train,
            train_tasks or max(1, len(train) // rounds),
            holdout,
            seed,
            stages,
        )
        found = compare_ways(plan)
    section = EvaluationSection("continual", continual_tables(found), lambda: draw_continual(found))
    _report(output, plan, section, plot, time.monotonic() - started)


def _report(
    output: Output, plan: ContinualPlan, found: EvaluationSection, plot: Path | None, wall_s: float
) -> None:
    print_tables(output, found.tables)
    session = plan.session
    output.line(f"adapters: {session.home.adapters}")
    plots = report_plots(output, found, plot)
    output.document(
        {
            "model": session.config.model.name,
            "ways": list(plan.ways),
            "rounds": plan.rounds,
            "seed": plan.seed,
            "registry": session.config.registry.mode,
            "train_tasks": plan.train_tasks,
            "holdout_tasks": len(plan.holdout),
            "samples": session.config.sampling.samples_per_prompt,
            "temperature": session.config.sampling.temperature,
            "tables": list(found.tables),
            "home": session.home.path,
            "adapters": session.home.adapters,
            "plots": plots,
            "wall_s": round(wall_s, 1),
        }
    )
