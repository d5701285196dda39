"""The dashboard in a real terminal, small and large: every tab, help, a decision, colours."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

from ghostbust.dashboard.app import FOCUS
from tests.dashboard.board import TABS
from tests.terminal import Terminal, open_terminal

if TYPE_CHECKING:
    from tests.dashboard.board import Filler

pytestmark = pytest.mark.slow
COLOUR = re.compile(r"[34]8[;:]2[;:](\d+)[;:](\d+)[;:](\d+)")
"""the part of an escape that sets a colour by red, green and blue"""
PAPER = re.compile(r"48[;:]2[;:](\d+)[;:](\d+)[;:](\d+)")
"""of those, what sets what lies behind the text"""


def command(filled: Filler) -> list[str]:
    return [sys.executable, "-m", "ghostbust", "dashboard", "--home", str(filled.home.path)]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
def test_every_screen_fits(filled: Filler, width: int, height: int) -> None:
    with open_terminal(command(filled), width, height, {}) as terminal:
        # Painted once the line below the tabs goes through, which takes a slow machine a moment.
        terminal.until(lambda said: "invented names" in said and "━" * (width - 20) in said)
        for key, words in TABS.items():
            terminal.press(key)
            shown = terminal.until(lambda said, words=words: words in said)  # type: ignore[misc]
            check_frame(shown, width, height)

            terminal.press("?")
            check_box(terminal.until(lambda said: "Escape closes this" in said), width)
            terminal.press("Escape")
            terminal.until(lambda said: "Escape closes this" not in said)

        terminal.press("4")
        shown = terminal.until(lambda said: "updated" in said and "being read" not in said)
        assert re.search(r"PASS +12-01 \d\d:\d\d", shown), "the table of rounds isn't cut"
        terminal.press("2")
        terminal.until(lambda said: "67 names" in said)
        terminal.press("a")
        check_box(terminal.until(lambda said: "the reason, for the log" in said), width)
        terminal.write("seen in a terminal")
        terminal.press("Enter")
        terminal.until(lambda said: "noted as invented" in said)
        with filled.store() as store:
            assert store.reviews.recent(1)[0].reason == "seen in a terminal"
        terminal.press("/")
        terminal.until(lambda said: "q Quit" not in said)
        terminal.write("ghost-007")
        shown = terminal.until(lambda said: "1–1 of 1 names with 'ghost-007'" in said)
        check_lines(shown, width, height)
        terminal.press("Enter")
        terminal.until(lambda said: "q Quit" in said)
        leave(terminal)


def test_light_dark_and_without_colours(filled: Filler) -> None:
    with open_terminal(command(filled), 80, 24, {"COLORTERM": "truecolor"}) as terminal:
        terminal.until(lambda said: "invented names" in said)
        dark = terminal.styled()
        assert any(len(set(colour)) > 1 for colour in COLOUR.findall(dark)), "it is in colours"
        terminal.press("t")
        terminal.until(lambda _: brightness(terminal.styled()) > brightness(dark) + 50)
        leave(terminal)
    environment = {"COLORTERM": "truecolor", "NO_COLOR": "1"}
    with open_terminal(command(filled), 80, 24, environment) as terminal:
        terminal.press("2")
        terminal.until(lambda said: "67 names" in said)
        colours = COLOUR.findall(terminal.styled())
        assert {colour for colour in colours if len(set(colour)) > 1} == set()
        leave(terminal)


def check_lines(shown: str, width: int, height: int) -> None:
    """The screen is full, none of its lines too long, and no escape was left in it."""
    lines = shown.split("\n")
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert "\x1b" not in shown


def check_frame(shown: str, width: int, height: int) -> None:
    """All tabs are named in one line, and the keys in the last."""
    check_lines(shown, width, height)
    lines = shown.split("\n")
    tabs = next(n for n, line in enumerate(lines) if "1 Overview" in line)
    assert tabs <= 3, "a long path takes three lines at most"
    assert all(f"{n} {tab.capitalize()}" in lines[tabs] for n, tab in enumerate(FOCUS, 1))
    assert len(lines[tabs + 1]) == width, "the line below the tabs goes through"
    assert lines[-1].rstrip().endswith("q Quit")
    assert "? Keys" in lines[-1]


def check_box(shown: str, width: int) -> None:
    """A window has all its four sides, one above the other."""
    lines = shown.split("\n")
    top = next(n for n, line in enumerate(lines) if "╭" in line)
    bottom = next(n for n, line in enumerate(lines) if "╰" in line)
    left, right = lines[top].index("╭"), lines[top].index("╮")
    assert 0 < left < right < width
    for line in (lines[top], lines[bottom]):
        assert line[left + 1 : right] == "─" * (right - left - 1)
    assert (lines[bottom][left], lines[bottom][right]) == ("╰", "╯")
    for line in lines[top + 1 : bottom]:
        assert (line[left], line[right]) == ("│", "│")


def brightness(styled: str) -> float:
    """The mean of the colours behind texts, from 0 to 255."""
    colours = [int(part) for colour in PAPER.findall(styled) for part in colour]
    return sum(colours) / max(1, len(colours))


def leave(terminal: Terminal) -> None:
    """Quits, which ends the program and with it the window."""
    terminal.press("q")
    deadline = time.monotonic() + 60
    while not terminal.ended():
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.2)
