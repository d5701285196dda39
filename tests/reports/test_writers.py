"""Hostile names and reasons do nothing, whatever a report is written as."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import StringIO

import pytest
from markdown_it import MarkdownIt

from ghostbust.reports.document import Report
from ghostbust.reports.writers import as_csv, as_html, as_markdown

SUBJECTS = ("run", "round", "adapters", "period")
MakeReport = Callable[..., Report]
parametrize = pytest.mark.parametrize("subject", SUBJECTS)
REACHES_OUT = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "background"}


class Page(HTMLParser):
    """Tags, what they refer to, and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.handlers: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in REACHES_OUT]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.said += data


@parametrize
@pytest.mark.parametrize("reveal", [False, True])
def test_a_page_runs_nothing_and_asks_nobody(
    make_report: MakeReport, subject: str, reveal: bool
) -> None:
    text = as_html(make_report(subject, reveal=reveal))
    page = Page(text)
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "form", "b", "i", "base"}
    assert page.handlers == []
    assert all(target.startswith("#") or target == "data:," for target in page.targets)
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_page_shows_hostile_names_as_they_are(make_report: MakeReport) -> None:
    said = Page(as_html(make_report("run", reveal=True))).said
    assert "<script>alert(1)</script>" in said
    assert "{{ 7*7 }}" in said
    assert "\\x1b[2J" in said
    assert "ab\\u202egpj.exe" in said


@parametrize
@pytest.mark.parametrize("reveal", [False, True])
def test_markdown_has_no_html_link_or_picture_and_whole_tables(
    make_report: MakeReport, subject: str, reveal: bool
) -> None:
    text = as_markdown(make_report(subject, reveal=reveal))
    assert all(char.isprintable() or char == "\n" for char in text)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *inner]}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    assert "table_open" in kinds
    bare = [child.content for child in inner if child.type == "text"]
    assert not [said for said in bare if "evil.example" in said or "@SUM" in said]


@parametrize
def test_every_row_of_a_markdown_table_has_all_its_cells(
    make_report: MakeReport, subject: str
) -> None:
    text = as_markdown(make_report(subject, reveal=True))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert tables
    for lines in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_markdown_shows_hostile_names_as_they_are(make_report: MakeReport) -> None:
    text = as_markdown(make_report("run", reveal=True))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    codes = {c.content for t in tokens for c in t.children or () if c.type == "code_inline"}
    assert "<script>alert(1)</script>" in codes
    assert "\\x60</code>\\x60\\x7cnext cell\\x7c" in codes
    assert "[click](http://evil.example)" in codes


@parametrize
@pytest.mark.parametrize("reveal", [False, True])
def test_no_cell_of_the_csv_is_a_formula(
    make_report: MakeReport, subject: str, reveal: bool
) -> None:
    rows = list(csv.reader(StringIO(as_csv(make_report(subject, reveal=reveal)))))
    assert {len(row) for row in rows} == {7}
    for row in rows[1:]:
        for cell in row:
            assert all(char.isprintable() for char in cell)
            if cell[:1] in tuple("=+@|%-\t\r"):
                float(cell)  # a negative number is one


def test_a_hostile_name_keeps_its_text_in_the_csv(
    make_report: MakeReport, hostile_names: tuple[str, ...]
) -> None:
    rows = csv.reader(StringIO(as_csv(make_report("run", reveal=True))))
    names = [row[4] for row in rows if row[3] == "name"]
    assert f"'{hostile_names[0]}" in names


@parametrize
def test_unregistered_names_are_redacted_unless_asked_for(
    make_report: MakeReport, subject: str
) -> None:
    for write in (as_html, as_markdown, as_csv):
        assert "zz-quux-sensorlib" not in write(make_report(subject))
        assert "zz-quux-sensorlib" in write(make_report(subject, reveal=True))
