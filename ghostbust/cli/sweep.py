"""``ghostbust sweep``: how often does this model invent packages, and which?"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

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
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.progress import Stages
from ghostbust.counts import said_unknown
from ghostbust.shown import redact
from ghostbust.unseen import unseen_of

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.loop.watch import Watched
    from ghostbust.records import Answer, Measurement


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
    from ghostbust.config import load_config, override
    from ghostbust.home import Home
    from ghostbust.loop.sweep import run_sweep

    output = Output(as_json=as_json, quiet=quiet)
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
    started = time.monotonic()
    with (
        on_interrupt("what was sampled is kept; the same command goes on from there"),
        Stages(output) as stages,
    ):
        watched = run_sweep(
            place, settings, stages, limit=limit, side=side, adapter=adapter, seed=seed
        )
    _report(output, settings, watched, adapter, seed, reveal, time.monotonic() - started)
    if fail_over is not None:
        _hold_to(fail_over, watched.measurement.rate, output)


def _hold_to(most: float, rate: float, output: Output) -> None:
    """Exits with 1 for a rate over the limit, with 3 where there is none to compare."""
    if math.isnan(rate):
        output.note(f"no package could be judged, so there is no rate to hold to {most}")
        raise typer.Exit(COULD_NOT_ASK)
    if rate > most:
        output.note(f"the rate {rate:.3f} is over {most}")
        raise typer.Exit(FINDINGS)


def _report(
    output: Output,
    settings: Config,
    watched: Watched,
    adapter: str,
    seed: int,
    reveal: bool,
    wall_s: float,
) -> None:
    measured = watched.measurement
    names = invented_names(watched.answers, reveal=reveal)
    output.result.print(measurement_table({"all": measured} | measured.by_context))
    if names:
        rows = table("invented", "verdict", "reason", "answers", title="named most often")
        for name, verdict, reason, count in names[:15]:
            rows.add_row(cell(name), cell(verdict), cell(reason), cell(count))
        output.result.print(rows)
    left = unseen_of(watched.answers)
    output.line(str(left))
    output.document(
        {
            "model": settings.model.name,
            "adapter": watched.answers[0].sample.adapter if watched.answers else adapter,
            "seed": seed,
            "registry": settings.registry.mode,
            "run": watched.run_id,
            **measurement_document(measured),
            "by_context": {k: measurement_document(m) for k, m in measured.by_context.items()},
            "invented": [
                {"name": name, "verdict": verdict, "reason": reason, "answers": count}
                for name, verdict, reason, count in names
            ],
            "unseen": left,
            "wall_s": round(wall_s, 1),
        }
    )


def measurement_document(measured: Measurement) -> dict[str, object]:
    """A rate as JSON, never without its interval and volume."""
    return {
        "rate": measured.rate,
        "ci95": list(measured.ci95),
        "refs": measured.refs,
        "real": measured.real,
        "absent": measured.absent,
        "suspect": measured.suspect,
        "unknown": measured.unknown,
        "local": measured.local,
        "unmapped": measured.unmapped,
        "induced": measured.induced,
        "induced_real": measured.induced_real,
        "answers": measured.answers,
        "volume": measured.volume,
    }


def measurement_table(rows: dict[str, Measurement]) -> object:
    """Rates with intervals, volumes and counts, a row each.

    ``induced``: inventions that the prompt named first, in no rate.
    """
    made = table(
        "", "rate", "95 % interval", "volume", "real", "invented", "induced", "unknown", "answers"
    )
    for name, m in rows.items():
        made.add_row(
            cell(name),
            cell(f"{m.rate:.3f}"),
            cell(f"{m.ci95[0]:.3f} to {m.ci95[1]:.3f}"),
            cell(f"{m.volume:.2f}"),
            cell(m.real),
            cell(m.absent + m.suspect),
            cell(m.induced),
            cell(said_unknown(m.unknown, m.local, m.unmapped)),
            cell(m.answers),
        )
    return made


def invented_names(answers: Sequence[Answer], *, reveal: bool) -> list[tuple[str, str, str, int]]:
    """(name, verdict, reason, answers that name it), most frequent first, redacted unless asked."""
    counts: dict[str, tuple[str, str, set[str]]] = {}
    for answer in answers:
        for judged in answer.judged:
            lookup = judged.lookup
            if lookup.invented:
                _, _, seen = counts.setdefault(lookup.name, (lookup.verdict, lookup.reason, set()))
                seen.add(answer.sample.id)
    rows = [
        (name if reveal else redact(name), verdict, reason, len(seen))
        for name, (verdict, reason, seen) in sorted(counts.items())
    ]
    return sorted(rows, key=lambda row: -row[3])
