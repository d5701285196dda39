"""The pictures of docs/reference/dashboard.md show what the screens show.

``SNAPSHOTS=write pytest tests/dashboard/test_snapshots.py`` makes them anew.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from textual.widgets import Static

from ghostbust.dashboard.app import FOCUS, Dashboard
from ghostbust.home import Home
from ghostbust.records import Ecosystem, GateVerdict, Verdict
from ghostbust.store.names import Decision
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from tests.dashboard.board import Filler, open_board
from tests.pictures import WRITES

IMAGES = Path(__file__).parents[2] / "docs/reference/images"
SIZE = (100, 34)
SIZES = [(tab, SIZE, f"dashboard-{tab}.svg") for tab in FOCUS] + [
    ("overview", size, f"dashboard-{size[0]}x{size[1]}.svg") for size in ((80, 24), (200, 50))
]
MOST_BYTES = 150_000
A, R = Verdict.ABSENT, Verdict.REAL
TASKS = ("read a sensor", "plot a map", "parse invoices", "send a fax", "queue jobs", "tag photos")


@pytest.fixture
def shown(filler: Filler) -> Home:
    """A home in which some weeks of made-up work were done."""
    base: Mapping[str, Mapping[str, Verdict]] = {
        task: {f"zz-{task.split()[-1]}-kit": A, "numpy": R, "requests": R} for task in TASKS
    }
    filler.judged(None, base, RunKind.WATCH)
    filler.judged(None, base, RunKind.WATCH)
    filler.round(RoundState.REJECTED, GateVerdict.FAIL, (1.9, 1.4, 1.3, 1.2))
    losses = tuple(2.2 / (1 + step / 9) + 0.1 * (step % 3) for step in range(40))
    name = filler.round(RoundState.WAITING, losses=losses)
    filler.judged(None, base)
    cured = {task: {"numpy": R, "requests": R} for task in TASKS[1:]}
    filler.judged(name, cured | {TASKS[0]: dict(base[TASKS[0]])})
    pypi, clock = Ecosystem.PYPI, filler.clock
    with filler.store() as store:
        store.tallies.refresh_repeats()
        store.reviews.add(pypi, "zz-map-kit", Decision.ACCEPT, "no such project anywhere")
        store.reviews.add(pypi, "zz-fax-kit", Decision.ALLOW, "our own index has it")
        store.ledger.mark_claimed(pypi, "zz-jobs-kit", clock(), uploader="unknown")
        store.jobs.schedule("watch", clock())
        store.jobs.schedule("recheck", clock())
    return filler.home


@pytest.mark.parametrize(("tab", "size", "name"), SIZES)
async def test_the_pictures_show_the_screens(
    shown: Home,
    tab: str,
    size: tuple[int, int],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path))  # no tokenizer, whatever is on the machine
    monkeypatch.delenv("NO_COLOR", raising=False)
    async with open_board(shown, size=size) as board:
        app, pilot = board.app, board.pilot
        await board.press(str(1 + list(FOCUS).index(tab)))
        await board.until(lambda: app.shown is not None and _complete(app, tab))
        app._refresh_s = 3600  # what is overwritten below isn't written anew
        await pilot.pause(0.1)
        # Neither the folder of this test nor the time of day.
        app.query_one("#status", Static).update(" ~/ghostbust  read 08:15:00 UTC")
        path = "~/ghostbust/adapters/round-0002-1a2b3c4d\nround 2, waiting"
        app.query_one("#adapter-details", Static).update(path)
        await pilot.pause()
        picture = _plain(app.export_screenshot(title=f"ghostbust dashboard: {tab}"))
    file = IMAGES / name
    if WRITES:
        file.parent.mkdir(exist_ok=True)
        file.write_text(picture, "utf-8")
    kept = file.read_text("utf-8")
    assert _words(picture) == _words(kept)
    assert len(kept.encode()) < MOST_BYTES
    assert "url(http" not in kept, "it fetches nothing"
    assert "zz-map-kit" not in kept, "it names nobody"


def _complete(app: Dashboard, tab: str) -> bool:
    """Whether the tab has what it reads for the row under its cursor."""
    shown = app.shown
    assert shown is not None
    chosen = {"names": shown.name, "samples": shown.sample, "rounds": shown.round,
              "prompts": shown.prompt}.get(tab, True)  # fmt: skip
    return shown.tab == tab and chosen is not None


def _plain(svg: str) -> str:
    """The picture without fonts that it would fetch from elsewhere."""
    return re.sub(r"@font-face \{.*?\}\n?", "", svg, flags=re.S)


def _words(svg: str) -> list[str]:
    """The texts of the picture in their order, without minutes: each look at the clock is one."""
    words = [html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", svg)]
    return [re.sub(r"\d\d:\d\d", "00:00", word) for word in words]
