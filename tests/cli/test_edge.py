"""Every way in which a command can end."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner, Result

from ghostbust.cli.edge import EdgeGroup, help_if_bare, on_interrupt
from ghostbust.errors import (
    BusyError,
    DataError,
    GhostbustError,
    RegistryError,
    TrainingError,
    UsageError,
)


def ending(error: BaseException | None, *args: str) -> Result:
    """What the edge makes of a command that raises ``error``."""
    app = typer.Typer(cls=EdgeGroup, pretty_exceptions_enable=False)

    @app.callback(invoke_without_command=True)
    def root(
        context: typer.Context, debug: Annotated[bool, typer.Option("--debug")] = False
    ) -> None:
        help_if_bare(context)

    @app.command()
    def go(number: int = 1) -> None:
        if error is not None:
            raise error

    return CliRunner().invoke(app, list(args) or ["go"])


def test_a_command_ends_with_its_own_code() -> None:
    assert ending(None).exit_code == 0
    assert ending(typer.Exit(3)).exit_code == 3
    assert "Usage" in ending(None, "--help").stdout


@pytest.mark.parametrize("kind", [UsageError, DataError, RegistryError, BusyError, TrainingError])
def test_an_error_of_ours_is_its_line_and_its_code(kind: type[GhostbustError]) -> None:
    result = ending(kind("it is\nso"))
    assert result.exit_code == kind.exit_code
    assert result.stderr == "ghostbust: it is so\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("went",), "No such command 'went'"),
        (("go", "--what"), "No such option: --what"),
        (("go", "--number", "x"), "Invalid value for '--number'"),
        (("go", "extra"), "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line_with_a_hint(args: tuple[str, ...], said: str) -> None:
    result = ending(None, *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"ghostbust: {said}") or said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(f"`ghostbust {args[0]} --help`\n".replace("went ", ""))


def test_an_interrupt_says_how_to_go_on() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, on_interrupt("run it again"):
        raise KeyboardInterrupt
    result = ending(caught.value)
    assert (result.exit_code, result.stderr) == (130, "ghostbust: interrupted; run it again\n")
    result = ending(KeyboardInterrupt())
    assert result.stderr == "ghostbust: interrupted; run the same command again\n"


def test_a_bug_is_one_line_without_traceback() -> None:
    result = ending(ZeroDivisionError("oops \x1b[31m"))
    assert result.exit_code == 70
    assert result.stderr.startswith("ghostbust: unexpected ZeroDivisionError: oops \\x1b[31m;")
    assert "--debug" in result.stderr
    assert result.stderr.count("\n") == 1


def test_debug_shows_the_traceback_before_the_line() -> None:
    result = ending(ZeroDivisionError("oops"), "--debug", "go")
    assert result.exit_code == 70
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("ghostbust: unexpected")


@pytest.mark.parametrize("args", [("check", "--help"), ("adapters",)])
def test_a_reader_that_leaves_a_help_text_is_no_error(args: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ghostbust", *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


def test_a_reader_that_leaves_is_no_error() -> None:
    code = "for n in range(20000): print(f'import package{n}')"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    program = [sys.executable, "-m", "ghostbust", "extract", "-", "--json"]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(text)
        process.stdin.close()
        assert process.stdout.readline().startswith(b'{"ecosystem"')
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""
