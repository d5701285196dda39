"""One item of a list: its name, and what sets it apart."""

from __future__ import annotations

import pytest

from ghostbust.extractors.list_lines import Item, read_item
from ghostbust.records import Ecosystem


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("rich", Item(3, "rich", alone=True, sure=False)),
        ("  rich  ", Item(5, "rich", alone=True, sure=False)),
        ("rich: text", Item(3, "rich", alone=False, sure=False)),
        ("rich：文本", Item(3, "rich", alone=False, sure=False)),
        ("rich（文本）", Item(3, "rich", alone=False, sure=False)),
        ("rich==13", Item(3, "rich", alone=True, sure=True)),
        ("rich >= 13", Item(3, "rich", alone=True, sure=True)),
        ("`rich`", Item(4, "rich", alone=True, sure=True)),
        ("**`rich`**: text", Item(6, "rich", alone=False, sure=True)),
        ("**rich**", Item(5, "rich", alone=True, sure=False)),
        ("**rich==1**", Item(5, "rich", alone=True, sure=True)),
        ("_rich_: text", Item(4, "rich", alone=False, sure=False)),
        ("[rich](x): text", Item(4, "rich", alone=False, sure=False)),
        ("rich-1.2.3", Item(3, "rich", alone=True, sure=False)),
        ("rich v13", Item(3, "rich", alone=True, sure=False)),
        ("rich 13.1 - text", Item(3, "rich", alone=False, sure=False)),
        ("rich version 13+", Item(3, "rich", alone=True, sure=False)),
        ("`rich` v13", Item(4, "rich", alone=True, sure=True)),
        ("**rich v13**: text", Item(5, "rich", alone=False, sure=False)),
        ("rich** - text", Item(3, "rich", alone=False, sure=False)),
        ("rich … text", Item(3, "rich", alone=False, sure=False)),
        ("rich→text", Item(3, "rich", alone=False, sure=False)),
        ("rich ... text", Item(3, "rich", alone=False, sure=False)),
        ("rich\ttext", Item(3, "rich", alone=False, sure=False)),
        ("rich = text in colours", Item(3, "rich", alone=False, sure=False)),
        ("rich | text", Item(3, "rich", alone=False, sure=False)),
        ("rich 13", None),
        ("rich 13.1 or later", None),
        ("rich v2 is newer", None),
        ("rich = text()", None),
        ("rich = text", None),
        ("rich = 13", None),
        ("rich | text | more", None),
        ("rich... is there", None),
        ("rich for text", None),
        ("rich: 42", None),
        ("rich::x", None),
        ("`rich.print()`", None),
        ("", None),
    ],
)
def test_read_item(text: str, item: Item | None) -> None:
    assert read_item(text, 3, Ecosystem.PYPI) == item


def test_npm_names_have_scopes() -> None:
    assert read_item("@a/b: text", 0, Ecosystem.NPM) == Item(0, "@a/b", alone=False, sure=False)
    assert read_item("@a/b", 0, Ecosystem.PYPI) is None
