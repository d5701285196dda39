"""conda environment files."""

from __future__ import annotations

import pytest

from ghostbust.extractors.requirements import EnvironmentExtractor, is_environment
from ghostbust.records import Ecosystem, Flag

FILE = """\
name: x
channels:
  - conda-forge
dependencies:
  - python=3.11
  - conda-forge::numpy >=1  # c
  - 'PyTables'
  - pip
  - pip:
    - rich==1
    - -r more.txt
    - "httpx[http2]>=1"
  - scipy
variables:
  - no
"""


def test_a_file() -> None:
    refs = list(EnvironmentExtractor().find(FILE, 2))
    assert [(ref.ecosystem, ref.raw) for ref in refs] == [
        (Ecosystem.CONDA, "python"), (Ecosystem.CONDA, "numpy"), (Ecosystem.CONDA, "PyTables"),
        (Ecosystem.CONDA, "pip"), (Ecosystem.PYPI, "rich"), (Ecosystem.PYPI, "httpx"),
        (Ecosystem.CONDA, "scipy"),
    ]  # fmt: skip
    assert all(FILE[ref.start - 2 : ref.end - 2] == ref.raw for ref in refs)
    assert refs[2].name == "pytables"


def test_an_index_is_pips_only() -> None:
    text = "dependencies:\n- a1\n- pip:\n  - --index-url x\n  - b1\n"
    refs = list(EnvironmentExtractor().find(text, 0))
    assert [(ref.raw, Flag.PRIVATE_INDEX in ref.flags) for ref in refs] == [
        ("a1", False),
        ("b1", True),
    ]


def test_every_prefix_is_read() -> None:
    for end in range(len(FILE)):
        for ref in EnvironmentExtractor().find(FILE[:end], 0):
            assert FILE[ref.start : ref.end] == ref.raw


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (FILE, True),
        ("dependencies:\n- pip:\n  - rich", True),
        ("dependencies:\n- name: redis\n  version: 1", False),
        ("dependencies:\n  flutter:\n    sdk: x", False),
        ("on: push\njobs: x", False),
    ],
)
def test_what_is_one(text: str, is_one: bool) -> None:
    assert is_environment(text) is is_one
