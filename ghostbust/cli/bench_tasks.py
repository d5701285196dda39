"""What benches that sample or train have in common: options, settings, both sides, plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.eval import draw_sections
from ghostbust.cli.options import AskedEcosystem, RegistryMode
from ghostbust.cli.output import Output

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.prompts import Task

HoldoutShareOption = Annotated[
    float | None,
    typer.Option(
        "--holdout-share",
        show_default="the settings' prompts.holdout_share",
        help="Share of the tasks, by family, that measure and never train.",
    ),
]
HoldoutTasksOption = Annotated[
    int | None,
    typer.Option("--holdout-tasks", min=1, help="Held-out tasks that measure; else all."),
]
SamplesOption = Annotated[
    int | None, typer.Option("--samples", min=1, help="Completions of each prompt.")
]


def settings_of(
    config: Config,
    *,
    model: str | None,
    prompts: Sequence[Path] | None,
    keep_prompts: bool,
    holdout_share: float | None,
    samples: int | None,
    registry: RegistryMode | None,
) -> Config:
    """The settings with what the command line says instead; None, or False, leaves them."""
    from ghostbust.config import override

    return override(
        config,
        model__name=model,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        prompts__holdout_share=holdout_share,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
    )


def check_plot(folder: Path | None) -> None:
    """Returns if plots can be drawn, or none are asked for; meant for before the work.

    Raises UsageError where matplotlib isn't installed.
    """
    if folder is not None:
        from ghostbust.evaluation.plots import need_matplotlib

        need_matplotlib()


def report_plots(output: Output, section: EvaluationSection, folder: Path | None) -> list[Path]:
    """The section's plots, drawn and told of; none where no folder is given."""
    plots = [] if folder is None else draw_sections([section], folder)
    for file in plots:
        output.line(f"plot: {file}")
    return plots


def sides(
    settings: Config, ecosystem: AskedEcosystem, holdout_tasks: int | None
) -> tuple[list[Task], list[Task]]:
    """The training tasks, and so many held-out ones as `ghostbust eval --limit` takes."""
    from ghostbust.errors import UsageError
    from ghostbust.loop.build import draw, make_tasks
    from ghostbust.loop.compare import HELD_OUT_SEED
    from ghostbust.prompts import split
    from ghostbust.records import Ecosystem

    train, holdout = split(
        make_tasks(settings, Ecosystem(ecosystem)), settings.prompts.holdout_share
    )
    for tasks, side in ((train, "for training"), (holdout, "held out")):
        if not tasks:
            raise UsageError(f"none of the tasks is {side}; give more, or another --holdout-share")
    return train, draw(holdout, holdout_tasks or len(holdout), HELD_OUT_SEED)


def local(settings: Config) -> Config:
    """The settings without a model server: what trains here is sampled here."""
    here = settings.model.model_copy(update={"endpoint": None})
    return settings.model_copy(update={"model": here})
