"""Facts about the modules in a distribution, and the table that they are made into."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.records import SuspectReason
from ghostbust.registries.import_names import (
    ImportFact,
    ImportRow,
    extended,
    facts_of_installed,
    facts_of_wheel,
    import_rows,
    read_table,
    table_text,
)
from ghostbust.registries.snapshot import NameRow, Snapshot
from tests.registries.conftest import DAY, snapshot_of

SHARED_INIT = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"


def wheel(folder: Path, files: dict[str, str], *headers: str) -> Path:
    path = folder / "thing-1.0-py3-none-any.whl"
    metadata = "\n".join(["Metadata-Version: 2.5", "Name: The_Thing", "Version: 1.0", *headers, ""])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("the_thing-1.0.dist-info/METADATA", metadata)
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def modules(facts: list[ImportFact], *, shared: bool = False) -> set[str]:
    return {fact.module for fact in facts if fact.shared is shared}


def test_top_level_modules(tmp_path: Path) -> None:
    files = [
        "pkg/__init__.py", "pkg/inner/__init__.py", "single.py", "fast.cpython-311-x86_64.so",
        "tests/__init__.py", "_private/__init__.py", "bad-name/__init__.py", "data/table.txt",
        "thing-1.0.data/purelib/moved/__init__.py", "thing-1.0.data/scripts/run.py",
        "the_thing-1.0.dist-info/helper.py",
    ]  # fmt: skip
    facts = facts_of_wheel(wheel(tmp_path, dict.fromkeys(files, "")))
    assert modules(facts) == {"pkg", "single", "fast", "moved"}
    assert modules(facts, shared=True) == set()
    assert {(fact.distribution, fact.version, fact.source) for fact in facts} == {
        ("the-thing", "1.0", "wheel")
    }


@pytest.mark.parametrize("space", [None, SHARED_INIT])
def test_a_namespace_is_shared_and_the_longest_prefix_owned(
    tmp_path: Path, space: str | None
) -> None:
    files = {"google/cloud/storage/__init__.py": "", "google/cloud/storage/blob.py": ""}
    if space is not None:
        files |= {"google/__init__.py": space, "google/cloud/__init__.py": space}
    facts = facts_of_wheel(wheel(tmp_path, files))
    assert modules(facts) == {"google.cloud.storage"}
    assert modules(facts, shared=True) == {"google", "google.cloud"}


def test_a_folder_without_init_that_holds_code_is_owned_but_not_for_good(tmp_path: Path) -> None:
    facts = facts_of_wheel(wheel(tmp_path, {"google/api/http_pb2.py": "", "google/api/x/y.py": ""}))
    assert modules(facts) == {"google.api"}
    assert [fact.regular for fact in facts if not fact.shared] == [False]


def test_declared_names_come_before_the_files(tmp_path: Path) -> None:
    headers = ("Import-Name: zope.thing", "Import-Name: inner ; private", "Import-Namespace: zope")
    facts = facts_of_wheel(wheel(tmp_path, {"other/__init__.py": ""}, *headers))
    assert modules(facts) == {"zope.thing"}
    assert modules(facts, shared=True) == {"zope"}
    assert facts_of_wheel(wheel(tmp_path, {"x.py": ""}, "Import-Name: ")) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive", None])
def test_what_is_no_wheel(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.whl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.whl: can't be read"):
        facts_of_wheel(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.py", "")
    with pytest.raises(UsageError, match="no METADATA"):
        facts_of_wheel(path)


def test_installed_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_record = tmp_path / "a-1.dist-info"
    by_record.mkdir()
    (by_record / "METADATA").write_text("Metadata-Version: 2.1\nName: a\nVersion: 1\n")
    (by_record / "RECORD").write_text("inner/__init__.py,,\n../../bin/tool.py,,\na.pth,,\n")
    by_top_level = tmp_path / "b.egg-info"
    by_top_level.mkdir()
    (by_top_level / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: b\nVersion: 2\n")
    (by_top_level / "top_level.txt").write_text("bee\n_bee\n")
    facts = facts_of_installed([tmp_path])
    assert [(fact.module, fact.distribution, fact.regular) for fact in facts] == [
        ("inner", "a", True),
        ("bee", "b", False),
    ]
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert facts_of_installed() == facts, "where the interpreter looks"


# The table


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    names: list[NameRow | str] = [
        NameRow("opencv-python", 1), NameRow("opencv-python-headless", 2), NameRow("typing-x", 3),
        NameRow("same", 4), "taker", "gcs", "protos", "app", "plugin",
        NameRow("fake", None, SuspectReason.DECOY, "same"),
    ]  # fmt: skip
    return snapshot_of(tmp_path, names)


def fact(module: str, name: str, *, shared: bool = False, regular: bool = True) -> ImportFact:
    return ImportFact(module, name, "1.0", "wheel", shared, regular)


def rows(snapshot: Snapshot, *facts: ImportFact) -> dict[str, tuple[str, str]]:
    made = import_rows(facts, snapshot, DAY)
    return {row.module: (row.distribution, row.note) for row in made}


def test_the_most_popular_provider_is_taken_and_the_others_noted(snapshot: Snapshot) -> None:
    found = rows(snapshot, fact("cv2", "opencv-python-headless"), fact("cv2", "opencv-python"))
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
def test_what_needs_no_row(snapshot: Snapshot, module: str, name: str) -> None:
    assert rows(snapshot, fact(module, name)) == {}


def test_namespaces(snapshot: Snapshot) -> None:
    found = rows(
        snapshot,
        fact("google.cloud.storage", "gcs"), fact("google", "gcs", shared=True),
        fact("google.cloud", "protos", regular=False), fact("google.api", "protos", regular=False),
        fact("x", "gcs", regular=False), fact("x", "app", regular=False),
    )  # fmt: skip
    assert found == {
        "google.cloud.storage": ("gcs", ""),
        "google.api": ("protos", ""),
        "google.cloud": ("", ""),  # protos has a file in it, gcs a package
        "google": ("", ""),
        "x": ("", ""),  # two claim the folder by its name only
    }


def test_a_regular_package_stays_its_owners_where_others_put_plugins_into_it(
    snapshot: Snapshot,
) -> None:
    found = rows(snapshot, fact("flow", "app"), fact("flow.plugins.x", "plugin"))
    assert found == {"flow": ("app", ""), "flow.plugins.x": ("plugin", "")}


def test_a_table_is_read_as_it_was_written(snapshot: Snapshot, tmp_path: Path) -> None:
    facts = [fact("cv2", "opencv-python"), fact("google", "gcs", shared=True)]
    made = import_rows(facts, snapshot, DAY)
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
