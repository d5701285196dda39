"""What reaches the terminal, and what JSON says."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ghostbust.cli.output import Output, cell, print_json, table
from ghostbust.documents import plain
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


def test_a_table_obeys_neither_markup_nor_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table("name")
    rows.add_row(cell("[bold]x[/bold] \x1b[31m :smile:"))
    Output().result.print(rows)
    assert "[bold]x[/bold] \\x1b[31m :smile:" in capsys.readouterr().out


def test_a_line_obeys_neither_markup_nor_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    Output().line("[red]x[/red]\x1b[31m")
    assert capsys.readouterr().out == "[red]x[/red]\\x1b[31m\n"


def test_a_table_that_is_piped_cuts_no_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = table("name", "evidence")
    rows.add_row(cell("n" * 60), cell("e" * 80))
    Output().result.print(rows)
    assert "n" * 60 + "   " + "e" * 80 in capsys.readouterr().out


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
