"""How an evaluation's tables are laid out."""

from __future__ import annotations

from rich.console import Console

from ghostbust.cli.eval import shown_tables
from ghostbust.evaluation.figures import Estimate, Table


def printed(one: Table, width: int) -> list[list[str]]:
    """The words of each line that has any."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(*shown_tables(one, width), sep="")
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    return [line.split() for line in lines if line.split() and "─" not in line]


FIGURE = Estimate(0.5, 0.25, 0.75)
ROWS: tuple[dict[str, object], ...] = (
    {"model": "base", "context": "all", "rate": FIGURE, "names": 9},
    {"model": "a-1", "context": "all", "rate": FIGURE, "drop": FIGURE, "names": 8},
    {"model": "a-1", "context": "code", "rate": FIGURE, "drop": FIGURE, "names": 7},
)


def test_a_wide_table_is_one_whose_first_key_is_not_repeated() -> None:
    figure = ["0.500", "(0.250..0.750)"]
    assert printed(Table("title", ROWS), 80) == [
        ["title"],
        ["model", "context", "rate", "names", "drop"],
        ["base", "all", *figure, "9", "–"],
        ["a-1", "all", *figure, "8", *figure],
        ["code", *figure, "7", *figure],
    ]


def test_a_narrow_table_goes_on_below_with_the_keys_and_breaks_before_the_interval() -> None:
    lines = printed(Table("title", ROWS), 42)
    assert lines[:4] == [
        ["title"],
        ["model", "context", "rate", "names"],
        ["base", "all", "0.500", "9"],
        ["(0.250..0.750)"],
    ]
    below = lines.index(["model", "context", "drop"])
    assert lines[below + 1 :] == [
        ["base", "all", "–"],
        ["a-1", "all", "0.500", "(0.250..0.750)"],
        ["code", "0.500", "(0.250..0.750)"],
    ]


def test_long_texts_and_names_are_broken_and_never_cut() -> None:
    name, text = "round" * 8, "more tasks would tell, " * 4
    rows: tuple[dict[str, object], ...] = ({"model": name, "verdict": "PASS", "reason": text},)
    lines = printed(Table("gates", rows), 64)
    begins = [line[0] for line in lines if line[0].startswith("round")]
    assert "".join(begins) == name
    assert [word for line in lines for word in line].count("tell,") == 4


def test_a_table_of_keys_alone_or_of_nothing_is_shown() -> None:
    assert printed(Table("title", ({"model": "base"},)), 30)[1:] == [["model"], ["base"]]
    assert shown_tables(Table("title", ()), 30) == []
