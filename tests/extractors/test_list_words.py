"""Words in and around lists."""

from __future__ import annotations

import pytest

from ghostbust.extractors.list_lines import (
    CATEGORIES,
    LABELS,
    NEVER,
    speaks_of_need,
    speaks_of_packages,
)


@pytest.mark.parametrize(
    "text",
    [
        "npm packages",
        "Benötigte Pakete",
        "los paquetes",
        "Bibliothèques utiles",
        "需要安装的库",
        "推荐的包",
    ],
)
def test_speaks_of_packages(text: str) -> None:
    assert speaks_of_packages(text)


@pytest.mark.parametrize("text", ["packing", "Vorteile", "Rebuilding", "", "123"])
def test_does_not(text: str) -> None:
    assert not speaks_of_packages(text)


@pytest.mark.parametrize(
    "text", ["You need", "Du brauchst", "Necesitas", "Il vous faut", "可以使用"]
)
def test_speaks_of_need(text: str) -> None:
    assert speaks_of_need(text)
    assert not speaks_of_need("It is fast")


def test_words_are_in_lower_case() -> None:
    assert all(word == word.lower() for word in CATEGORIES | LABELS | NEVER)
