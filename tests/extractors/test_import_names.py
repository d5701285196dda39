"""The table of import names."""

from __future__ import annotations

from importlib.resources import files

import pytest
from packaging.utils import canonicalize_name

from ghostbust.extractors.python import distribution_of, is_namespace
from ghostbust.known_modules import known_modules


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("cv2", "opencv-python"),
        ("yaml", "pyyaml"),
        ("PIL.Image", "pillow"),
        ("bs4", "beautifulsoup4"),
        ("sklearn.linear_model", "scikit-learn"),
        ("git", "gitpython"),
        ("dateutil.parser", "python-dateutil"),
        ("dotenv", "python-dotenv"),
        ("jwt", "pyjwt"),
        ("serial.tools", "pyserial"),
        ("usb", "pyusb"),
        ("magic", "python-magic"),
        ("docx", "python-docx"),
        ("fitz", "pymupdf"),
        ("attr", "attrs"),
        ("Crypto.Cipher", "pycryptodome"),
        ("MySQLdb", "mysqlclient"),
        ("telegram.ext", "python-telegram-bot"),
        ("discord", "discord-py"),
        ("google.cloud.storage.blob", "google-cloud-storage"),
        ("google.protobuf", "protobuf"),
        ("google.cloud", None),
        ("google.cloud.invented", None),
        ("kaggle_secrets", None),
        ("requests", None),
        ("pil", None),
        ("", None),
        (".", None),
    ],
)
def test_distribution_of(module: str, distribution: str | None) -> None:
    assert distribution_of(module) == distribution


def test_namespaces_are_known_but_nobodys() -> None:
    assert is_namespace("google.cloud.invented")
    assert is_namespace("kaggle_secrets")
    assert not is_namespace("google.cloud.storage")
    assert not is_namespace("requests")


def rows(name: str) -> list[list[str]]:
    text = files("ghostbust.data").joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("name", "least"), [("import_names.tsv", 800), ("import_facts.tsv", 40)])
def test_the_tables_are_canonical_sorted_and_without_repeats(name: str, least: int) -> None:
    table = rows(name)
    modules = [row[0] for row in table]
    assert len(table) >= least
    assert modules == sorted(modules, key=lambda module: (module.lower(), module))
    assert len(set(modules)) == len(modules)
    assert all(part.isidentifier() for module in modules for part in module.split("."))
    assert all(canonicalize_name(row[1]) == row[1] for row in table)


def test_the_tables_hold_no_row_that_says_nothing() -> None:
    for module, distribution in known_modules().items():
        assert "." in module or canonicalize_name(module) != distribution, module


def test_what_is_written_by_hand_comes_first_and_the_rest_is_there() -> None:
    known = known_modules()
    hand = {row[0]: row[1] for row in rows("import_names.tsv")}
    made = {row[0]: row[1] for row in rows("import_facts.tsv")}
    assert {**made, **hand} == known
    assert set(made) - set(hand), "then the made table would be of no use"


def test_ambiguous_names_have_a_note() -> None:
    noted = {row[0] for row in rows("import_names.tsv") if len(row) == 3}
    assert {"serial", "usb", "jwt", "attr", "docx", "fitz", "cv2"} <= noted
