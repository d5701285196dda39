"""What the languages bring along."""

from __future__ import annotations

import sys

import pytest

from ghostbust.records import Ecosystem
from ghostbust.registries.names import is_builtin


@pytest.mark.parametrize(
    "name",
    ["os", "os.path", "concurrent.futures", "__future__", "_thread", "distutils", "imp", "asyncore",
     "tomllib", "annotationlib", "urllib2", "Tkinter", "ConfigParser", "unittest.mock"],
)  # fmt: skip
def test_python_builtins(name: str) -> None:
    assert is_builtin(Ecosystem.PYPI, name)


def test_canonical_spelling_of_a_module_is_builtin_too() -> None:
    assert is_builtin(Ecosystem.PYPI, "dummy-threading")
    assert is_builtin(Ecosystem.PYPI, "importlib")


@pytest.mark.parametrize("name", ["requests", "future", "main", "thread", "attr", "setuptools"])
def test_python_packages_are_not_builtin(name: str) -> None:
    assert not is_builtin(Ecosystem.PYPI, name)


def test_every_module_of_this_interpreter_is_builtin() -> None:
    assert all(is_builtin(Ecosystem.PYPI, name) for name in sys.stdlib_module_names)


@pytest.mark.parametrize(
    "name",
    ["fs", "fs/promises", "node:fs", "node:test", "worker_threads", "bun:test", "bun:sqlite",
     "deno:x", "cloudflare:workers"],
)  # fmt: skip
def test_node_builtins(name: str) -> None:
    assert is_builtin(Ecosystem.NPM, name)


@pytest.mark.parametrize(
    "name", ["test", "sqlite", "fs-extra", "@types/node", "lodash/fs", "os-x", "bun"]
)
def test_node_packages_are_not_builtin(name: str) -> None:
    assert not is_builtin(Ecosystem.NPM, name)
