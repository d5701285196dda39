"""``ghostbust sweep``: how often does this model invent packages, and which?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, on_interrupt
from ghostbust.cli.options import (
    AdapterOption,
    AsOfOption,
    EndpointOption,
    KeepPromptsOption,
    ModelOption,
    PromptsOption,
    RegistryModeOption,
    RevealOption,
    SamplesOption,
    SeedOption,
)
from ghostbust.cli.output import Output, Stages
from ghostbust.results import FIGURES, RANKED, figures

if TYPE_CHECKING:
    from ghostbust.records import Measurement
    from ghostbust.results import InventedName

_SHOWN = 15
"""names in the table; all of them are in the JSON"""


@invoked_with("home", "config", "as_json", "quiet")
def sweep(
    cli: Invocation,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    prompts: PromptsOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask this many tasks, drawn by the seed.")
    ] = None,
    samples: SamplesOption = None,
    adapter: AdapterOption = "deployed",
    side: Annotated[
        Literal["all", "train", "holdout"],
        typer.Option("--side", help="Which side of the split is asked."),
    ] = "all",
    keep_prompts: KeepPromptsOption = False,
    fail_over: Annotated[
        float | None,
        typer.Option(
            "--fail-over",
            metavar="SHARE",
            min=0,
            max=1,
            help="Exit with 1 if the rate is over this share.",
        ),
    ] = None,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    reveal: RevealOption = False,
) -> None:
    """Sample the model, judge every package it names, log and report the invented ones.

    Exits with 0, or with 1 if the rate is over --fail-over, and with 3 if there is no rate to
    compare with it.
    """
    from ghostbust import api
    from ghostbust.unseen import unseen_of

    output = cli.output
    settings = cli.configure(
        model__name=model,
        model__endpoint=endpoint,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
        registry__as_of=as_of,
    )
    with (
        on_interrupt("what was sampled is kept; the same command goes on from there"),
        Stages(output) as stages,
    ):
        swept = api.sweep(
            limit=limit, side=side, adapter=adapter, seed=seed,
            config=settings, home=cli.home.path, listener=stages,
        )  # fmt: skip
    measured = swept.measurement
    print_measurements(output, {"all": measured} | measured.by_context)
    reveal = output.names_in_full(reveal)
    print_invented(output, swept.invented(reveal=reveal))
    output.line(str(unseen_of(swept.answers)))
    output.document(swept.to_dict(reveal=reveal))
    if fail_over is None:
        return
    if math.isnan(measured.rate):
        output.note(f"no package could be judged, so there is no rate to hold to {fail_over}")
        raise typer.Exit(COULD_NOT_ASK)
    if measured.rate > fail_over:
        output.note(f"the rate {measured.rate:.3f} is over {fail_over}")
        raise typer.Exit(FINDINGS)


def print_measurements(output: Output, rows: Mapping[str, Measurement]) -> None:
    """Rates with intervals, volumes and counts, a row each; the columns that there is room for."""
    cells = ((name, *figures(measured)) for name, measured in rows.items())
    output.table(("", *FIGURES), cells, ranked=RANKED)


def print_invented(output: Output, names: Sequence[InventedName]) -> None:
    """The names that most answers invent; no table where there are none."""
    if names:
        columns = ("invented", "verdict", "reason", "answers")
        output.table(columns, names[:_SHOWN], title="named most often")
