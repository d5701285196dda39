"""What ``--help`` prints, of every command, at any width."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from ghostbust.cli.app import COMMANDS, app
from ghostbust.cli.help import Commands
from tests.terminal import printed_on_a_terminal
from tests.test_docs import EVERY_COMMAND


def help_of(command: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = CliRunner().invoke(app, [*command.split()[1:], "--help"])
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("columns", [40, 63, 64, 80, 300])
def test_every_help_text_fits_and_names_every_option(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, command in EVERY_COMMAND.items():
        text = help_of(name, columns, monkeypatch)
        longest = max(text.splitlines(), key=len)
        assert len(longest) <= min(columns, 100), f"{name}: {longest}"
        words = set(re.findall(r"--[a-z-]+", text))
        assert {one for param in command.params for one in param.opts if one[:2] == "--"} <= words


def test_values_are_words_and_no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    types = re.compile(r"<\w+|\[x|\brange\b|\bint\b|\bstr\b|\blist\[")
    found = {name: types.findall(help_of(name, 80, monkeypatch)) for name in EVERY_COMMAND}
    assert not {name: all_of for name, all_of in found.items() if all_of}


def test_choices_stand_where_there_is_room_and_limits_where_they_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Commands()

    @made.command()
    def one(
        side: Literal["left", "right"] = "left",
        way: Annotated[
            Literal["uniform", "blind", "adaptive", "other"], typer.Option(help="How.")
        ] = "blind",
        share: Annotated[float | None, typer.Option(min=0, max=1, metavar="SHARE")] = None,
        port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
        tasks: Annotated[int, typer.Option(min=10)] = 20,
        seed: Annotated[int, typer.Option(min=0)] = 0,
        yes: Annotated[bool, typer.Option("--yes/--no")] = True,
    ) -> None:
        """One.

        Two.
        """

    monkeypatch.setenv("COLUMNS", "90")
    said = CliRunner().invoke(made, ["--help"]).output
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[:4] == ["Usage: one [OPTIONS]", "", "One.", ""]
    assert lines[6:14] == [
        "Options",
        "--side left|right [default: left]",
        "--way WAY How. [one of uniform, blind, adaptive, other; default: blind]",
        "--share SHARE [0 to 1]",
        "--port N [1 to 65535; default: 8000]",
        "--tasks N [10 or more; default: 20]",
        "--seed N [default: 0]",
        "--yes, --no [default: yes]",
    ]


def test_every_command_stands_below_a_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    text = help_of("ghostbust", 80, monkeypatch)
    headings = dict.fromkeys(panel for _, _, panel, *_ in COMMANDS)
    assert [panel.partition(":")[0] for panel in headings] == [
        "Use", "Watch", "Train", "Serve", "Inspect",
    ]  # fmt: skip
    for panel in headings:
        below = text.partition(f"{panel}\n")[2].partition("\n\n")[0]
        names = re.findall(r"^  (\w+)", below, re.M)
        assert names == [name for name, _, its, *_ in COMMANDS if its == panel]


def test_bench_shows_what_measures_ones_own_model_first(monkeypatch: pytest.MonkeyPatch) -> None:
    text = help_of("ghostbust bench", 80, monkeypatch)
    assert text.index("Your model") < text.index("unlearners") < text.index("The laboratory")
    assert text.index("The laboratory") < text.index("extraction")


def test_colours_are_for_terminals_that_want_some() -> None:
    command = [sys.executable, "-m", "ghostbust", "--help"]
    environ = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    coloured = printed_on_a_terminal(command, environ)
    plain = printed_on_a_terminal(command, environ | {"NO_COLOR": "1"})
    piped = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain != coloured
    assert "\x1b" not in piped


def test_help_loads_no_rich() -> None:
    program = (
        "import sys\nfrom ghostbust.__main__ import main\nsys.argv = ['ghostbust', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('rich' in sys.modules, file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == "False\n"
