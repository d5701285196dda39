"""``ghostbust daemon``: the jobs on their schedule, beside the deployed model."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import FINDINGS, help_if_bare
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.daemon.jobs import Workplace
    from ghostbust.loop.daemon.run import Daemon
    from ghostbust.loop.daemon.runner import Jobs
    from ghostbust.operations.logs import Redactor
    from ghostbust.store.daemon import JobRow


def daemon(
    home: HomeOption = None,
    config: ConfigOption = None,
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option("--log-format", help="Lines for people, or one JSON object each."),
    ] = "text",
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit for this, and end.")
    ] = False,
) -> None:
    """Watch the deployed model, and train a round when enough new inventions are logged.

    Runs in the foreground and logs to standard error. SIGTERM and Ctrl-C stop it within 30 s,
    exit code 0; what it was doing goes on at the next start. SIGHUP has it read its settings
    again. One daemon for a home folder.
    """
    from ghostbust.home import Home
    from ghostbust.operations.logs import log_to_stderr

    if print_unit:
        _print_unit(home, config)
        return
    place = Home.open(home)
    settings = load_settings(config, place)
    redactor = redactor_of(settings)
    log_to_stderr(log_format, redactor)
    serve(assemble(place, config, settings, redactor))


def serve(made: Daemon) -> None:
    """Runs it to its end, which is the process's end where a job is stuck."""
    if not made.run():
        logging.getLogger("ghostbust").warning("daemon: left a job half-way; it goes on next time")
        logging.shutdown()
        os._exit(0)  # a normal exit would wait for the job's thread


def assemble(place: Home, config: Path | None, settings: Config, redactor: Redactor) -> Daemon:
    """The daemon with all that runs beside it."""
    from ghostbust.config import load_config
    from ghostbust.loop.daemon.run import Daemon
    from ghostbust.operations.companions import Beside, Reload, companions
    from ghostbust.operations.systemd import ServiceManager

    stopping, manager = threading.Event(), ServiceManager.from_environment()
    reload = Reload(
        settings,
        read=lambda: load_config(config, place),
        apply=lambda new: made.reschedule(new),
        manager=manager,
    )
    beside = companions(
        Beside(
            home=place,
            config=lambda: reload.config,
            alive=lambda: made.alive,
            stopping=stopping,
            manager=manager,
            shown=redactor,
        )
    )
    work = workplace(place, config, lambda: reload.config, stopping, redactor)
    made = Daemon(work, companions=[reload, *beside])
    return made


def workplace(
    place: Home,
    config: Path | None,
    settings: Callable[[], Config],
    stopping: threading.Event,
    redactor: Redactor,
) -> Workplace:
    """What the jobs work with; ``settings`` tells those in force whenever a model is opened."""
    from ghostbust.home import cache_dir
    from ghostbust.loop.build import make_rewriter, make_sampler, make_tasks
    from ghostbust.loop.daemon.jobs import Workplace

    return Workplace(
        home=place,
        config=settings(),
        tasks=make_tasks(settings()),
        open_sampler=lambda adapter: make_sampler(settings(), cache_dir(), adapter=adapter),
        open_rewriter=lambda: make_rewriter(settings()),
        hide=redactor.hide,
        round_command=_round_command(place, config),
        stopping=stopping,
    )


def redactor_of(settings: Config) -> Redactor:
    """Takes the secrets that the settings name out of what is logged."""
    from ghostbust.operations.logs import Redactor

    named = (header.partition("=")[2] for header in settings.publish.headers)
    variables = {
        settings.model.api_key_env, settings.publish.api_key_env, settings.notify.secret_env, *named
    }  # fmt: skip
    if settings.discovery.rewriter is not None:
        variables.add(settings.discovery.rewriter.api_key_env)
    return Redactor(variables=(name for name in variables if name))


def _print_unit(home: Path | None, config: Path | None) -> None:
    """The unit on standard output; asks nobody and makes nothing."""
    from ghostbust.operations.systemd import unit_for

    absolute = [None if path is None else path.expanduser().absolute() for path in (home, config)]
    typer.echo(unit_for(*absolute), nl=False)


def _round_command(home: Home, config: Path | None) -> list[str]:
    """A round in the same home, with the same settings and budgets, by the same interpreter."""
    command = [sys.executable, "-m", "ghostbust", "round", "--home", str(home.path), "--json"]
    command.append("--budgeted")
    return command if config is None else [*command, "--config", str(config)]


# --- jobs
# ``ghostbust jobs``: the daemon's jobs, seen and steered from outside.

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
    from ghostbust.loop.daemon.runner import stand

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
    from ghostbust.home import Home
    from ghostbust.loop.daemon.runner import run_now
    from ghostbust.operations.logs import log_to_stderr

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
    from ghostbust.loop.daemon.runner import pause as pause_job

    pause_job(_home(home), name)
    Output().line(f"{name} is paused")


@jobs.command()
def resume(name: NameArgument, home: HomeOption = None) -> None:
    """Have a paused job run by itself again."""
    from ghostbust.loop.daemon.runner import resume as resume_job

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
