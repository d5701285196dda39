"""What reaches the terminal and files, what JSON says, and progress."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from ghostbust.cli.output import Output, Stages, print_json
from ghostbust.documents import plain
from ghostbust.loop.signals import Listener
from ghostbust.records import Ecosystem, Flag
from ghostbust.text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("requests", "requests"),
        ("naïve 包", "naïve 包"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x9b31m", "\\x9b31m"),
        ("\udc80", "\\udc80"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_neither_tables_lines_nor_stages_obey_markup_or_escape_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile, shown = "[bold]x[/bold] \x1b[31m :smile:", "[bold]x[/bold] \\x1b[31m :smile:"
    output = Output()
    output.table(["name"], [[hostile]])
    output.line(hostile)
    with Stages(output) as stages:
        stages.begin(hostile)
    told = capsys.readouterr()
    assert told.out.count(shown) == 2
    assert told.err == f"{shown}\n"
    drawn = terminal(output)
    with Stages(output) as stages:
        stages.begin(hostile)
    assert shown in drawn.getvalue()


def test_a_table_that_is_piped_cuts_no_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Output().table(["name", "evidence"], [["n" * 60, "e" * 80]])
    assert "n" * 60 + "   " + "e" * 80 in capsys.readouterr().out


@pytest.mark.parametrize(
    ("width", "heads"),
    [(80, ["name", "of", "first", "second"]), (30, ["name", "of", "first"]), (18, ["name", "of"])],
)
def test_a_narrow_table_leaves_out_whole_columns_by_rank(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    heads: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    row = ("requests", "0.5", "a longer text", "1")
    columns = ("name", "of", "second", "first")
    Output().table(columns, [row], ranked=("first", "second"))
    shown = capsys.readouterr().out.splitlines()
    assert sorted(shown[1].split()) == sorted(heads)
    assert all(word in shown[3] for word in ("requests", "0.5"))
    assert len([line for line in shown if line.strip()]) == 3, "no cell is broken"


def test_json_leaves_standard_output_to_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.line("for people")
    output.note("aside")
    output.document({"a": 1})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"a": 1}
    assert err == "aside\n"


def test_quiet_says_nothing_aside(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(quiet=True)
    output.note("aside")
    output.line("result")
    output.document({"not": "asked for"})
    assert capsys.readouterr() == ("result\n", "")


@dataclass(frozen=True)
class Record:
    name: str
    rate: float
    at: datetime
    inner: tuple[Path, ...]


def test_plain() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    record = Record("x", math.nan, at, (Path("a/b"),))
    assert plain(record) == {
        "name": "x",
        "rate": None,
        "at": "2026-01-02T03:04:05+00:00",
        "inner": ["a/b"],
    }
    flags = frozenset({Flag.TRUNCATED, Flag.OPTIONAL})
    assert plain({Ecosystem.NPM: flags, "day": date(2026, 1, 2)}) == {
        "npm": ["optional", "truncated"],
        "day": "2026-01-02",
    }
    assert plain([True, None, 1, 2.5, math.inf]) == [True, None, 1, 2.5, None]


def test_plain_refuses_what_json_has_no_form_for() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain(object())


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "\x1b\u202e\udc80é"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == {"name": "\x1b\u202e\udc80é"}


def terminal(output: Output) -> io.StringIO:
    """Makes the output believe that standard error is a terminal; what is drawn there."""
    drawn = io.StringIO()
    output.aside = Console(file=drawn, force_terminal=True, width=120, color_system=None)
    return drawn


def test_a_log_gets_a_line_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(Output()) as stages, Stages(Output(quiet=True)) as silent:
        silent.begin("nothing of this")
        stages.advance(1, 2)  # before any stage
        listener: Listener = stages
        listener.begin("load smollm2")
        listener.advance(1, 2)
        listener.step(1, 4, 0.25)
        listener.begin("train")
    assert capsys.readouterr() == ("", "load smollm2\ntrain\n")


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
    assert "✓ ask 3 tasks, 16 of 16 (0 s)" in shown  # a stage that is over is shown as whole
    assert "3/4" in shown
    assert "loss 1.23" in shown


def test_a_log_gets_a_line_a_minute_with_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    """What an earlier process had done says nothing of the pace."""
    told = ((30.0, 100), (59.0, 110), (90.0, 120), (100.0, 125), (151.0, 160), (300.0, 400))
    times = iter([0.0, *(at for at, _ in told)])
    with Stages(Output(), now=lambda: next(times)) as stages:
        stages.begin("ask")
        for _, done in told:
            stages.advance(done, 400)
    assert capsys.readouterr().err.splitlines() == [
        "ask",
        "ask: 120 of 400, about 14 min left",
        "ask: 160 of 400, about 8 min left",
    ]


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
