"""``ghostbust bench unseen``: do the estimates of what is unseen hold, where the truth is known?"""

from __future__ import annotations

from typing import Annotated

import typer

from ghostbust.cli.options import JsonOption, SeedOption
from ghostbust.cli.output import Output, cell, table

WANTED = 0.85
"""share of the runs whose interval holds the true chance, at least"""


def unseen(
    families: Annotated[
        int, typer.Option("--families", min=2, help="Prompt families of a simulated sample.")
    ] = 100,
    answers: Annotated[
        int, typer.Option("--answers", min=1, help="Answers to each family's prompts.")
    ] = 4,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Simulated samples of each population.")
    ] = 200,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Simulate samples of populations that are known, and compare what is said to be left.

    Needs no model and no registry.
    """
    from ghostbust.bench.populations import outcome, populations

    output = Output(as_json=as_json)
    outcomes = [
        outcome(population, families=families, answers=answers, runs=runs, seed=seed)
        for population in populations()
    ]
    output.document(
        {
            "families": families,
            "answers": answers,
            "runs": runs,
            "seed": seed,
            "outcomes": outcomes,
            "wanted": {"chance_covered": WANTED},
        }
    )
    shown = table(
        "population", "chance held", "width", "true", "said", "by answers held",
        "gain held", "true", "said", "left: bound held", "true", "said",
    )  # fmt: skip
    for one in outcomes:
        shares = (one.chance_covered, one.chance_width, one.chance_true, one.chance_estimated)
        shown.add_row(
            cell(one.population),
            *(cell(f"{share:.3f}") for share in shares),
            *(cell(f"{share:.3f}") for share in (one.by_answers_covered, one.gain_covered)),
            *(cell(f"{count:.0f}") for count in (one.gain_true, one.gain_estimated)),
            cell(f"{one.left_held:.3f}"),
            *(cell(f"{count:,.0f}") for count in (one.left_true, one.left_estimated)),
        )
    output.result.print(shown)
    output.line(f"chance held: wanted is at least {WANTED} of the runs")
