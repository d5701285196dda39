"""``ghostbust bench unlearners``: every unlearning method on the same answers, in one table."""

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

if TYPE_CHECKING:
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.compare import ComparePlan


def unlearners(
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            show_default="every one",
            help="A method; may be repeated. A name that isn't known lists those there are.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Train with so many seeds, from 0.")
    ] = 3,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", min=0, help="Train with this seed; may be repeated."),
    ] = None,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    keep_prompts: KeepPromptsOption = False,
    ecosystem: EcosystemOption = "pypi",
    holdout_share: HoldoutShareOption = None,
    train_tasks: Annotated[
        int | None,
        typer.Option("--train-tasks", min=1, help="Training tasks, drawn by each seed; else all."),
    ] = None,
    holdout_tasks: HoldoutTasksOption = None,
    samples: SamplesOption = None,
    equal_steps: Annotated[
        bool,
        typer.Option(
            "--equal-steps",
            help="Smaller batches for methods without repaired answers, which make fewer steps of "
            "the same answers: then they make as many, or more.",
        ),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Write the frontier there, as SVG.")
    ] = None,
    registry: RegistryModeOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train by each method on the same answers, and compare the adapters on held-out tasks.

    Tasks are split by family; held out is the settings' prompts.holdout_share. Works in
    HOME/bench, where nothing serves. Exits with 0 when it came to its end, whatever it found.
    """
    from ghostbust.evaluation.comparisons import contest_tables, draw_contest
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.home import Home
    from ghostbust.loop.compare import ComparePlan, compare_methods
    from ghostbust.loop.session import open_session
    from ghostbust.unlearners.methods import METHODS

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
        plan = ComparePlan(
            session,
            list(dict.fromkeys(method or (one.name for one in METHODS))),
            list(dict.fromkeys(seed or range(seeds))),
            train,
            min(train_tasks or len(train), len(train)),
            holdout,
            equal_steps,
            stages,
        )
        found = compare_methods(plan)
    section = EvaluationSection("unlearners", contest_tables(found), lambda: draw_contest(found))
    _report(output, plan, section, plot, time.monotonic() - started)


def _report(
    output: Output, plan: ComparePlan, found: EvaluationSection, plot: Path | None, wall_s: float
) -> None:
    print_tables(output, found.tables)
    session = plan.session
    output.line(f"adapters: {session.home.adapters}")
    plots = report_plots(output, found, plot)
    output.document(
        {
            "model": session.config.model.name,
            "methods": list(plan.methods),
            "seeds": list(plan.seeds),
            "registry": session.config.registry.mode,
            "train_tasks": plan.train_tasks,
            "holdout_tasks": len(plan.holdout),
            "samples": session.config.sampling.samples_per_prompt,
            "equal_steps": plan.equal_steps,
            "temperature": session.config.sampling.temperature,
            "tables": list(found.tables),
            "home": session.home.path,
            "adapters": session.home.adapters,
            "plots": plots,
            "wall_s": round(wall_s, 1),
        }
    )
