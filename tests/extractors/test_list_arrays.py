"""Names in arrays of JSON and Python."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.list_lines import array_items
from ghostbust.records import Ecosystem, RefKind

LISTS = [
    ('["httpx", "respx"]', ["httpx", "respx"]),
    ('[\n  "aiohttp",\n  "rich>=13"\n]\n', ["aiohttp", "rich"]),
    ("['geopandas', 'shapely']", ["geopandas", "shapely"]),
    ('{"packages": ["aiohttp", "rich"]}', ["aiohttp", "rich"]),
    ('[{"name": "aiohttp", "license": "MIT"}, {"name": "Rich text"}]', ["aiohttp"]),
    ('{"libraries": [{"name": "aiohttp", "use": "http"}], "name": "answer"}', ["aiohttp"]),
    ('["aiohttp", "ri', ["aiohttp", "ri"]),
]


@pytest.mark.parametrize(("text", "names"), LISTS)
def test_names_are_found_where_they_stand(text: str, names: list[str]) -> None:
    items = array_items(text, Ecosystem.PYPI)
    assert [item.name for item in items] == names
    assert all(text[item.start :].startswith(item.name) for item in items)


@pytest.mark.parametrize(
    "text",
    [
        '["pip", "install", "requests"]',
        '["Use this one", "requests"]',
        "[1, 2]",
        "[]",
        "",
        '["requests"] is all that you need',
        '{"name": "demo", "dependencies": {"vue": "^3"}}',
        '{"required": ["title", "author"]}',
    ],
)
def test_other_arrays_hold_none(text: str) -> None:
    assert array_items(text, Ecosystem.PYPI) == []


def test_an_array_comes_before_a_package_json() -> None:
    text = '```json\n["httpx", "respx"]\n```'
    refs = extract(text, expect_list=True)
    assert [(ref.raw, ref.kind) for ref in refs] == [
        ("httpx", RefKind.LIST),
        ("respx", RefKind.LIST),
    ]
    assert extract(text) == []
