"""Bars with intervals: where they lie, what they say, and whether their colours can be told."""

from __future__ import annotations

import re
from importlib.resources import files
from math import nan
from xml.etree import ElementTree

import pytest

from ghostbust.evaluation.figures import Estimate
from ghostbust.reports.bars import LEFT, RIGHT, WIDTH, bars_svg, described, said
from ghostbust.reports.document import BarChart, BarGroup

SVG = "{http://www.w3.org/2000/svg}"
CHART = BarChart(
    "Invented", "less is better", ("base", "<b>new</b>"),
    (
        BarGroup("all", (Estimate(0.46, 0.41, 0.53), Estimate(0.07, 0.04, 0.1))),
        BarGroup("code", (Estimate(0.2, nan, nan), Estimate(nan, nan, nan))),
    ),
    is_share=True,
)  # fmt: skip


@pytest.mark.parametrize("standalone", [False, True])
def test_bars_lie_inside_and_are_as_long_as_their_figures(standalone: bool) -> None:
    svg = ElementTree.fromstring(bars_svg(CHART, standalone=standalone))
    bars = [one for one in svg.iter(f"{SVG}rect") if float(one.get("x", 0)) == LEFT]
    widths = [float(bar.get("width", 0)) for bar in bars]
    assert len(widths) == 3, "a figure that isn't defined has no bar"
    assert widths[0] / widths[2] == pytest.approx(0.46 / 0.2, rel=0.01)
    assert max(widths) <= WIDTH - LEFT - RIGHT
    assert len(list(svg.iter(f"{SVG}path"))) == 2, "nor an interval, without one"
    bottom = float(str(svg.get("viewBox")).split()[3])
    assert all(float(bar.get("y", 0)) + float(bar.get("height", 0)) <= bottom for bar in bars)
    assert (svg.find(f"{SVG}style") is not None) is standalone


def test_every_figure_is_said_in_words() -> None:
    assert described(CHART) == (
        "Invented. all: base 46 % (41–53), <b>new</b> 7 % (4–10); code: base 20 %, <b>new</b> –."
    )
    assert "<b>" not in bars_svg(CHART, standalone=True)
    assert said(Estimate(0.274, 0.19, 0.37), is_share=False) == "0.27 (0.19–0.37)"
    assert said(Estimate(0.004, 0.0, 0.009), is_share=True) == "0.4 % (0–0.9)"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(c * share for c, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 counts it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def palettes(file: str) -> list[dict[str, str]]:
    """The colours of a style sheet: of the light theme, then of the dark one."""
    text = files("ghostbust.reports").joinpath(file).read_text("utf-8")
    blocks = re.findall(r"(?::root|svg\.bars) \{([^}]*--[^}]*)\}", text)
    return [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks]


def test_texts_badges_and_bars_stand_out_in_both_themes() -> None:
    """Text 4.5 to 1, what is no text 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    pages, drawn = palettes("report.css"), palettes("bars.css")
    assert len(pages) == len(drawn) == 2
    for page, bars in zip(pages, drawn, strict=True):
        for ground in ("paper", "band"):
            for text in ("ink", "soft", "good", "bad", "open", "link"):
                assert contrast(page[text], page[ground]) >= 4.5, (text, ground)
        for bar in ("b0", "b1", "b2"):
            assert page[bar] == bars[bar], "the legend is the bars'"
            assert contrast(bars[bar], page["paper"]) >= 3, bar
        assert contrast(bars["b0"], bars["b1"]) > 1.1, "two bars side by side"
