"""A headless Chromium for tests, and what a page did in it that a page mustn't do."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

from tests.npm import npm_file

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""so that it asks nobody for anything of its own accord"""

# Elements that reach out of the window to the side, and aren't in a box that scrolls.
_TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => !e.parentElement.closest(".box, .said, svg") && e.checkVisibility())
  .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)
  .concat(document.scrollingElement.scrollWidth > document.documentElement.clientWidth
    ? ["the page itself"] : [])"""
# Texts whose colour is too near to what lies behind them: under 4.5, as WCAG 2 counts (AA).
_FAINT = """() => {
  const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const said = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.slice(0, 40), e = walker.currentNode.parentElement;
    if (!text.trim() || !e.checkVisibility() || e.localName === "title") continue;
    const style = getComputedStyle(e);
    const pair = [light(rgb(e.closest("svg") ? style.fill : style.color)), light(behind(e))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < 4.5) said.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return said;
}"""
# Texts of plots that reach out of their picture, or into one another.
_CUT = """() => [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map((t) => [t, t.getBoundingClientRect()]);
  const out = texts.filter(([, r]) => r.left < box.left - 1 || r.right > box.right + 1
    || r.top < box.top - 1 || r.bottom > box.bottom + 1);
  const met = texts.filter(([, a], n) => texts.slice(n + 1).some(([, b]) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom - 3 && b.top < a.bottom - 3));
  return [...out, ...met].map(([t]) => t.textContent);
})"""


AXE: Final = "4.14.1"


def axe() -> str:
    """The script of axe-core; skips where npm can't install it."""
    return npm_file("axe-core", AXE, "axe.min.js").read_text("utf-8")


@dataclass
class Watched:
    """A page, and what it did from the beginning."""

    page: Page
    said: list[str] = field(default_factory=list)
    """warnings and errors of its console, and what its scripts didn't catch"""
    asked: list[str] = field(default_factory=list)
    """addresses of all its requests and sockets"""
    frames: list[bytes] = field(default_factory=list)
    """what came through its sockets"""

    async def flaws(self) -> dict[str, list[str]]:
        """What is wrong with how it looks now; nothing where all is well."""
        looks = {"too wide": _TOO_WIDE, "too faint": _FAINT, "cut": _CUT}
        found = {name: await self.page.evaluate(look) for name, look in looks.items()}
        return {name: flaws for name, flaws in found.items() if flaws}

    async def barriers(self) -> list[str]:
        """What axe-core finds that keeps somebody from reading or using the page as it is now."""
        await self.page.evaluate(axe())
        found = await self.page.evaluate("axe.run()")
        return [
            f"{one['id']}: {node['html'][:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Chromium; skips where it or playwright isn't installed."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        pytest.skip("playwright isn't installed: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium isn't installed: apt-get install chromium")
    async with async_playwright() as playwright:
        # Without its sandbox, which root can't have: the pages are our own.
        browser = await playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), chromium_sandbox=False
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def open_page(
    browser: Browser,
    width: int = 1440,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
) -> AsyncIterator[Watched]:
    """An empty page of this size, with no cookie of any other."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    watched = Watched(await context.new_page())
    page = watched.page

    def hear(message: Any) -> None:
        if message.type in ("error", "warning"):
            watched.said.append(message.text)

    def follow(socket: Any) -> None:
        watched.asked.append(socket.url)
        socket.on("framereceived", lambda frame: watched.frames.append(_bytes(frame)))

    page.on("console", hear)
    page.on("pageerror", lambda error: watched.said.append(str(error)))
    page.on("request", lambda request: watched.asked.append(request.url))
    page.on("websocket", follow)
    yield watched
    await context.close()


def _bytes(frame: str | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode()
