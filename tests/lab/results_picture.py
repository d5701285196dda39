"""Draws docs/images/results.svg from README's table: `python -m tests.lab.results_picture`."""

from __future__ import annotations

import math
import re
from pathlib import Path

from ghostbust.evaluation.figures import Estimate
from ghostbust.reports.bars import bars_svg
from ghostbust.reports.document import BarChart, BarGroup

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs/images/results.svg"
NAMES = {
    "the demo's adapter, seed 0": "demo 0", "the demo's, seed 1": "demo 1",
    "the bench's adapter, seed 0": "bench 0", "the bench's, seed 1": "bench 1",
    "the bench's, seed 2": "bench 2", "base under the guard, nothing trained": "guard",
    "the demo's, seed 0, under the guard": "both",
}  # fmt: skip
"""rows of the table that are drawn, and what they are called there"""


def picture() -> str:
    """The picture. Raises KeyError where a row is missing."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("| ")]
    rows = {re.sub(r"\[(\w+)\]\(.*?\)", r"\1", row[0]).strip(): row for row in cells}
    groups = tuple(
        BarGroup(name, (_share(rows[row][2], 100), _share(rows[row][3], 1)))
        for row, name in NAMES.items()
    )
    chart = BarChart(
        "Against the base",
        "both wanted high",
        ("fewer inventions", "supported names kept"),
        groups,
        is_share=True,
    )
    return bars_svg(chart, standalone=True) + "\n"


def _share(cell: str, whole: int) -> Estimate:
    """``87 % (81 to 93)`` as a share of ``whole``, with its interval if it has one."""
    value, low, high = (
        *(float(number) / whole for number in re.findall(r"\d+(?:\.\d+)?", cell)),
        math.nan,
        math.nan,
    )[:3]
    return Estimate(value, low, high)


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(), "utf-8")
