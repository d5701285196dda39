"""The column of package names in a table."""

from __future__ import annotations

import pytest

from ghostbust.extractors.list_lines import name_cells


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("| Package | Use |\n|---|---|\n| a | x |\n| b | y |", [" a ", " b "]),
        ("| # | **Library** |\n| :- | -: |\n| 1 | a |\n", [" a "]),
        ("| Distribution | Use |\n|---|---|\n| a | x |", [" a "]),
        ("| Use | Requirement |\n|---|---|\n| x | a |", [" a "]),
        ("|Name|Package|\n|-|-|\n|a|b|", ["a"]),
        ("| Package | Use |\n|---|---|\n| a | x", [" a "]),
        ("| Package |\n|---|\n| a |\n\n| b |", [" a "]),
        ("| Package |\n|---|\n| a |\n\n| Step |\n|---|\n| b |", [" a "]),
        ("| Package |\n| a |", []),
        ("| Step | Do |\n|---|---|\n| a | b |", []),
        ("| # | Package |\n|---|---|\n| 1 |", []),
        ("Package\n---\na", []),
        ("|\n|-\n|", []),
        ("", []),
    ],
)
def test_name_cells(text: str, cells: list[str]) -> None:
    assert [text[start:end] for start, end in name_cells(text)] == cells
