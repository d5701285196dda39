"""``ghostbust eval``: what adapters changed, beside the base, so that it can't be gamed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.options import (
    AskedEcosystem,
    AsOfOption,
    ConfigOption,
    HomeOption,
    JsonOption,
    ModelOption,
    QuietOption,
    RegistryModeOption,
    SeedOption,
)
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.progress import Stages

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.report import Section, Table
    from ghostbust.loop.evaluate import EvalPlan
    from ghostbust.prompts import Task


class SectionName(StrEnum):
    """What can be measured."""

    BEHAVIOUR = "behaviour"


def eval_(
    model: ModelOption = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", help="Base URL of an OpenAI-compatible server to sample."),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            show_default="deployed",
            help="An adapter's name, its folder, or 'deployed' for what serves. May be repeated: "
            "the order is that of the rounds.",
        ),
    ] = None,
    section: Annotated[
        list[SectionName] | None,
        typer.Option("--section", show_default="behaviour", help="What is measured."),
    ] = None,
    prompts: Annotated[
        list[Path] | None,
        typer.Option(
            "--prompts",
            help="Tasks of your own: JSON lines or text, one a line. May be repeated. "
            "Without it the shipped tasks are asked.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Ask the training side too, not only the held-out tasks.")
    ] = False,
    ecosystem: Annotated[
        AskedEcosystem,
        typer.Option("--ecosystem", help="Of tasks that don't say their language."),
    ] = "pypi",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask this many tasks, drawn by the seed.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=1, help="Completions of each prompt; 1 at temperature 0."),
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature", min=0, show_default="0 and 0.7", help="May be repeated; 0 is greedy."
        ),
    ] = None,
    keep_prompts: Annotated[
        bool,
        typer.Option("--keep-prompts", help="Store the texts of --prompts; else hashes only."),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Write plots there, as SVG.")
    ] = None,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare adapters with the base on held-out tasks: what they invent, and what else changed.

    Exits with 0 when it came to its end, whatever it found.
    """
    from ghostbust.config import load_config, override
    from ghostbust.home import Home
    from ghostbust.loop.evaluate import EvalPlan, choose_adapters
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    if plot is not None:
        from ghostbust.evaluation.plots import need_matplotlib

        need_matplotlib()
    place = Home.open(home)
    settings = override(
        load_config(config, place),
        model__name=model,
        model__endpoint=endpoint,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
        registry__as_of=None if as_of is None else as_of.date(),
    )
    tasks = _tasks(settings, ecosystem, everything=everything, limit=limit, seed=seed)
    temperatures = tuple(dict.fromkeys(temperature or (0.0, 0.7)))
    started = time.monotonic()
    with (
        on_interrupt("what was sampled is kept; the same command goes on from there"),
        Stages(output) as stages,
        open_session(place, settings, purpose="eval") as session,
    ):
        adapters = choose_adapters(session, adapter or ["deployed"])
        plan = EvalPlan(session, tasks, adapters, temperatures, seed, stages)
        found = [_run(name, plan) for name in dict.fromkeys(section or [SectionName.BEHAVIOUR])]
    if not adapters:
        output.note("no adapter serves and none was named: the base alone")
    plots = [] if plot is None else draw_sections(found, plot)
    _report(output, plan, found, plots, time.monotonic() - started)


def _tasks(
    settings: Config, ecosystem: AskedEcosystem, *, everything: bool, limit: int | None, seed: int
) -> list[Task]:
    """The held-out tasks, or all, so many of them."""
    from ghostbust.errors import UsageError
    from ghostbust.loop.parts import make_tasks, some_tasks
    from ghostbust.prompts import split
    from ghostbust.records import Ecosystem

    tasks = make_tasks(settings, Ecosystem(ecosystem))
    if not everything:
        _, tasks = split(tasks, settings.prompts.holdout_share)
        if not tasks:
            raise UsageError("none of the tasks is held out; give more, or --all")
    return some_tasks(tasks, limit or len(tasks), seed)


def _run(name: SectionName, plan: EvalPlan) -> Section:
    """A section's tables. Each gets a case of its own here, and its name in ``SectionName``."""
    match name:
        case SectionName.BEHAVIOUR:
            from ghostbust.evaluation.behaviour_plots import draw_behaviour
            from ghostbust.evaluation.report import Section
            from ghostbust.evaluation.tables import behaviour_tables
            from ghostbust.loop.evaluate import evaluate_behaviour

            found = evaluate_behaviour(plan)
            return Section(name, behaviour_tables(found), lambda: draw_behaviour(found))


def draw_sections(found: Sequence[Section], folder: Path) -> list[Path]:
    """The files written; raises UsageError where the folder can't be."""
    from ghostbust.errors import UsageError

    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for section in found:
            for name, text in section.draw().items():
                written.append(folder / name)
                written[-1].write_text(text, "utf-8")
    except OSError as exc:
        raise UsageError(f"can't write plots to {folder}: {exc.strerror or exc}") from exc
    return written


def _report(
    output: Output,
    plan: EvalPlan,
    found: Sequence[Section],
    plots: Sequence[Path],
    wall_s: float,
) -> None:
    for section in found:
        for one in section.tables:
            output.result.print(shown_table(one))
            for note in one.notes:
                output.line(note, "dim")
    for file in plots:
        output.line(f"plot: {file}")
    config = plan.session.config
    output.document(
        {
            "model": config.model.name,
            "adapters": [name for name, _ in plan.adapters],
            "seed": plan.seed,
            "registry": config.registry.mode,
            "tasks": len(plan.tasks),
            "samples": config.sampling.samples_per_prompt,
            "temperatures": list(plan.temperatures),
            "sections": {section.name: list(section.tables) for section in found},
            "plots": list(plots),
            "wall_s": round(wall_s, 1),
        }
    )


def shown_table(one: Table) -> object:
    """A section's table for people: what doesn't exist is a dash."""
    columns = list(dict.fromkeys(column for row in one.rows for column in row))
    made = table(*columns, title=one.title)
    for row in one.rows:
        made.add_row(*(cell(shown(row.get(column))) for column in columns))
    return made


def shown(value: object) -> str:
    """A cell's text: a figure with its interval or spread, a number, or as it is."""
    from ghostbust.evaluation.report import Estimate, Spread

    match value:
        case Estimate():
            if value.value != value.value:
                return "–"
            return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
        case Spread():
            return f"{value.mean:.3f} ({value.least:.3f} to {value.most:.3f})"
        case None:
            return "–"
        case float():
            return "–" if value != value else f"{value:.3g}"
    return str(value)
