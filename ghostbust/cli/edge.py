"""Where errors end: one line on standard error, and an exit code.

::

    GhostbustError        its message          its ``exit_code``: 1, 2 or 3
    wrong usage           what, and where help is             2
    Ctrl-C                how to go on                      130
    a reader that left    nothing                           141
    check, unread parts   a line for each of them             4
    anything else         a bug: how to see more             70

With ``--debug``, or GHOSTBUST_DEBUG=1, the traceback comes before the line.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from ghostbust.cli.help import Commands, HelpGroup
from ghostbust.errors import GhostbustError, UsageError
from ghostbust.text import visible

FINDINGS = 1
"""exit code: something was found, over the limit where there is one"""
COULD_NOT_ASK = 3
NOT_LOOKED_AT = 4
"""exit code of ``check``: nothing speaks against what was looked at, but not all of it was"""
BUG = 70
INTERRUPTED = 130
READER_LEFT = 141
"""what a shell reports for a program that SIGPIPE ended"""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with the one line that says how to go on. Raised by `on_interrupt` only."""


@contextmanager
def on_interrupt(how_to_go_on: str) -> Iterator[None]:
    """Adds a hint to a Ctrl-C inside, such as ``run it again: it goes on where it was``."""
    try:
        yield
    except KeyboardInterrupt as exc:
        raise Interrupted(how_to_go_on) from exc


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Inside, SIGTERM does what Ctrl-C does: what was begun is stored, or ended."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class EdgeGroup(HelpGroup):
    """The root group: whoever runs it gets the edge, a test's runner included."""

    def main(self, args: Sequence[str] | None = None, *_rest: Any, **_extra: Any) -> NoReturn:
        """Runs the command of ``args`` (None: of the command line), and exits."""
        sys.exit(_run(self, list(sys.argv[1:] if args is None else args)))


def command_group(name: str, what: str) -> Commands:
    """A group of commands, which prints its help and exits with 2 where it is called alone."""
    return Commands(
        name=name, help=what, cls=HelpGroup, callback=help_if_bare, invoke_without_command=True
    )


def help_if_bare(context: typer.Context) -> None:
    """Prints a group's help and exits with 2 where it was called without a command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def refuse_options(context: typer.Context) -> None:
    """Raises UsageError for options between a group and its command: they would count for nothing.

    For groups that are commands, too.
    """
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        if source is not None and source.name == "COMMANDLINE":
            path, command = context.command_path, context.invoked_subcommand
            raise UsageError(f"{param.opts[0]} stands behind the command: {path} {command} …")


def _run(group: EdgeGroup, args: list[str]) -> int:
    """Runs the command and returns the exit code; every error has been reported by then."""
    debug = False
    try:
        group._main_shell_completion({}, "ghostbust")  # exits where a shell asks for completions
        with group.make_context("ghostbust", args) as context:
            debug = bool(context.params["debug"])
            group.invoke(context)
        sys.stdout.flush()
    except typer.Exit as ended:
        return _flushed(ended.exit_code)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as ended:  # rich's answer to a broken pipe, in typer's help texts
        if isinstance(ended.__context__, BrokenPipeError):
            return _reader_left()
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (this is the edge)
        if debug:
            traceback.print_exc()
        said, code = _explained(error)
        print(f"ghostbust: {visible(' '.join(said.split()))}", file=sys.stderr)
        return code
    return 0


def _explained(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    match error:
        case GhostbustError():
            return str(error), error.exit_code
        case typer.TyperException():
            where = getattr(getattr(error, "ctx", None), "command_path", "ghostbust")
            # "Value error, " is pydantic's, which typer checks values with.
            said = error.format_message().rstrip(".").replace("Value error, ", "")
            return f"{said}; see `{where} --help`", error.exit_code
        case Interrupted():
            return f"interrupted; {error}", INTERRUPTED
        case KeyboardInterrupt() | typer.Abort():
            return "interrupted; run the same command again", INTERRUPTED
    return (
        f"unexpected {type(error).__name__}: {error}; this is a bug, run"
        " `ghostbust --debug …` again for the traceback",
        BUG,
    )


def _flushed(code: int) -> int:
    """The code, once everything printed has reached its reader."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    return code


def _reader_left() -> int:
    """The exit code; what is still buffered goes nowhere, so that the interpreter ends quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_LEFT
