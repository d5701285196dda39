"""Every page is in the table of contents, and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.store.rounds import RoundState

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
_FENCED = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1$", re.M | re.S)


def places(page: Path) -> Iterator[tuple[Path, str]]:
    """The files that a page links to, with the anchor in them, which may be empty.

    Addresses of the web, and examples in code, are left out.
    """
    text = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text("utf-8")))
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if "://" not in target:
            yield (page.parent / target).resolve() if target else page, anchor


def links(page: Path) -> Iterator[Path]:
    """The files that a page links to."""
    return (target for target, _ in places(page))


def anchors(page: Path) -> set[str]:
    """What a page's headings can be linked as, as code hosts make it."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    missing = [target for target in links(page) if not target.exists()]
    assert not missing
    told = {(target, anchor) for target, anchor in places(page) if anchor}
    assert not [place for place in told if place[1] not in anchors(place[0])]


def test_the_table_of_contents_has_every_page() -> None:
    index = DOCS / "index.md"
    unlisted = set(PAGES) - {index} - set(links(index))
    assert not unlisted


def test_the_line_tells_every_state_of_a_round() -> None:
    text = (DOCS / "concepts" / "line.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z`, -]+`) \|", text, re.M)
    told = {word for row in rows for word in re.findall(r"`([a-z-]+)`", row)}
    assert told == {str(state) for state in RoundState}
