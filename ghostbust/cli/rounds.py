"""``ghostbust round``, from logged inventions to a gated adapter, and ``ghostbust demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.adapters import print_gates
from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import ended_like_ctrl_c
from ghostbust.cli.options import ModelOption, RegistryModeOption, RevealOption, SeedOption
from ghostbust.cli.output import Output
from ghostbust.cli.sweep import print_measurements
from ghostbust.errors import UsageError
from ghostbust.extras import need_local
from ghostbust.files import write_whole
from ghostbust.prompts import MOST_HOLDOUT
from ghostbust.results import Unlearned, invented_names, round_document
from ghostbust.system import need_linux, peak_memory_bytes
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.loop.round import RoundOutcome
    from ghostbust.loop.session import Session
    from ghostbust.loop.watch import Watched


@invoked_with("home", "config", "as_json", "quiet")
def round_(
    cli: Invocation,
    model: ModelOption = None,
    holdout: Annotated[
        int, typer.Option("--holdout", min=10, help="Held-out tasks that measure, at most.")
    ] = MOST_HOLDOUT,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            show_default="the settings' training.method",
            help="How it unlearns; a name that isn't known lists those there are.",
        ),
    ] = None,
    registry: RegistryModeOption = None,
    seed: SeedOption = 0,
    budgeted: Annotated[
        bool,
        typer.Option(
            "--budgeted",
            help="Keep to the day's budgets of the settings, and note in them what it asks.",
        ),
    ] = False,
    train_anyway: Annotated[
        bool,
        typer.Option(
            "--train-anyway",
            help="Train also where it is known beforehand that the gates can't pass.",
        ),
    ] = False,
) -> None:
    """Train an adapter on what sweeps and watches logged, gate it, and promote it if it passes.

    A round that was interrupted is resumed first, with its own seed. Exits with 0 when the
    round came to its end, whatever the gates said, and with 2 before it trains where they can't
    pass. Under `accelerate launch` all processes train
    together, and the first one does the rest.
    """
    need_local("a round")
    need_linux("a round, whose gates run model-written code,")
    from ghostbust.loop.round import next_round
    from ghostbust.loop.signals import SystemClock
    from ghostbust.unlearners.processes import together
    from ghostbust.unlearners.train import run_worker

    with together() as processes:
        if processes is not None and not processes.main:
            run_worker(processes)
            return
        settings = cli.configure(
            model__name=model, registry__mode=registry, training__method=method
        )
        with (
            ended_like_ctrl_c(),
            cli.session(
                "round",
                if_interrupted="run it again: the round goes on with the step that it was at",
                clock=SystemClock() if budgeted else None,
            ) as (session, stages),
        ):
            outcome = next_round(
                session, holdout, seed, stages, processes, train_anyway=train_anyway
            )
    print_round(cli.output, outcome, settings.gates.support)
    done = Unlearned(outcome, settings.model.name, seed, cli.wall_s)
    cli.output.document(done.to_dict())


def print_round(output: Output, outcome: RoundOutcome, support: int) -> None:
    """Before and after, the gates, and what came of it, for people.

    ``support``: as the gates have it (`GatesSection.support`).
    """
    print_measurements(
        output,
        {"before": outcome.before.measurement, "after": outcome.after.measurement}
        | {f"before, {k}": m for k, m in outcome.before.measurement.by_context.items()}
        | {f"after, {k}": m for k, m in outcome.after.measurement.by_context.items()},
    )
    _print_comparison(output, outcome.before, outcome.after, support)
    print_gates(output, outcome.report)
    output.line(f"adapter: {outcome.candidate.path}")
    came_of_it = "not promoted"
    if outcome.promotion is not None:
        came_of_it = "promoted: it serves now"
    elif outcome.report.verdict == "PASS":
        came_of_it = f"waits for `ghostbust adapters promote {outcome.candidate.name}`"
    output.line(f"gates: {outcome.report.verdict}; {came_of_it}")


def _print_comparison(output: Output, before: Watched, after: Watched, support: int) -> None:
    """The candidate beside the base, by context: what it names of what the base supports."""
    from ghostbust.evaluation.figures import shown
    from ghostbust.measure import Named
    from ghostbust.reports.figures import asked_of, compare

    first, second = ([Named.of(answer) for answer in side.answers] for side in (before, after))
    if asked_of(first) != asked_of(second):
        return  # the gates say so
    output.table(
        ("", "drop", "supported", "all", "more unknown", "more unsupported"),
        (
            (
                one.context,
                *map(shown, (one.drop, one.supported, one.all_names, one.unknown, one.unsupported)),
            )
            for one in compare(first, second, support)
        ),
        title="after beside before, with 95 % intervals",
        ranked=("more unsupported", "more unknown"),
    )


@invoked_with("home", "config", "as_json", "quiet")
def demo(
    cli: Invocation,
    model: ModelOption = None,
    registry: RegistryModeOption = None,
    seed: SeedOption = 0,
    reveal: RevealOption = False,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page on the round in the browser at the end.")
    ] = False,
) -> None:
    """Sweep, round, gates, promotion and a second sweep, in a home folder of its own.

    Writes a page on the round beside that folder, demo.html. Exits with 0 when it came to its end,
    also where the gates turned the adapter down. Judges by the snapshot unless --registry says
    otherwise.
    """
    need_local("the demo")
    need_linux("the demo, whose gates run model-written code,")
    import platformdirs

    from ghostbust.cli.story import Story
    from ghostbust.loop.demo import run_demo

    cli.home_path = cli.home_path or platformdirs.user_data_path("ghostbust") / "demo"
    settings = cli.configure(
        model__name=model,
        registry__mode=registry or "snapshot",
        sampling__max_new_tokens=64,
        sampling__batch_rows=96,
        gates__max_new_tokens=256,
        # three ask up to 3,600 more answers, and this model names too little to be sure even so
        gates__blocks=1,
        # what fits into minutes on two cores
        training__max_answers=150,
        training__answers_per_step=5,
        # SmolLM2 solves 6 % of the tasks: against a margin of 5 % no loss could show
        gates__coding_margin=0.03,
    )
    kept = "what was sampled is kept; the same command goes on from there"
    with cli.session("demo", if_interrupted=kept) as (session, stages):
        cli.output.note(
            f"{settings.model.name} invents packages, learns not to, and has to prove it."
            f" All of it is kept in {session.home.path}"
        )
        story = Story(stages, cli.output, reveal=reveal)
        outcome = run_demo(session, seed, story, found=story.found)
        page = _write_page(session, outcome.round_id, reveal=reveal)
    _print_demo(cli.output, outcome, reveal=cli.output.names_in_full(reveal))
    print_round(cli.output, outcome, settings.gates.support)
    cli.output.line(f"page: {page}")
    if open_page:
        import webbrowser

        if not webbrowser.open(page.as_uri()):
            cli.output.note("no browser could be opened")
    peak = peak_memory_bytes()
    cli.output.document(
        {"model": settings.model.name, "seed": seed, "registry": settings.registry.mode}
        | round_document(outcome)
        | {"page": str(page)}
        | {"wall_s": cli.wall_s, "peak_rss_mb": None if peak is None else round(peak / 2**20)}
    )


def _write_page(session: Session, round_id: int, *, reveal: bool) -> Path:
    """The report of the round as a page beside the home folder, named like it."""
    from ghostbust.records import utc_now
    from ghostbust.reports.subjects import round_report
    from ghostbust.reports.writers import as_html

    home = session.home.path.absolute()
    page = home.with_name(f"{home.name}.html")
    report = round_report(session.store, round_id, reveal=reveal, now=utc_now())
    write_whole(page, as_html(report), error=UsageError)
    return page


def _print_demo(output: Output, outcome: RoundOutcome, *, reveal: bool) -> None:
    """The names that the base invented most, before and after."""
    # Counted by their whole names: two of them may look alike when they are shortened.
    names = invented_names(outcome.before.answers, reveal=True)
    left = {name: count for name, _, _, count in invented_names(outcome.after.answers, reveal=True)}
    output.table(
        ("invented", "verdict", "answers before", "after"),
        (
            (name if reveal else redact(name), verdict, count, left.get(name, 0))
            for name, verdict, _, count in names[:10]
        ),
        title="named most often",
    )
