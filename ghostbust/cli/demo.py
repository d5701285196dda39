"""``ghostbust demo``: the main job, start to end, on the embedded model."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    ModelOption,
    QuietOption,
    RegistryModeOption,
    RevealOption,
    SeedOption,
)
from ghostbust.cli.output import Output, Stages, cell, table
from ghostbust.cli.rounds import report_round
from ghostbust.results import invented_names, round_document
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.loop.demo import DemoOutcome


def demo(
    model: ModelOption = None,
    registry: RegistryModeOption = None,
    seed: SeedOption = 0,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Sweep, round, gates, promotion and a second sweep, in a home folder of its own.

    Exits with 0 when it came to its end, also where the gates turned the adapter down. Judges by
    the snapshot unless --registry says otherwise.
    """
    from ghostbust.config import override
    from ghostbust.home import Home
    from ghostbust.loop.demo import run_demo
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    started = time.monotonic()
    place = Home.open(home or _own_home())
    settings = override(
        load_settings(config, place),
        model__name=model,
        registry__mode=registry or "snapshot",
        sampling__max_new_tokens=64,
        sampling__batch_rows=96,
        gates__max_new_tokens=64,
        # what fits into minutes on two cores
        training__max_answers=150,
        training__answers_per_step=5,
        # SmolLM2 solves 4 % of the tasks: against a margin of 5 % no loss could show
        gates__coding_margin=0.03,
    )
    with (
        on_interrupt("what was sampled is kept; the same command goes on from there"),
        Stages(output) as stages,
        open_session(place, settings, purpose="demo") as session,
    ):
        outcome = run_demo(session, seed, stages)
    _report(output, outcome, reveal)
    output.document(
        {"model": settings.model.name, "seed": seed, "registry": settings.registry.mode}
        | round_document(outcome.before, outcome.round)
        | {
            "wall_s": round(time.monotonic() - started, 1),
            "peak_rss_mb": round(_peak_rss_mb()),
        }
    )


def _own_home() -> Path:
    """The demo's folder, apart from the user's own home folder."""
    import platformdirs

    return platformdirs.user_data_path("ghostbust") / "demo"


def _report(output: Output, outcome: DemoOutcome, reveal: bool) -> None:
    # Counted by their whole names: two of them may look alike when they are shortened.
    names = invented_names(outcome.before.answers, reveal=True)
    left = {n: count for n, _, _, count in invented_names(outcome.round.after.answers, reveal=True)}
    rows = table("invented", "verdict", "answers before", "after", title="named most often")
    for name, verdict, _, count in names[:10]:
        shown = name if reveal else redact(name)
        rows.add_row(cell(shown), cell(verdict), cell(count), cell(left.get(name, 0)))
    output.result.print(rows)
    report_round(output, outcome.before, outcome.round)


def _peak_rss_mb() -> float:
    """The largest resident size so far of this process, or of a child that has ended, in MB."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) / 1024
