"""``ghostbust jobs``: the daemon's jobs, seen and steered from outside."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import FINDINGS, help_if_bare
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.settings import load_settings

if TYPE_CHECKING:
    from ghostbust.home import Home
    from ghostbust.loop.job_control import Jobs
    from ghostbust.store import JobRow

jobs = typer.Typer(name="jobs", help="The daemon's jobs: when each runs, and what came of it.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="watch, round, recheck, …")]


@jobs.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    help_if_bare(context)


@jobs.command("list")
def list_(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show each job's last run, what came of it and when it is due, and the day's budgets."""
    from ghostbust.home import Home
    from ghostbust.loop.job_control import stand

    output = Output(as_json=as_json)
    place = Home.find(home)
    found = stand(place, load_settings(config, place))
    shown = table("job", "state", "last run", "outcome", "due", "why")
    for row in found.rows:
        shown.add_row(
            cell(row.name),
            cell(_state(row, found)),
            cell(_at(row.started)),
            cell(row.outcome or ""),
            cell(_at(row.due) if row.name in found.scheduled and row.paused is None else ""),
            cell(row.reason),
        )
    output.result.print(shown)
    shown = table("budget of the day", "spent", "left")
    for name, spent in found.spent.items():
        limit = found.limits.get(name)
        left = "no limit" if limit is None else f"{max(0.0, limit - spent):,.12g}"
        shown.add_row(cell(name), cell(f"{spent:,.12g}"), cell(left))
    output.result.print(shown)
    output.line("a daemon works here" if found.daemon else "no daemon works here")
    if found.trouble:
        output.note(f"nothing can be noted at the moment: {found.trouble}")
    output.document(_document(found))


@jobs.command()
def run(name: NameArgument, home: HomeOption = None, config: ConfigOption = None) -> None:
    """Run a job now: here, or by the daemon where one works. Exits with 1 where it didn't work."""
    from ghostbust.cli.daemon import redactor_of, workplace
    from ghostbust.home import Home
    from ghostbust.loop.job_control import run_now
    from ghostbust.operations.log_lines import log_to_stderr

    output = Output()
    place = Home.open(home)
    settings = load_settings(config, place)
    redactor = redactor_of(settings)
    work = workplace(place, config, lambda: settings, threading.Event(), redactor)
    log_to_stderr("text", redactor)
    done = run_now(work, name)
    if done is None:
        output.line(f"{name}: the daemon was asked; it begins within seconds if nothing else works")
        return
    why = f": {done.reason}" if done.reason else ""
    output.line(f"{name}: {done.state} after {done.seconds:.1f} s{why}")
    if done.state != "ok":
        raise typer.Exit(FINDINGS)


@jobs.command()
def pause(name: NameArgument, home: HomeOption = None) -> None:
    """Have a job not run by itself until it is resumed; a run under way goes on."""
    from ghostbust.loop.job_control import pause as pause_job

    pause_job(_home(home), name)
    Output().line(f"{name} is paused")


@jobs.command()
def resume(name: NameArgument, home: HomeOption = None) -> None:
    """Have a paused job run by itself again."""
    from ghostbust.loop.job_control import resume as resume_job

    resume_job(_home(home), name)
    Output().line(f"{name} runs by itself again")


def _home(path: Path | None) -> Home:
    from ghostbust.home import Home

    return Home.open(path)


def _state(row: JobRow, found: Jobs) -> str:
    if row.works:
        return "works"
    if row.paused is not None:
        return "paused"
    if row.requested is not None:
        return "asked for"
    if row.was_killed:
        return "was killed"
    return "waits" if row.name in found.scheduled else "off"


def _at(at: datetime | None) -> str:
    """A time to the second, UTC; empty for none."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _document(found: Jobs) -> dict[str, object]:
    """The JSON document that docs/reference/cli.md shows."""
    return {
        "daemon": found.daemon,
        "trouble": found.trouble or None,
        "jobs": [
            {
                "name": row.name,
                "state": _state(row, found),
                "paused": row.paused,
                "requested": row.requested,
                "due": row.due if row.name in found.scheduled else None,
                "started": row.started,
                "finished": row.finished,
                "outcome": row.outcome,
                "reason": row.reason,
                "failures": row.failures,
            }
            for row in found.rows
        ],
        "budgets": [
            {"budget": name, "spent": spent, "limit": found.limits.get(name)}
            for name, spent in found.spent.items()
        ],
        "day_ends": found.day_ends,
    }
