"""The table that facts are made into."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.import_names import (
    ImportFact,
    ImportRow,
    ImportTable,
    extended,
    read_table,
    table_text,
)
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot

DAY = date(2026, 1, 2)


@pytest.fixture
def table(tmp_path: Path) -> ImportTable:
    names = [
        NameRow("opencv-python", 1), NameRow("opencv-python-headless", 2), NameRow("typing-x", 3),
        NameRow("same", 4), NameRow("taker"), NameRow("gcs"), NameRow("protos"), NameRow("app"),
        NameRow("plugin"), NameRow("fake", None, SuspectReason.DECOY, "same"),
    ]  # fmt: skip
    path = build_snapshot(
        names, ecosystem=Ecosystem.PYPI, date=DAY, complete=True, out_dir=tmp_path
    )
    return ImportTable(Snapshot.load(path), DAY)


def fact(module: str, name: str, *, shared: bool = False, regular: bool = True) -> ImportFact:
    return ImportFact(module, name, "1.0", "wheel", shared, regular)


def rows(table: ImportTable, *facts: ImportFact) -> dict[str, tuple[str, str]]:
    return {row.module: (row.distribution, row.note) for row in table.rows(facts)}


def test_the_most_popular_provider_is_taken_and_the_others_noted(table: ImportTable) -> None:
    found = rows(table, fact("cv2", "opencv-python-headless"), fact("cv2", "opencv-python"))
    assert found == {"cv2": ("opencv-python", "also opencv-python-headless")}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("same", "same"),  # says nothing
        ("Same", "same"),
        ("same", "taker"),  # a popular package has that name
        ("typing", "typing-x"),  # built in
        ("thing", "fake"),  # no package to recommend
        ("thing", "not-registered"),
    ],
)
def test_what_needs_no_row(table: ImportTable, module: str, name: str) -> None:
    assert rows(table, fact(module, name)) == {}


def test_namespaces(table: ImportTable) -> None:
    found = rows(
        table,
        fact("google.cloud.storage", "gcs"), fact("google", "gcs", shared=True),
        fact("google.cloud", "protos", regular=False), fact("google.api", "protos", regular=False),
    )  # fmt: skip
    assert found == {
        "google.cloud.storage": ("gcs", ""),
        "google.api": ("protos", ""),
        "google.cloud": ("", ""),  # protos has a file in it, gcs a package
        "google": ("", ""),
    }


def test_a_folder_that_two_claim_by_name_only_is_shared(table: ImportTable) -> None:
    found = rows(table, fact("x", "gcs", regular=False), fact("x", "app", regular=False))
    assert found == {"x": ("", "")}


def test_a_regular_package_stays_its_owners_where_others_put_plugins_into_it(
    table: ImportTable,
) -> None:
    found = rows(table, fact("flow", "app"), fact("flow.plugins.x", "plugin"))
    assert found == {"flow": ("app", ""), "flow.plugins.x": ("plugin", "")}


def test_a_table_is_read_as_it_was_written(table: ImportTable, tmp_path: Path) -> None:
    made = table.rows([fact("cv2", "opencv-python"), fact("google", "gcs", shared=True)])
    (tmp_path / "t.tsv").write_text(table_text(made))
    assert read_table(tmp_path / "t.tsv") == made
    assert read_table(tmp_path / "missing.tsv") == []


@pytest.mark.parametrize("text", ["a\tb\n", "\n", "\0"])
def test_a_file_that_is_no_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(UsageError, match="registry imports"):
        read_table(tmp_path / "t.tsv")


def test_extending_replaces_owners_but_no_owner_by_a_namespace() -> None:
    def row(module: str, name: str) -> ImportRow:
        return ImportRow(module, name, "", "wheel", "2026-01-02")

    before = [row("b", "old"), row("c", "kept"), row("d", "")]
    found = extended(before, [row("b", "new"), row("c", ""), row("A", "first"), row("d", "now")])
    assert [(one.module, one.distribution) for one in found] == [
        ("A", "first"), ("b", "new"), ("c", "kept"), ("d", "now"),
    ]  # fmt: skip
