"""Name lists are read, and which registered names are suspect by their summaries."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.snapshot import NameRow
from ghostbust.registries.suspects import known_decoys, other_package, read_names, suspect_reason

REGISTERED = {"newname", "scikit-learn", "old", "the", "it", "my-lib"}


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
        NameRow("maybe"),  # a class that was found by a word needs the summary
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
        ("names.txt", None, "can't be read as a name list"),
    ],
)
def test_unusable_lists_are_the_users_error(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        list(read_names(path, Ecosystem.PYPI))
    assert "\n" not in str(caught.value)


def test_summaries_that_cannot_be_read(tmp_path: Path) -> None:
    names = write(tmp_path, "n.txt", "a\n")
    with pytest.raises(UsageError, match="list of summaries"):
        list(read_names(names, Ecosystem.PYPI, summaries=tmp_path / "none.tsv"))


# Summaries


def reason(summary: str, *, ranked: bool = False) -> tuple[SuspectReason, str] | None:
    return suspect_reason(Ecosystem.PYPI, "old", summary, ranked=ranked, registered=REGISTERED)


PLACEHOLDER, DECOY = (SuspectReason.PLACEHOLDER, ""), (SuspectReason.DECOY, "newname")


@pytest.mark.parametrize(
    ("summary", "found"),
    [
        ("Placeholder", PLACEHOLDER),
        ("A placeholder Python SDK package for Someone", PLACEHOLDER),
        ("Name reservation for the whatever project", PLACEHOLDER),
        ("Our great tool (placeholder, first release coming soon)", PLACEHOLDER),
        ("Parked for upcoming work", PLACEHOLDER),
        ("Reserved package used to prevent dependency confusion", PLACEHOLDER),
        ("This is a dummy package.", PLACEHOLDER),
        ("Fills {placeholder} fields in documents", None),
        ("Generate placeholder images on the fly", None),
        ("Lorem ipsum placeholder", None),
        ("Find parking spaces near you", None),
        ("Detects typo squatting and dependency confusion in lock files", None),
        ("Use decorators instead of configuration", None),
        ("DEPRECATED: no longer maintained", None),
        ("[DEPRECATED] Don't use it anymore", None),
        ("Renamed to something-nobody-registered", None),
        ("An HTTP client", None),
        ("Deprecated: use newname instead", DECOY),
        ("This package has been renamed to NewName. Install that.", DECOY),
        ("DEPRECATED - use 'newname'", DECOY),
        ("Please run pip install newname", DECOY),
        ("Dummy package for the New (newname)", DECOY),
        ("Superseded by `newname`[extra]", DECOY),
        ("Deprecated alias for newname - installs it", DECOY),
    ],
)
def test_what_a_summary_says(summary: str, found: tuple[SuspectReason, str] | None) -> None:
    assert reason(summary) == found
    if found == DECOY:
        assert reason(summary, ranked=True) is None, "popular packages aren't suspect for a word"


def test_placeholders_point_and_squats_and_holds_are_suspect_even_if_popular() -> None:
    assert reason("Placeholder. Install my_lib instead.") == (SuspectReason.PLACEHOLDER, "my-lib")
    squat, hold = "Benign slopsquatting research package", "Security holding package"
    assert reason(squat, ranked=True) == (SuspectReason.RESEARCH_SQUAT, "")
    assert reason(hold, ranked=True) == (SuspectReason.SECURITY_HOLDING, "")


@pytest.mark.parametrize(
    "summary", ["Use old instead", "Use the instead", "Use ghr/newname instead"]
)
def test_no_pointer_to_itself_to_a_word_or_to_a_path(summary: str) -> None:
    assert other_package(Ecosystem.PYPI, "old", summary, REGISTERED) is None


def test_known_decoys_are_canonical_and_differ_from_their_targets() -> None:
    decoys = known_decoys(Ecosystem.PYPI)
    assert (decoys["sklearn"], decoys["pytorch"]) == ("scikit-learn", "torch")
    for one in (*decoys, *decoys.values()):
        assert is_valid_name(Ecosystem.PYPI, one)
        assert canonical_name(Ecosystem.PYPI, one) == one
    assert not decoys.keys() & set(decoys.values())
    assert known_decoys(Ecosystem.NPM) == {}
