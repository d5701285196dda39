"""What long commands say of themselves: lines in a log, bars on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ghostbust.cli.output import Output, Stages
from ghostbust.loop.signals import Listener


def terminal(output: Output) -> io.StringIO:
    """Makes the output believe that standard error is a terminal; what is drawn there."""
    drawn = io.StringIO()
    output.aside = Console(file=drawn, force_terminal=True, width=120, color_system=None)
    return drawn


def test_a_log_gets_a_line_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(Output()) as stages:
        listener: Listener = stages
        listener.begin("load smollm2")
        listener.advance(1, 2)
        listener.step(1, 4, 0.25)
        listener.begin("train")
    assert capsys.readouterr() == ("", "load smollm2\ntrain\n")


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(Output(quiet=True)) as stages:
        stages.begin("load smollm2")
        stages.advance(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_bars_with_counts_and_the_loss() -> None:
    output = Output()
    drawn = terminal(output)
    with Stages(output) as stages:
        stages.begin("ask 3 tasks")
        stages.advance(16, 18)
        stages.begin("train")
        stages.step(3, 4, 1.234)
    shown = drawn.getvalue()
    assert "ask 3 tasks" in shown
    assert "16/16" in shown  # a stage that is over is shown as whole
    assert "3/4" in shown
    assert "loss 1.23" in shown


@pytest.mark.parametrize("hostile", ["a [/red] model", "[bold]x", "x\x1b[2J"])
def test_names_in_a_stage_are_no_markup_and_move_no_terminal(hostile: str) -> None:
    output = Output()
    drawn = terminal(output)
    with Stages(output) as stages:
        stages.begin(f"load {hostile}")
        stages.advance(1, 2)
    shown = drawn.getvalue()
    assert hostile.replace("\x1b", "\\x1b") in shown
    assert "\x1b[2J" not in shown


def test_progress_before_any_stage_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(Output()) as stages:
        stages.advance(1, 2)
        stages.step(1, 2, 0.5)
    assert capsys.readouterr() == ("", "")


def fail_in(stages: Stages) -> None:
    with stages:
        stages.begin("load")
        raise ZeroDivisionError


def test_an_error_gives_the_cursor_back() -> None:
    output = Output()
    drawn = terminal(output)
    with pytest.raises(ZeroDivisionError):
        fail_in(Stages(output))
    shown = drawn.getvalue()
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
