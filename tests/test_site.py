"""The docs as a site: it builds without a warning, its links lead somewhere, it asks nobody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser import open_browser, open_page

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    find_spec("mkdocs") is None, reason="mkdocs isn't installed: pip install 'ghostbust[docs]'"
)


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value for name, value in attrs if value}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        elif tag in ("script", "img", "source", "iframe") and "src" in told:
            self.loads.append(told["src"])
        elif tag == "link" and "href" in told and told.get("rel") != "canonical":
            self.loads.append(told["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    made = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    # 404.html has absolute addresses, since it answers for any path.
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_page_of_the_docs_is_in_it(site: Path, pages: dict[Path, Page]) -> None:
    docs = ROOT / "docs"
    wanted = {site / page.relative_to(docs).with_suffix(".html") for page in docs.rglob("*.md")}
    assert set(pages) == wanted


def test_every_link_leads_to_a_page_and_a_place_in_it(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            anchors = pages[target].anchors | {""} if target in pages else {""}
            if not target.exists() or unquote(parts.fragment) not in anchors:
                lost.append(f"{path.name}: {link}")
    assert sum(len(page.links) for page in pages.values()) > 1_000
    assert lost == []


def test_all_that_a_page_loads_is_in_the_site(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for address in page.loads:
            parts = urlsplit(address)
            assert (parts.scheme, parts.netloc) == ("", ""), f"{path.name}: {address}"
            assert (path.parent / unquote(parts.path)).exists(), f"{path.name}: {address}"


def test_no_style_fetches_from_elsewhere(site: Path) -> None:
    styles = [*site.rglob("*.css")]
    assert len(styles) > 1
    for style in styles:
        text = style.read_text("utf-8")
        for address in re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", text):
            parts = urlsplit("".join(address))
            assert parts.scheme in ("", "data"), f"{style.name}: {address}"
            assert not parts.netloc, f"{style.name}: {address}"


class Quiet(SimpleHTTPRequestHandler):
    def log_request(self, *_args: object) -> None:
        pass


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("width", "scheme", "name"),
    [
        (1280, "light", "index.html"),
        (400, "dark", "index.html"),
        (400, "light", "guides/guard.html"),
        (400, "light", "reference/config.html"),
        (1280, "light", "tutorial.html"),
        (1280, "dark", "guides/operations.html"),
    ],
)
async def test_a_browser_shows_it_without_asking_anybody(
    address: str, width: int, scheme: Literal["light", "dark"], name: str
) -> None:
    async with open_browser() as browser, open_page(browser, width, 900, scheme) as watched:
        await watched.page.goto(address + name, wait_until="networkidle")
        if where := os.environ.get("GHOSTBUST_PICTURES"):
            await watched.page.screenshot(
                path=Path(where) / f"{width}-{scheme}-{Path(name).stem}.png"
            )
        wide = await watched.page.evaluate(
            "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, "the page scrolls to the side"
        assert [asked for asked in watched.asked if not asked.startswith(address)] == []
        assert watched.said == []
        assert await watched.barriers() == []


@pytest.mark.parametrize("opened", ["served", "from a folder"])
async def test_the_search_finds_a_page(address: str, site: Path, opened: str) -> None:
    root = address if opened == "served" else f"{site.as_uri()}/"
    async with open_browser() as browser, open_page(browser) as watched:
        await watched.page.goto(root + "guides/guard.html", wait_until="load")
        await watched.page.locator("input[name=query]").press_sequentially("O'Brien")
        found = watched.page.locator(".md-search-result__link[href*='brien']").first
        await found.wait_for(timeout=120_000)
        assert (await found.get_attribute("href") or "").startswith(root)
        assert [asked for asked in watched.asked if not asked.startswith(root)] == []
        assert watched.said == []
