"""Every report as a browser shows it: nothing cut, nothing said, nothing asked, all to be heard."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pytest

from ghostbust.home import Home
from ghostbust.reports.bars import described
from ghostbust.reports.document import Report
from ghostbust.reports.subjects import round_report
from ghostbust.reports.tables import history_part
from ghostbust.reports.writers import as_html
from ghostbust.store.store import Store
from tests.browser import Watched, open_browser, open_page
from tests.pictures import ROOT, hold

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow
SUBJECTS = ("run", "round", "adapters", "period")
WIDTHS = (360, 800, 1440)
Scheme = Literal["light", "dark"]
MakeReport = Callable[..., Report]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest.mark.parametrize("reveal", [False, True])
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_report_in_every_width_light_and_dark(
    make_report: MakeReport, browser: Browser, tmp_path: Path, subject: str, reveal: bool
) -> None:
    address = _written(make_report(subject, reveal=reveal), tmp_path)
    for scheme in get_args(Scheme):
        for width in WIDTHS:
            async with open_page(browser, width, 900, scheme) as watched:
                await watched.page.goto(address)
                assert await watched.flaws() == {}, (scheme, width)
                await unfold(watched)
                assert await watched.flaws() == {}, (scheme, width, "unfolded")
                assert watched.said == []
                assert [a for a in watched.asked if not a.startswith((address, "data:"))] == []


@pytest.mark.parametrize("scheme", get_args(Scheme))
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_axe_finds_no_barrier(
    make_report: MakeReport, browser: Browser, tmp_path: Path, subject: str, scheme: Scheme
) -> None:
    for width in (WIDTHS[0], WIDTHS[-1]):
        async with open_page(browser, width, 900, scheme) as watched:
            await watched.page.goto(_written(make_report(subject), tmp_path))
            assert await watched.barriers() == [], width
            await unfold(watched)
            assert await watched.barriers() == [], (width, "unfolded")


@pytest.mark.parametrize("scheme", get_args(Scheme))
@pytest.mark.parametrize("width", [1280, 400])
async def test_the_docs_show_the_page(
    fill_home: Callable[..., str], browser: Browser, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    home = Home.open(tmp_path / "turned-down")
    fill_home(home, serves=False)
    with Store.open(home.database, read_only=True) as store:
        report = round_report(store, 1, reveal=False, now=datetime(2026, 12, 1, 8, tzinfo=UTC))
    async with open_page(browser, width, 900, scheme) as watched:
        await watched.page.goto(_written(report, tmp_path))
        png = await watched.page.screenshot()
        words = await watched.page.locator("body").inner_text()
    hold(ROOT / f"docs/guides/images/report-{width}-{scheme}.png", png, words)


@pytest.mark.parametrize("apart", [timedelta(seconds=1), timedelta(hours=5), timedelta(days=40)])
async def test_times_below_a_plot_keep_apart(
    make_report: MakeReport, store: Store, browser: Browser, tmp_path: Path, apart: timedelta
) -> None:
    began = datetime(2026, 11, 28, 20, 47, tzinfo=UTC)
    points = [replace(one, finished=began + n * apart) for n, one in enumerate(store.runs.rates())]
    report = replace(make_report("period"), parts=(history_part(points),))
    for width in WIDTHS:
        async with open_page(browser, width, 900) as watched:
            await watched.page.goto(_written(report, tmp_path))
            assert await watched.flaws() == {}, width


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_what_a_screen_reader_hears(
    make_report: MakeReport, browser: Browser, tmp_path: Path, subject: str
) -> None:
    report = make_report(subject)
    async with open_page(browser) as watched:
        page = watched.page
        await page.goto(_written(report, tmp_path))
        assert await page.title() == report.title
        assert await page.locator("html").get_attribute("lang") == "en"
        await unfold(watched)
        heard = (await page.locator("body").aria_snapshot()).splitlines()
        marks = [line.strip() for line in heard if line.startswith("- ")]
        # The order of the page: what it is, where things are, the parts, how it was made.
        assert [mark.split(":")[0] for mark in marks] == ["- banner", "- main", "- contentinfo"]
        headings = page.locator("h1, h2")
        titles = [part.title for part in report.parts]
        assert await headings.all_inner_texts() == [report.title, *titles]
        levels = await page.evaluate(
            "() => [...document.querySelectorAll('h1, h2, h3, h4')].map((h) => +h.localName[1])"
        )
        assert all(below <= above + 1 for above, below in pairwise(levels)), "no level is skipped"
        if report.badge is not None:
            said = page.get_by_role("region", name="Verdict")
            assert report.badge.verdict in await said.inner_text()
        assert await page.get_by_role("heading", level=1).count() == 1
        assert await page.get_by_role("heading", level=2).count() == len(titles)
        assert await page.get_by_role("navigation").get_by_role("link").count() == len(titles)

        tables = [table for part in report.parts for table in part.tables if table.rows]
        for table in tables:
            box = page.get_by_role("group", name=table.title, exact=True).filter(
                has=page.get_by_role("table")
            )
            assert await box.get_by_role("table", name=table.title, exact=True).count() == 1
            columns = {column for row in table.rows for column in row}
            assert await box.get_by_role("columnheader").count() == len(columns)
            assert await box.get_by_role("rowheader").count() == len(table.rows)
        charts = [chart for part in report.parts for chart in part.charts]
        for chart in charts:
            picture = page.get_by_role("img", name=f"{chart.description} The table below")
            assert await picture.count() == 1
        bars = [chart for part in report.parts for chart in part.bars]
        for drawn in bars:
            assert await page.get_by_role("img", name=described(drawn), exact=True).count() == 1
        assert await page.get_by_role("img").count() == len(charts) + len(bars)


async def test_a_wide_table_is_moved_by_keys(
    make_report: MakeReport, browser: Browser, tmp_path: Path
) -> None:
    async with open_page(browser, 360) as watched:
        page = watched.page
        await page.goto(_written(make_report("period"), tmp_path))
        await unfold(watched)
        box = page.get_by_role("group", name="finished runs", exact=True)
        await box.focus()
        await page.keyboard.press("ArrowRight")
        await page.wait_for_function("() => document.activeElement.scrollLeft > 0")
        assert await page.evaluate("() => document.activeElement.className") == "box"


async def test_a_round_prints_on_two_pages(
    make_report: MakeReport, browser: Browser, tmp_path: Path
) -> None:
    async with open_page(browser) as watched:
        await watched.page.goto(_written(make_report("round"), tmp_path))
        printed = await watched.page.pdf(format="A4")
    (count,) = re.findall(rb"/Count (\d+)", printed)
    assert int(count) <= 2


async def unfold(watched: Watched) -> None:
    await watched.page.evaluate(
        "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    )


async def test_the_look_finds_what_is_wrong(browser: Browser) -> None:
    """So that the tests above can fail."""
    async with open_page(browser, 360) as watched:
        await watched.page.set_content(
            "<p style='color: #bbb'>faint</p><div style='width: 500px'>wide</div>"
            "<svg class='plot' viewBox='0 0 9 9' width='9'><text x='8' y='9'>cut off</text></svg>"
            "<img src='http://127.0.0.1:9/'><script>console.error('oh')</script>"
        )
        flaws = await watched.flaws()
    assert flaws["too faint"] == ["faint: 1.92"]
    assert "DIV  wide" in flaws["too wide"]
    assert "the page itself" in flaws["too wide"]
    assert flaws["cut"] == ["cut off"]
    assert "oh" in watched.said
    assert "http://127.0.0.1:9/" in watched.asked


def _written(report: Report, folder: Path) -> str:
    file = folder / "report.html"
    file.write_text(as_html(report), "utf-8")
    return file.as_uri()
