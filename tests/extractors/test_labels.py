"""Labels of fences, and what they call for."""

from __future__ import annotations

import pytest

from ghostbust.extractors.interface import Language
from ghostbust.extractors.labels import is_python, label_of, language_of


@pytest.mark.parametrize(
    ("info", "label"),
    [
        ("python", "python"),
        ("Python title=x", "python"),
        ("{.python .numberLines}", "python"),
        ("ts:src/a.ts", "ts"),
        ("app.py", "python"),
        ("requirements.txt", "requirements.txt"),
        ("Dockerfile", "dockerfile"),
        ("", ""),
    ],
)
def test_label_of(info: str, label: str) -> None:
    assert label_of(info) == label


@pytest.mark.parametrize("label", ["py", "python3", "ipynb", "jupyter-notebook", "a.py"])
def test_is_python(label: str) -> None:
    assert is_python(label)
    assert not is_python("rust")


@pytest.mark.parametrize(
    ("label", "body", "language"),
    [
        ("python", "", Language.PYTHON),
        ("tsx", "", Language.JAVASCRIPT),
        ("app.vue", "", Language.JAVASCRIPT),
        ("bash", "ls", Language.SHELL),
        ("bash", "import httpx", Language.PYTHON),
        ("yaml", "import httpx", Language.SHELL),
        ("dockerfile", "import httpx", Language.SHELL),
        ("rust", "import httpx", Language.AUTO),
        ("text", "import httpx", Language.PYTHON),
        ("", "import a from 'b'", Language.JAVASCRIPT),
        ("", "pip install httpx", Language.SHELL),
    ],
)
def test_language_of(label: str, body: str, language: Language) -> None:
    assert language_of(label, body, Language.AUTO) is language


def test_the_language_asked_for_decides_where_no_label_does() -> None:
    assert language_of("", "ls", Language.PYTHON) is Language.PYTHON
    assert language_of("rust", "ls", Language.PYTHON) is Language.AUTO
