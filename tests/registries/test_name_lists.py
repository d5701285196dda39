"""Reading name lists."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.snapshot import NameRow
from ghostbust.registries.suspects import read_fakes, read_names


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["names.txt", "names.txt.gz"])
def test_plain_list(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, "Flask\nflask\n\nzope.interface\n")
    rows = list(read_names(path, Ecosystem.PYPI))
    assert rows == [NameRow("flask"), NameRow("zope-interface")]


def test_table_with_ranks_and_classes(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "names.tsv.gz",
        "name\tdownload_rank_top15000\tsummary_class\tother_column\n"
        "numpy\t20\t\tx\nfakeai\t\tslopsquat-research\t\nheld\t\tsecurity-hold\t\n"
        "maybe\t\tplaceholder\t\nsklearn\t3339\tdecoy\t\n",
    )
    assert list(read_names(path, Ecosystem.PYPI)) == [
        NameRow("numpy", 20),
        NameRow("fakeai", None, SuspectReason.RESEARCH_SQUAT),
        NameRow("held", None, SuspectReason.SECURITY_HOLDING),
        NameRow("maybe"),  # a class that was read off a word needs the summary
        NameRow("sklearn", 3339, SuspectReason.DECOY, "scikit-learn"),
    ]


def test_summaries_decide(tmp_path: Path) -> None:
    names = write(
        tmp_path, "n.tsv", "name\tdownload_rank_top15000\nfresh\t\nold\t\nbig\t1\nempty\t\n"
    )
    summaries = write(
        tmp_path,
        "s.tsv",
        "old\tdecoy\tRenamed to fresh\nbig\tdecoy\tUse fresh instead\n"
        "empty\tplaceholder\tPlaceholder\n",
    )
    assert list(read_names(names, Ecosystem.PYPI, summaries=summaries)) == [
        NameRow("fresh"),
        NameRow("old", None, SuspectReason.DECOY, "fresh"),
        NameRow("big", 1),
        NameRow("empty", None, SuspectReason.PLACEHOLDER),
    ]


def test_npm_ranks_come_from_downloads_and_holds_from_versions(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "names.tsv",
        "name\tnewest_version\tdownloads_a_month\n"
        "small\t1.0.0\t9\n@s/big\t2.0.0\t100\ncrossenv\t0.0.2-security\t50\nheld\t0.0.1-security.1\t1\n",
    )
    assert list(read_names(path, Ecosystem.NPM)) == [
        NameRow("small", 3),
        NameRow("@s/big", 1),
        NameRow("crossenv", 2, SuspectReason.SECURITY_HOLDING),
        NameRow("held", 4, SuspectReason.SECURITY_HOLDING),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("names.tsv", b"title\tx\na\tb\n", "no column 'name'"),
        ("names.txt", b"good\nnot a name\n", "line 2: 'not a name'"),
        ("names.tsv", b"name\tdownload_rank_top15000\na\tfirst\n", "whole number"),
        ("names.txt.gz", b"no gzip at all", "can't be read"),
        ("names.txt.gz", gzip.compress(b"abc\n" * 1000, mtime=0)[:30], "can't be read"),
        ("names.txt", b"\xff\xfe", "can't be read"),
    ],
)
def test_unusable_lists_are_the_users_error(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        list(read_names(path, Ecosystem.PYPI))
    assert "\n" not in str(caught.value)


def test_missing_files_are_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read as a name list"):
        list(read_names(tmp_path / "none.txt", Ecosystem.PYPI))
    names = write(tmp_path, "n.txt", "a\n")
    with pytest.raises(UsageError, match="list of summaries"):
        list(read_names(names, Ecosystem.PYPI, summaries=tmp_path / "none.tsv"))


@pytest.mark.parametrize("name", ["fakes.tsv", "fakes.tsv.gz"])
def test_the_fakes_among_summaries(tmp_path: Path, name: str) -> None:
    text = "A_b\tsecurity-hold\tx\nc\tdecoy\ty\nd\tslopsquat-research\tz\n\nodd\n"
    assert read_fakes(write(tmp_path, name, text), Ecosystem.PYPI) == ["a-b", "d"]


def test_fakes_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.tsv"):
        read_fakes(tmp_path / "missing.tsv", Ecosystem.PYPI)
