"""``ghostbust sweep``: how often does this model invent packages, and which?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, on_interrupt
from ghostbust.cli.options import (
    AsOfOption,
    ConfigOption,
    EndpointOption,
    HomeOption,
    JsonOption,
    KeepPromptsOption,
    ModelOption,
    PromptsOption,
    QuietOption,
    RegistryModeOption,
    RevealOption,
    SeedOption,
)
from ghostbust.cli.output import Output, Stages, cell, table
from ghostbust.results import FIGURES, figures
from ghostbust.statistics import unseen_of

if TYPE_CHECKING:
    from ghostbust.records import Measurement
    from ghostbust.results import Swept


def sweep(
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    prompts: PromptsOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask this many tasks, drawn by the seed.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Completions of each prompt.")
    ] = None,
    adapter: Annotated[
        str,
        typer.Option("--adapter", help="An adapter's name, 'deployed' for what serves, or 'base'."),
    ] = "deployed",
    side: Annotated[
        Literal["all", "train", "holdout"],
        typer.Option("--side", help="Which side of the split is asked."),
    ] = "all",
    keep_prompts: KeepPromptsOption = False,
    fail_over: Annotated[
        float | None,
        typer.Option(
            "--fail-over", min=0, max=1, help="Exit with 1 if the rate is over this share."
        ),
    ] = None,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Sample the model, judge every package it names, log and report the invented ones.

    Exits with 0, or with 1 if the rate is over --fail-over, and with 3 if there is no rate to
    compare with it.
    """
    from ghostbust import api
    from ghostbust.config import override
    from ghostbust.home import Home

    output = Output(as_json=as_json, quiet=quiet)
    place = Home.open(home)
    settings = override(
        load_settings(config, place),
        model__name=model,
        model__endpoint=endpoint,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
        registry__as_of=None if as_of is None else as_of.date(),
    )
    with (
        on_interrupt("what was sampled is kept; the same command goes on from there"),
        Stages(output) as stages,
    ):
        swept = api.sweep(
            limit=limit, side=side, adapter=adapter, seed=seed,
            config=settings, home=place.path, listener=stages,
        )  # fmt: skip
    _report(output, swept, reveal)
    if fail_over is not None:
        _hold_to(fail_over, swept.measurement.rate, output)


def _hold_to(most: float, rate: float, output: Output) -> None:
    """Exits with 1 for a rate over the limit, with 3 where there is none to compare."""
    if math.isnan(rate):
        output.note(f"no package could be judged, so there is no rate to hold to {most}")
        raise typer.Exit(COULD_NOT_ASK)
    if rate > most:
        output.note(f"the rate {rate:.3f} is over {most}")
        raise typer.Exit(FINDINGS)


def _report(output: Output, swept: Swept, reveal: bool) -> None:
    measured = swept.measurement
    output.result.print(measurement_table({"all": measured} | measured.by_context))
    names = swept.invented(reveal=reveal)
    if names:
        rows = table("invented", "verdict", "reason", "answers", title="named most often")
        for name, verdict, reason, count in names[:15]:
            rows.add_row(cell(name), cell(verdict), cell(reason), cell(count))
        output.result.print(rows)
    output.line(str(unseen_of(swept.answers)))
    output.document(swept.to_dict(reveal=reveal))


def measurement_table(rows: dict[str, Measurement]) -> object:
    """Rates with intervals, volumes and counts, a row each."""
    made = table("", *FIGURES)
    for name, measured in rows.items():
        made.add_row(cell(name), *map(cell, figures(measured)))
    return made
