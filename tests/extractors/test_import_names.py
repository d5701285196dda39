"""The table of import names."""

from __future__ import annotations

from importlib.resources import files

import pytest
from packaging.utils import canonicalize_name

from ghostbust.extractors.import_names import distribution_of, is_namespace


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
    assert not is_namespace("google.cloud.storage")
    assert not is_namespace("requests")


def test_table_is_canonical_sorted_and_without_repeats() -> None:
    text = files("ghostbust.data").joinpath("import_names.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    modules = [module for module, _ in rows]
    assert len(rows) >= 250
    assert modules == sorted(modules, key=lambda module: (module.lower(), module))
    assert len(set(modules)) == len(modules)
    assert all(part.isidentifier() for module in modules for part in module.split("."))
    assert all(canonicalize_name(name) == name for _, name in rows)
