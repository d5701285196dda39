"""Every page is in the table of contents, and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.store import RoundState

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def links(page: Path) -> Iterator[Path]:
    """The files that a page links to; addresses of the web, and examples in code, are left out."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            yield (page.parent / target).resolve()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [target for target in links(page) if not target.exists()]
    assert not missing


def test_the_table_of_contents_has_every_page() -> None:
    index = DOCS / "index.md"
    unlisted = set(PAGES) - {index} - set(links(index))
    assert not unlisted


def test_the_line_tells_every_state_of_a_round() -> None:
    text = (DOCS / "concepts" / "line.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z`, -]+`) \|", text, re.M)
    told = {word for row in rows for word in re.findall(r"`([a-z-]+)`", row)}
    assert told == {str(state) for state in RoundState}
