"""What Python itself provides."""

from __future__ import annotations

import pytest

from ghostbust.extractors.python import is_stdlib


@pytest.mark.parametrize(
    "module",
    ["os", "os.path", "json", "asyncio.tasks", "distutils", "imp", "telnetlib", "cgi", "urllib2",
     "ConfigParser", "__future__", "__main__", "tomllib"],
)  # fmt: skip
def test_stdlib(module: str) -> None:
    assert is_stdlib(module)


@pytest.mark.parametrize("module", ["requests", "JSON", "yaml", "setuptools", "osx", ""])
def test_not_stdlib(module: str) -> None:
    assert not is_stdlib(module)
