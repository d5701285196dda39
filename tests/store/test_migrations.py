"""The reference names every table and column there is, and no other."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from ghostbust.store.migrations import MIGRATIONS, STEPS

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


def test_the_reference_holds_every_table_and_column_in_order(schema: dict[str, list[str]]) -> None:
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


def test_what_was_taken_back_before_there_was_a_state_for_it() -> None:
    """By the last move that says something of an adapter."""
    moves = [
        ("a", None, "promote"), ("b", "a", "promote"), ("a", "b", "rollback"),
        ("c", "a", "promote"), ("a", "c", "rollback"), ("c", "a", "promote"),
    ]  # fmt: skip
    with closing(Database(memory=True)) as db:
        before = next(n for n, step in enumerate(STEPS) if step.__name__ == "m007_round_steps")
        for step in STEPS[:before]:
            step(db)
        for number, name in enumerate("abc", 1):
            db.execute(
                "INSERT INTO rounds (id, model, method, seed, settings, version, process, state,"
                " reason, started, updated) VALUES (?, 'm', 'au', 0, '{}', '0', '1:', 'promoted',"
                " '', '', '')",
                (number,),
            )
            db.execute(
                "INSERT INTO adapters VALUES (?, ?, '', 'm', 'au', 0, 1, 0.1, 1.0, '0', '')",
                (name, number),
            )
        for adapter, previous, kind in moves:
            db.execute(
                "INSERT INTO promotions (adapter, previous, kind, reason, at)"
                " VALUES (?, ?, ?, ?, '')",
                (adapter, previous, kind, f"{kind} of {previous}"),
            )
        STEPS[before](db)
        states = db.execute("SELECT state, reason, plan, attempts FROM rounds ORDER BY id")
        assert states.fetchall() == [
            ("promoted", "", None, 1),
            ("rolled-back", "rollback of b", None, 1),
            ("promoted", "", None, 1),
        ]
