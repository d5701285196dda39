"""Titles in lists, which are no names."""

from __future__ import annotations

import pytest

from ghostbust.extractors.list_lines import has_phrase, headed_groups, marker_of


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("1. **Forms**\n  - formik\n2. **Data**\n  - axios", ["1. **Forms**", "2. **Data**"]),
        ("- Forms\n  - formik\n- State and data\n  - axios", ["- Forms", "- State and data"]),
        ("- Forms\n  - formik", []),
        ("- Forms\n  - formik\n- Data", []),
        ("- flask\n  - jinja2\n- Data\n  - axios", []),
        ("- Flask\n  - small\n- Bottle\n  - small", []),
        ("- Flask\n  - builds sites\n- Bottle\n  - small", []),
        ("- Flask\n  - License: MIT\n- Bottle\n  - small", []),
        ("", []),
    ],
)
def test_headed_groups(text: str, titles: list[str]) -> None:
    places = sorted(headed_groups(text, marker_of(text)))
    assert [text[place:].partition("\n")[0] for place in places] == titles


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- Standard library: json, re", True),
        ("- Standard library: json", False),
        ("- Third-party: httpx, respx", False),
        ("- Best of all: quick to learn, small", False),
        ("Standard library: json, re", False),
    ],
)
def test_has_phrase(text: str, expected: bool) -> None:
    assert has_phrase(text, marker_of(text)) is expected
