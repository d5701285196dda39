"""Options and markers for the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--online`` runs the tests that ask a public registry about a few fixed names."""
    parser.addoption("--online", action="store_true", help="also ask the public registries")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this run was not asked for, or can't do, with the reason."""
    if config.getoption("--online"):
        return
    skip = pytest.mark.skip(reason="asks a public registry; run with --online")
    for item in items:
        if "online" in item.keywords:
            item.add_marker(skip)
