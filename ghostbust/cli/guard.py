"""``ghostbust guard``: nothing invented leaves a model server, without training."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.daemon import redactor_of
from ghostbust.cli.edge import command_group, ended_like_ctrl_c
from ghostbust.cli.options import ModelOption, SamplesOption, SeedOption
from ghostbust.errors import GhostbustError, UsageError
from ghostbust.extras import need_local

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.guard.proxy import GuardProxy
    from ghostbust.home import Home
    from ghostbust.sections import GuardSection

guard = command_group("guard", "Keep invented names from leaving a model server, untrained.")
log = logging.getLogger(__name__)


@guard.command()
@invoked_with("home", "config")
def serve(
    cli: Invocation,
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream",
            metavar="URL",
            show_default="the settings' guard.upstream",
            help="The OpenAI-compatible server to stand before.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            show_default="the settings' guard.host, the loopback",
            help="Address.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=1,
            max=65535,
            show_default="the settings' guard.port",
            help="Port.",
        ),
    ] = None,
    action: Annotated[
        Literal["annotate", "replace", "stop"] | None,
        typer.Option(
            "--action",
            show_default="the settings' guard.action",
            help="A line with an invented name gets a note, or makes place for one, or is the end.",
        ),
    ] = None,
    on_error: Annotated[
        Literal["open", "closed"] | None,
        typer.Option(
            "--on-error",
            show_default="the settings' guard.on_error",
            help="Answers that can't be read pass, or become an error.",
        ),
    ] = None,
    log_to: Annotated[
        Path | None,
        typer.Option(
            "--log",
            metavar="FILE",
            show_default="the settings' guard.log, none",
            help="File for prompts and answers, which ghostbust ingest reads.",
        ),
    ] = None,
) -> None:
    """Stand before a model server, and read what it answers before the client does.

    Passes every path on to the server. Reads chat and text completions, streamed or not. Asks no
    registry but the snapshots. Runs until Ctrl-C or SIGTERM.
    """
    from ghostbust.operations.logs import log_to_stderr

    settings = cli.configure(
        guard__upstream=upstream,
        guard__host=host,
        guard__port=port,
        guard__action=action,
        guard__on_error=on_error,
        guard__log=log_to,
    )
    if settings.guard.upstream is None:
        raise UsageError("which server? give --upstream URL, or set guard.upstream")
    proxy = _proxy(settings, cli.home)
    _check_log(settings.guard.log)
    log_to_stderr("text", redactor_of(settings))
    _run(proxy, settings.guard)


@guard.command()
@invoked_with("home", "config", "as_json", "quiet")
def bench(
    cli: Invocation,
    model: ModelOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Train-side tasks that are asked.")
    ] = 40,
    samples: SamplesOption = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, help="Answers computed at once.")
    ] = 32,
    turns: Annotated[
        int, typer.Option("--turns", metavar="N", min=1, help="Times, each with another seed.")
    ] = 3,
    seed: SeedOption = 0,
) -> None:
    """What the guard costs and does: the base without and with it, in turn in this process.

    Asks the shipped tasks that train, about code and about packages that help. Stores nothing.
    """
    need_local("guard bench")
    from ghostbust.evaluation.guard_cost import guard_cost
    from ghostbust.guard.reading import INSTALLED
    from ghostbust.home import cache_dir
    from ghostbust.loop.build import draw, load_local, make_guard, sampling_settings
    from ghostbust.loop.watch import judge_samples
    from ghostbust.measure import measure
    from ghostbust.prompts import first_prompts, seed_tasks, split
    from ghostbust.records import Flag

    settings = cli.configure(model__name=model, sampling__samples_per_prompt=samples)
    train, _ = split(seed_tasks(), settings.prompts.holdout_share)
    prompts = list(first_prompts(draw(train, limit, seed)))
    guarding = make_guard(settings, cli.home)
    sampling = replace(sampling_settings(settings, seed), batch_size=rows)
    base = load_local(settings, cache_dir())
    cli.output.note(f"ask {len(prompts)} prompts {2 * turns} times")
    found = guard_cost(base, guarding, prompts, sampling, turns)
    free, held = (judge_samples(side, guarding.guard.judge) for side in (found.free, found.held))
    clean = [
        same
        for answer, same in zip(free, found.same, strict=True)
        if not any(one.lookup.invented for one in answer.judged)
    ]
    sides = []
    for name, answers, ms in (("base", free, found.free_ms), ("guard", held, found.held_ms)):
        measured = measure(answers, seed=seed)
        judged = [one for answer in answers for one in answer.judged]
        own = [one for one in judged if Flag.PROMPT_INDUCED not in one.ref.flags]
        sides.append(
            {
                "model": name,
                "ms a token": round(median(ms), 3),
                "rate": round(measured.rate, 4),
                "real an answer": round(measured.volume, 3),
                "invented": measured.absent + measured.suspect,
                "in install lines": sum(
                    one.lookup.invented for one in own if one.ref.kind in INSTALLED
                ),
            }
        )
    cli.output.table(list(sides[0]), (one.values() for one in sides))
    cli.output.line(
        f"time a token: {found.ratio:.3f} of the base's, median of {turns}; "
        f"{sum(found.same)} of {len(found.same)} answers are the same, {sum(clean)} of {len(clean)}"
        " without an invention"
    )
    cli.output.document(
        {
            "model": settings.model.name,
            "seed": seed,
            "prompts": len(prompts),
            "answers": len(found.free),
            "unchanged": sum(found.same),
            "clean": len(clean),
            "clean_unchanged": sum(clean),
            "ratio": found.ratio,
            "base_ms": found.free_ms,
            "guard_ms": found.held_ms,
            "sides": sides,
            "wall_s": cli.wall_s,
        }
    )


def _proxy(settings: Config, home: Home) -> GuardProxy:
    """The application. Raises UsageError where its libraries aren't installed.

    Where the snapshots are damaged, it raises SnapshotError if it is to fail closed; else answers
    pass unread, with an alarm for each.
    """
    from ghostbust.extras import need_guard

    need_guard("ghostbust guard serve")
    from ghostbust.guard.proxy import GuardProxy, nearest_of
    from ghostbust.guard.reading import Asked, Reading
    from ghostbust.loop.build import make_guard

    try:
        made = make_guard(settings, home).guard
    except GhostbustError as exc:
        if settings.guard.on_error == "closed":
            raise
        broken = exc

        def fail(_asked: Asked) -> Reading:
            raise broken

        return GuardProxy(settings.guard, fail, lambda _: ())
    return GuardProxy(settings.guard, made.read, nearest_of(made))


def _check_log(path: Path | None) -> None:
    """Raises UsageError where the log can't be written."""
    from ghostbust.guard.proxy import append

    if path is not None:
        try:
            append(path, b"")
        except OSError as exc:
            raise UsageError(f"can't write the log {path}: {exc.strerror or exc}") from exc


def _run(proxy: GuardProxy, section: GuardSection) -> None:
    """Serves until SIGTERM or Ctrl-C. Raises UsageError where it can't listen."""
    import uvicorn

    family = socket.AF_INET6 if ":" in section.host else socket.AF_INET
    try:
        listening = socket.create_server((section.host, section.port), family=family)
    except OSError as exc:
        where = f"{section.host}:{section.port}"
        raise UsageError(f"can't listen on {where}: {exc.strerror or exc}") from exc
    config = uvicorn.Config(
        proxy.app,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=10,
    )
    log.info("guard: %s:%d stands before %s", section.host, section.port, section.upstream)
    # uvicorn raises the signal again that ended it.
    with listening, ended_like_ctrl_c(), suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
