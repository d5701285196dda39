"""Requirements files."""

from __future__ import annotations

import pytest

from ghostbust.extractors.requirements import (
    RequirementsExtractor,
    looks_like_requirements,
    requirement_lines,
)
from ghostbust.records import Flag, RefKind

FILE = """\
\ufeff# what we need
requests[socks]>=2.0,<3  # http
Flask_Cors==4.0 --hash=sha256:00 \\
    --hash=sha256:11

-r other.txt
-c limits.txt
-e ./here
--no-binary :all:
./local.whl
local-1.0-py3-none-any.whl
https://files.example.test/x.whl
git+https://git.example.test/a/b
thing @ https://files.example.test/thing.whl
tomli ; python_version < "3.11"
long-name \\
    >=1
old (>=1.2)
your-package
"""


def test_a_file() -> None:
    refs = list(RequirementsExtractor().find(FILE, 5))
    assert [ref.raw for ref in refs] == [
        "requests", "Flask_Cors", "tomli", "long-name", "old", "your-package",
    ]  # fmt: skip
    assert refs[1].name == "flask-cors"
    assert all(FILE[ref.start - 5 : ref.end - 5] == ref.raw for ref in refs)
    assert {ref.kind for ref in refs} == {RefKind.MANIFEST}
    assert not any(ref.flags for ref in refs)


@pytest.mark.parametrize("option", ["-i https://x.test", "--extra-index-url=https://x.test"])
def test_an_index_holds_for_the_whole_file(option: str) -> None:
    refs = list(RequirementsExtractor().find(f"a1\n{option}\nb1\n", 0))
    assert [ref.flags for ref in refs] == [{Flag.PRIVATE_INDEX}] * 2


def test_a_line_that_is_none_does_not_hide_the_others() -> None:
    text = "a1\nwhat is this\n=2\nb1"
    assert [ref.raw for ref in RequirementsExtractor().find(text, 0)] == ["a1", "b1"]


def test_lines_have_numbers_and_join_what_continues() -> None:
    lines = [(line.number, line.words.value) for line in requirement_lines("a1 \\\n>=1\n\n# x\nb1")]
    assert lines == [(1, "a1 >=1"), (5, "b1")]


@pytest.mark.parametrize(
    ("text", "named", "is_one"),
    [
        ("a1==1\nb1", False, True),
        ("-r x.txt\na1>=1 # c", False, True),
        ("a1\nb-1\nc_1", False, False),
        ("a1\nb1", True, True),
        ("pip install a1", True, False),
        ("a1==1\nrun it now", False, False),
        ("x = 1", True, False),
        ("", True, False),
        ("docs.zz-quux.dev", False, False),
        ("one@zz-quux.dev\ntwo@zz-quux.dev", False, False),
        ("- a1==1\n- b1", False, False),
        ("a1 @ https://files.example.test/a1.whl\nb1==1", False, True),
    ],
)
def test_what_looks_like_one(text: str, named: bool, is_one: bool) -> None:
    assert looks_like_requirements(text, named=named) is is_one
