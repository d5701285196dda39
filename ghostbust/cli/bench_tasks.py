"""Which tasks a bench trains on and which it measures with: options, and the two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.options import AskedEcosystem

if TYPE_CHECKING:
    from ghostbust.config import Config
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


def sides(
    settings: Config, ecosystem: AskedEcosystem, holdout_tasks: int | None
) -> tuple[list[Task], list[Task]]:
    """The training tasks, and so many held-out ones as `ghostbust eval --limit` takes."""
    from ghostbust.errors import UsageError
    from ghostbust.loop.benches import HELD_OUT_SEED
    from ghostbust.loop.parts import draw, make_tasks
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
