"""What a distribution's own metadata says of the modules in it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.registries.import_names import ImportFact, facts_of_installed, facts_of_wheel

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


def test_a_distribution_may_declare_that_it_has_no_modules(tmp_path: Path) -> None:
    assert facts_of_wheel(wheel(tmp_path, {"x.py": ""}, "Import-Name: ")) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive"])
def test_what_is_no_wheel(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.whl").write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.whl"):
        facts_of_wheel(tmp_path / "x.whl")
    with pytest.raises(UsageError, match="can't be read"):
        facts_of_wheel(tmp_path / "missing.whl")


def test_an_archive_without_metadata_is_no_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("x.py", "")
    with pytest.raises(UsageError, match="no METADATA"):
        facts_of_wheel(tmp_path / "x.whl")


def test_installed_distributions(tmp_path: Path) -> None:
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


def test_what_this_interpreter_has() -> None:
    facts = {fact.module: fact.distribution for fact in facts_of_installed()}
    assert facts["yaml"] == "pyyaml"
    assert facts["packaging"] == "packaging"
