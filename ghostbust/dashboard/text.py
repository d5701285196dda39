"""Values as they stand on the screen: nothing in them is obeyed by the terminal or as markup."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from rich.text import Text

from ghostbust.shown import visible

MISSING: Final = "–"
"""stands where there is no value"""


def cell(value: object, style: str = "") -> Text:
    """Any value made `visible`; brackets in it are no markup. None is a dash."""
    return Text(MISSING if value is None else visible(str(value)), style)


def visible_lines(text: str) -> str:
    """A text of several lines made `visible`; its line ends and tabs stay, tabs as spaces."""
    return "\n".join(visible(line.expandtabs(4)) for line in text.split("\n"))


def figure(value: object, style: str = "") -> Text:
    """A `cell` whose value stands at its right, for columns of figures."""
    text = cell(value, style)
    text.justify = "right"
    return text


def clipped(text: str, most: int) -> str:
    """The text, or its first characters and an ellipsis: ``most`` in all."""
    return text if len(text) <= most else text[: most - 1] + "…"


def percent(rate: float) -> str:
    """A rate in [0, 1], such as ``28.6 %``; a dash for NaN."""
    return MISSING if math.isnan(rate) else f"{100 * rate:.1f} %"


def interval(bounds: tuple[float, float]) -> str:
    """An interval of rates, such as ``25.0–32.1 %``; a dash where it is NaN."""
    low, high = bounds
    return MISSING if math.isnan(low + high) else f"{100 * low:.1f}–{100 * high:.1f} %"


def amount(value: float | None) -> str:
    """A figure with at most four significant digits; a dash for None and NaN."""
    return MISSING if value is None or math.isnan(value) else f"{value:.4g}"


def when(at: datetime | None) -> str:
    """Day and minute as stored (UTC); a dash for None."""
    return MISSING if at is None else at.strftime("%Y-%m-%d %H:%M")


def day(at: datetime | None) -> str:
    """The day as stored (UTC); a dash for None."""
    return MISSING if at is None else at.strftime("%Y-%m-%d")
