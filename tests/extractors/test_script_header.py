"""PEP 723 headers."""

from __future__ import annotations

import pytest

from ghostbust.extractors.pyproject import ScriptHeaderExtractor, has_header
from ghostbust.records import Flag

SCRIPT = """\
#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "httpx<1",
#   'rich',
# ]
# ///
# dependencies = ["no"]
import httpx
"""


def test_a_script() -> None:
    refs = list(ScriptHeaderExtractor().find(SCRIPT, 6))
    assert [ref.raw for ref in refs] == ["httpx", "rich"]
    assert all(SCRIPT[ref.start - 6 : ref.end - 6] == ref.raw for ref in refs)
    assert has_header(SCRIPT)


@pytest.mark.parametrize(
    "text", ["", '# dependencies = ["a1"]', '# /// other\n# dependencies = ["a1"]\n# ///']
)
def test_what_is_none(text: str) -> None:
    assert list(ScriptHeaderExtractor().find(text, 0)) == []
    assert not has_header(text)


def test_a_header_that_nothing_closes_ends_with_its_comment() -> None:
    text = '# /// script\n# dependencies = ["a1"]\n\ndependencies = ["b1"]\n'
    assert [ref.raw for ref in ScriptHeaderExtractor().find(text, 0)] == ["a1"]


def test_every_prefix_is_read() -> None:
    for end in range(len(SCRIPT)):
        for ref in ScriptHeaderExtractor().find(SCRIPT[:end], 0):
            assert SCRIPT[ref.start : ref.end] == ref.raw
            assert ref.raw in ("httpx", "rich") or Flag.TRUNCATED in ref.flags
