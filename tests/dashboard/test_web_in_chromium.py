"""The dashboard in a real browser: every tab by its key, a decision, light, the end of it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.browser import Watched, open_browser, open_page
from tests.dashboard.board import TABS, Filler, served

pytestmark = pytest.mark.slow
PATIENCE_S = 120
_BRIGHTNESS = """() => {
  const canvas = document.querySelector("canvas.xterm-text-layer");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const points = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let n = 0; n < points.length; n += 4) sum += points[n] + points[n + 1] + points[n + 2];
  return sum / points.length / 0.75;
}"""
"""from 0 to 255"""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for the condition; fails after ``PATIENCE_S``."""
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, "the screen didn't get there"
        await asyncio.sleep(0.1)


async def drawn(watched: Watched, words: str) -> None:
    """Waits until the words have come for the screen; forgets what came so far."""

    async def came() -> bool:
        return words.encode() in b"".join(watched.frames)

    await until(came)
    watched.frames.clear()


async def test_keys_tabs_a_decision_and_the_end(filled: Filler) -> None:
    async with open_browser() as browser, served(filled.home) as address:
        own = address.partition("?")[0]
        async with open_page(browser, 1000, 640) as stranger:
            answer = await stranger.page.goto(own)
            assert answer is not None
            assert answer.status == 403
            assert not [a for a in stranger.asked if a.startswith("ws:")]

        async with open_page(browser, 1000, 640) as watched:
            page = watched.page
            await page.goto(address)
            assert "key=" not in page.url
            await drawn(watched, "invented names")
            heard = await page.locator("body").aria_snapshot()
            assert "--plain" in heard
            assert 'textbox "Terminal input"' in heard
            assert await watched.barriers() == []
            pictures = set()
            for key in "2345671":  # the first one is there already
                await page.keyboard.press(key)  # without a click: the keys go there by themselves
                await drawn(watched, TABS[key])
                await asyncio.sleep(0.5)
                pictures.add(await page.screenshot())
            assert len(pictures) == len(TABS)

            dark = await page.evaluate(_BRIGHTNESS)
            await page.keyboard.press("t")
            await until(lambda: _brighter(watched, dark + 100))

            await page.keyboard.press("2")
            await drawn(watched, TABS["2"])
            await page.keyboard.press("a")
            await drawn(watched, "the reason, for the log")
            await page.keyboard.type("seen in a browser")
            await page.keyboard.press("Enter")
            await until(lambda: _noted(filled, "seen in a browser"))

            wide = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(wide) == 0
            await page.keyboard.press("q")
            await page.get_by_role("link", name="Open it again").wait_for()
            await page.set_viewport_size({"width": 700, "height": 500})
            await asyncio.sleep(0.5)
            assert watched.said == []
            elsewhere = [a for a in watched.asked if own not in a.replace("ws:", "http:")]
            assert [a for a in elsewhere if not a.startswith("data:")] == []


@pytest.mark.parametrize(("width", "least"), [(400, 80), (1280, 130)])
async def test_a_phone_shows_whole_lines(filled: Filler, width: int, least: int) -> None:
    sizes: list[int] = []

    def sent(frame: str | bytes) -> None:
        kind, *rest = json.loads(frame)
        if kind == "resize":
            sizes.append(rest[0]["width"])

    async with (
        open_browser() as browser,
        served(filled.home) as address,
        open_page(browser, width, 800) as watched,
    ):
        watched.page.on("websocket", lambda socket: socket.on("framesent", sent))
        await watched.page.goto(address)
        await drawn(watched, "invented names")
        if where := os.environ.get("GHOSTBUST_PICTURES"):
            await asyncio.sleep(2)
            await watched.page.screenshot(path=Path(where) / f"web-{width}.png")
    assert sizes
    assert least <= sizes[-1] < least + 30


async def _brighter(watched: Watched, than: float) -> bool:
    return bool(await watched.page.evaluate(_BRIGHTNESS) > than)


async def _noted(filled: Filler, reason: str) -> bool:
    with filled.store() as store:
        return reason in [review.reason for review in store.reviews.recent(5)]
