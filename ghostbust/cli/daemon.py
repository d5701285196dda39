"""``ghostbust daemon``: the jobs on their schedule, beside the deployed model."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.options import ConfigOption, HomeOption
from ghostbust.cli.settings import load_settings

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.daemon import Daemon
    from ghostbust.loop.jobs import Workplace
    from ghostbust.operations.redaction import Redactor


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
    from ghostbust.operations.log_lines import log_to_stderr

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


def assemble(
    place: Home,
    config: Path | None,
    settings: Config,
    redactor: Redactor,
    round_command: Sequence[str] | None = None,
) -> Daemon:
    """The daemon with all that runs beside it.

    ``round_command``: the program of a round, if it isn't ``ghostbust round``.
    """
    from ghostbust.config import load_config
    from ghostbust.loop.daemon import Daemon
    from ghostbust.operations.companions import Beside, companions
    from ghostbust.operations.reload import Reload
    from ghostbust.operations.service_manager import ServiceManager

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
    if round_command is not None:
        work = replace(work, round_command=round_command)
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
    from ghostbust.loop.jobs import Workplace
    from ghostbust.loop.parts import make_rewriter, make_sampler, make_tasks
    from ghostbust.operations.redaction import DiscreetSampler

    return Workplace(
        home=place,
        config=settings(),
        tasks=make_tasks(settings()),
        open_sampler=lambda adapter: make_sampler(settings(), cache_dir(), adapter=adapter),
        open_rewriter=lambda: make_rewriter(settings()),
        discreet=lambda sampler: DiscreetSampler(sampler, redactor),
        round_command=_round_command(place, config),
        stopping=stopping,
    )


def redactor_of(settings: Config) -> Redactor:
    """Takes the secrets that the settings name out of what is logged."""
    from ghostbust.operations.redaction import Redactor

    named = (header.partition("=")[2] for header in settings.publish.headers)
    variables = {
        settings.model.api_key_env, settings.publish.api_key_env, settings.notify.secret_env, *named
    }  # fmt: skip
    if settings.discovery.rewriter is not None:
        variables.add(settings.discovery.rewriter.api_key_env)
    return Redactor(variables=(name for name in variables if name))


def _print_unit(home: Path | None, config: Path | None) -> None:
    """The unit on standard output; asks nobody and makes nothing."""
    from ghostbust.operations.unit import unit_for

    absolute = [None if path is None else path.expanduser().absolute() for path in (home, config)]
    typer.echo(unit_for(*absolute), nl=False)


def _round_command(home: Home, config: Path | None) -> list[str]:
    """A round in the same home, with the same settings and budgets, by the same interpreter."""
    command = [sys.executable, "-m", "ghostbust", "round", "--home", str(home.path), "--json"]
    command.append("--budgeted")
    return command if config is None else [*command, "--config", str(config)]
