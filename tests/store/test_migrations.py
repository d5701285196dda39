"""The reference names every table and column there is, and no other."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from ghostbust.store.migrations import MIGRATIONS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "store.md"


@pytest.fixture
def schema() -> dict[str, list[str]]:
    """Each table's columns, in order."""
    with closing(Database(memory=True)) as db:
        MIGRATIONS.apply(db)
        return {
            table.name: [column.name for column in table.columns]
            for table in db.tables
            if table.name != MIGRATIONS.migrations_table
        }


def test_the_reference_holds_every_table_and_column_in_order(
    schema: dict[str, list[str]],
) -> None:
    documented: dict[str, list[str]] = {}
    for section in REFERENCE.read_text("utf-8").split("\n## ")[1:]:
        rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
        assert all(meaning.strip() for _, meaning in rows)
        documented[section.split("\n", 1)[0]] = [column for column, _ in rows]
    assert documented == schema


def test_every_table_is_strict(schema: dict[str, list[str]]) -> None:
    with closing(Database(memory=True)) as db:
        MIGRATIONS.apply(db)
        assert [name for name in schema if not db.table(name).strict] == []
