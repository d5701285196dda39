"""The ledger as JSON lines and CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ghostbust.exports.ledger import LedgerRow, write_csv, write_jsonl
from ghostbust.store.store import Store


@pytest.mark.parametrize("reveal", [False, True])
def test_every_name_is_a_line(
    store: Store, tmp_path: Path, hostile_names: tuple[str, ...], reveal: bool
) -> None:
    write_jsonl(store, tmp_path / "out", reveal=reveal)
    text = (tmp_path / "out").read_text("ascii")
    assert all(char.isprintable() or char == "\n" for char in text)
    rows = [json.loads(line) for line in text.splitlines()]
    assert len(rows) == store.ledger.count_new_inventions() == len(hostile_names) + 2
    assert ("zz-quux-sensorlib" in text) is reveal
    assert (set(hostile_names) <= {row["name"] for row in rows}) is reveal
    seen = {row["key"]: row for row in rows}
    assert len(seen) == len(rows)
    first = max(rows, key=lambda row: row["times_seen"])
    assert (first["times_seen"], first["contexts"]) == (32, ["code", "helps"])
    assert {row["purl"] for row in rows} - {None} == (
        {"pkg:pypi/zz-quux-sensorlib", "pkg:pypi/zz-harbor-toolkit"} if reveal else set()
    )


@pytest.mark.parametrize("reveal", [False, True])
def test_no_cell_of_the_csv_is_a_formula(store: Store, tmp_path: Path, reveal: bool) -> None:
    write_csv(store, tmp_path / "out", reveal=reveal)
    with (tmp_path / "out").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == list(LedgerRow.__dataclass_fields__)
    assert len(rows) == store.ledger.count_new_inventions()
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@|%\t\r")]
    assert any(cell.startswith("'=HY") for row in rows for cell in row)
