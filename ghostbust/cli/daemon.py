"""``ghostbust daemon``, which runs the jobs on their schedule, what asks after it and ends it, and
``ghostbust jobs``."""

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

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import FINDINGS, command_group, refuse_options
from ghostbust.cli.help import Commands, HelpGroup
from ghostbust.documents import document_of

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.daemon.jobs import Workplace
    from ghostbust.loop.daemon.run import Daemon
    from ghostbust.loop.daemon.runner import Jobs
    from ghostbust.operations.logs import Redactor
    from ghostbust.store.daemon import JobRow


@invoked_with("home", "config")
def _serve(
    cli: Invocation,
    context: typer.Context,
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option("--log-format", help="Lines for people, or one JSON object each."),
    ] = "text",
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file",
            show_default="standard error",
            help="File to log to, mode 0600; at 10 MB a new one begins, and five old ones stay.",
        ),
    ] = None,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit for this, and end.")
    ] = False,
) -> None:
    """Watch the deployed model, and train a round when enough new inventions are logged.

    Runs in the foreground and logs to standard error. SIGTERM, Ctrl-C and `ghostbust daemon stop`
    end it within 30 s, exit code 0; what it was doing goes on at the next start. SIGHUP has it read
    its settings again. One daemon for a home folder.
    """
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return
    if print_unit:  # asks nobody and makes nothing
        from ghostbust.operations.systemd import unit_for

        given = (cli.home_path, cli.config_path)
        unit = unit_for(*(path and path.expanduser().absolute() for path in given))
        typer.echo(unit, nl=False)
        return
    from ghostbust.operations.logs import log_to_file, log_to_stderr

    place = cli.make_home()
    redactor = redactor_of(cli.settings)
    if log_file is None:
        log_to_stderr(log_format, redactor)
    else:
        log_to_file(log_file.expanduser(), log_format, redactor)
    serve(assemble(place, cli.config_path, cli.settings, redactor))


daemon = Commands(name="daemon", cls=HelpGroup, invoke_without_command=True, callback=_serve)


@daemon.command("status")
@invoked_with("home", "config", "as_json")
def status(cli: Invocation) -> None:
    """Show which daemon works in this home folder, and on what. Exits with 1 where none does."""
    from ghostbust.loop.daemon.process import find_holder
    from ghostbust.loop.daemon.runner import stand

    output, holder = cli.output, find_holder(cli.home)
    if holder is None:
        output.line(f"no daemon runs in {cli.home.path}")
        output.document({"running": False})
        raise typer.Exit(FINDINGS)
    found = stand(cli.home, cli.settings)
    works = [row for row in found.rows if row.works]
    due = [(at, row.name) for row in found.rows if not row.paused and (at := _due(row, found))]
    output.line(f"process {holder.pid or '(starting)'} ({holder.purpose or 'starting'})")
    output.line(f"since {_at(holder.since)} UTC")
    for row in works:
        output.line(f"works on {row.name} since {_at(row.started)} UTC")
    for at, name in sorted(due)[:1]:
        output.line(f"next: {name}, due {_at(at)} UTC")
    for row in found.rows:
        if row.outcome == "failed":
            output.line(f"{row.name} failed: {row.reason}", "yellow")
    output.document(
        {
            "running": True,
            **document_of(holder),
            "works_on": [row.name for row in works],
            "next": [{"job": name, "due": at} for at, name in sorted(due)],
            "failed": [row.name for row in found.rows if row.outcome == "failed"],
        }
    )


@daemon.command("stop")
@invoked_with("home", "quiet")
def stop(cli: Invocation) -> None:
    """End the daemon of this home folder in order, and wait until it has ended.

    What it was doing goes on at its next start. Exits with 0, also where none runs; with 3 if it
    still works after 45 s.
    """
    from ghostbust.loop.daemon.process import end, find_holder

    holder = find_holder(cli.home)
    if holder is None:
        cli.output.line(f"no daemon runs in {cli.home.path}")
        return
    cli.output.note(f"ending process {holder.pid}: a running job may need 30 s")
    end(cli.home, holder)
    cli.output.line(f"the daemon has ended (process {holder.pid})")


def serve(made: Daemon) -> None:
    """Runs it to its end, which is the process's end where a job is stuck."""
    if not made.run():
        logging.getLogger("ghostbust").warning("daemon: left a job half-way; it goes on next time")
        logging.shutdown()
        os._exit(0)  # a normal exit would wait for the job's thread


def assemble(place: Home, config: Path | None, settings: Config, redactor: Redactor) -> Daemon:
    """The daemon with all that runs beside it."""
    from ghostbust.config import load_config
    from ghostbust.extras import need_guard
    from ghostbust.loop.daemon.guard_job import KeptGuard
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
    if settings.guard.daemon:
        need_guard("guard.daemon")
        command = _command("guard", "serve", home=place, config=config)
        beside.append(KeptGuard(place, settings.guard, command))
    work = workplace(place, config, lambda: reload.config, stopping, redactor)
    made = Daemon(work, companions=[reload, *beside])
    return made


def _command(*words: str, home: Home, config: Path | None) -> list[str]:
    """A command of ghostbust in the same home, with the same settings, by the same interpreter."""
    given = [] if config is None else ["--config", str(config)]
    return [sys.executable, "-m", "ghostbust", *words, "--home", str(home.path), *given]


def workplace(
    place: Home,
    config: Path | None,
    settings: Callable[[], Config],
    stopping: threading.Event,
    redactor: Redactor,
) -> Workplace:
    """What the jobs work with. ``settings`` gives those in force whenever a model is opened."""
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
        round_command=_command("round", "--json", "--budgeted", home=place, config=config),
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


jobs = command_group("jobs", "The daemon's jobs: when each runs, and what came of it.")

JobArgument = Annotated[str, typer.Argument(metavar="NAME", help="watch, round, recheck, …")]


@jobs.command("list")
@invoked_with("home", "config", "as_json")
def list_jobs(cli: Invocation) -> None:
    """Show each job's last run, what came of it and when it is due, and the day's budgets."""
    from ghostbust.loop.daemon.runner import stand

    output, found = cli.output, stand(cli.home, cli.settings)
    output.table(
        ("job", "state", "pid", "last run", "outcome", "due", "why"),
        (
            (
                row.name, _state(row, found), row.pid, _at(row.started), row.outcome,
                None if row.paused else _at(_due(row, found)), row.reason,
            )
            for row in found.rows
        ),
    )  # fmt: skip
    budgets = [(name, spent, found.limits.get(name)) for name, spent in found.spent.items()]
    output.table(
        ("budget of the day", "spent", "left"),
        (
            (
                name, f"{spent:,.12g}",
                "no limit" if limit is None else f"{max(0.0, limit - spent):,.12g}",
            )
            for name, spent, limit in budgets
        ),
    )  # fmt: skip
    output.line(
        f"a daemon works here, process {found.holder.pid or '(starting)'}"
        if found.holder
        else "no daemon works here"
    )
    if found.trouble:
        output.note(f"nothing can be noted at the moment: {found.trouble}")
    output.document(
        {
            "daemon": found.holder is not None,
            "pid": found.holder and found.holder.pid,
            "trouble": found.trouble or None,
            "jobs": [
                document_of(
                    row,
                    without=("process",),
                    state=_state(row, found),
                    due=_due(row, found),
                    pid=row.pid,
                )
                for row in found.rows
            ],
            "budgets": [
                dict(zip(("budget", "spent", "limit"), one, strict=True)) for one in budgets
            ],
            "day_ends": found.day_ends,
        }
    )


@jobs.command()
@invoked_with("home", "config")
def run(cli: Invocation, name: JobArgument) -> None:
    """Run a job now: here, or by the daemon where one works. Exits with 1 where it didn't work."""
    from ghostbust.loop.daemon.runner import run_now
    from ghostbust.operations.logs import log_to_stderr

    place, settings = cli.make_home(), cli.settings
    redactor = redactor_of(settings)
    work = workplace(place, cli.config_path, lambda: settings, threading.Event(), redactor)
    log_to_stderr("text", redactor)
    done = run_now(work, name)
    if done is None:
        cli.output.line(
            f"{name}: the daemon was asked; it begins within seconds if nothing else works"
        )
        return
    why = f": {done.reason}" if done.reason else ""
    cli.output.line(f"{name}: {done.state} after {done.seconds:.1f} s{why}")
    if done.state != "ok":
        raise typer.Exit(FINDINGS)


@jobs.command()
@invoked_with("home")
def pause(cli: Invocation, name: JobArgument) -> None:
    """Have a job not run by itself until it is resumed; a run under way goes on."""
    from ghostbust.loop.daemon.runner import pause as pause_job

    pause_job(cli.make_home(), name)
    cli.output.line(f"{name} is paused")


@jobs.command()
@invoked_with("home")
def resume(cli: Invocation, name: JobArgument) -> None:
    """Have a paused job run by itself again."""
    from ghostbust.loop.daemon.runner import resume as resume_job

    resume_job(cli.make_home(), name)
    cli.output.line(f"{name} runs by itself again")


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


def _due(row: JobRow, found: Jobs) -> datetime | None:
    """When the job runs by itself; None where it doesn't."""
    return row.due if row.name in found.scheduled else None


def _at(at: datetime | None) -> str:
    """A time to the second, UTC; empty for none."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
