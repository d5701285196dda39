"""Notebooks: cells, and where their text stands in the JSON."""

from __future__ import annotations

import json

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.markdown import cells, is_notebook

CODE = '!pip install "httpx[http2]" lxml\nimport numpy as np\nx = "é\\n😀"; import rich\n'
NOTEBOOK: dict[str, object] = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# T\n", "Run `pip install rich`"]},
        {
            "cell_type": "code", "execution_count": 1, "metadata": {}, "source": CODE,
            "outputs": [{"output_type": "stream", "text": ["pip install no"]}],
        },
        {"cell_type": "raw", "source": ["pip install no"]},
        {"source": ["%pip install pandas\n", "# !pip install no"], "cell_type": "code"},
    ],
    "metadata": {"kernelspec": {"language": "python", "name": "python3"}},
    "nbformat": 4,
}  # fmt: skip
NAMES = ["rich", "httpx", "lxml", "numpy", "rich", "pandas"]


@pytest.mark.parametrize(
    "text",
    [json.dumps(NOTEBOOK), json.dumps(NOTEBOOK, indent=1),
     json.dumps(NOTEBOOK, ensure_ascii=False, sort_keys=True)],
    ids=["escaped", "indented", "sorted"],
)  # fmt: skip
def test_refs_stand_in_the_json(text: str) -> None:
    refs = extract(text)
    assert [ref.raw for ref in refs] == NAMES
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


def test_the_text_of_cells_is_what_json_says() -> None:
    text = json.dumps(NOTEBOOK)
    read = [cell.source.value for cell in cells(text)]
    assert read[0] == "# T\nRun `pip install rich`"
    assert read[1] == CODE
    assert len(read) == 3


@pytest.mark.parametrize(
    ("kernel", "language"),
    [("python", Language.PYTHON), ("javascript", Language.JAVASCRIPT), ("R", Language.AUTO)],
)
def test_the_kernel_says_the_language(kernel: str, language: Language) -> None:
    text = json.dumps(
        {
            "cells": [{"cell_type": "code", "source": ["x"]}],
            "metadata": {"language_info": {"name": kernel}},
        }
    )
    assert [cell.language for cell in cells(text)] == [language]


def test_every_prefix_is_read() -> None:
    text = json.dumps(NOTEBOOK)
    for end in range(len(text)):
        for ref in extract(text[:end], filename="x.ipynb"):
            assert text[ref.start : ref.end] == ref.raw


def test_what_is_no_notebook() -> None:
    assert is_notebook(json.dumps(NOTEBOOK))
    assert not is_notebook('{"cells": 1}')
    assert not is_notebook('See "cell_type"')


@pytest.mark.parametrize("label", ["ipynb", "json", "", "notebook"])
def test_a_fenced_notebook_is_read_by_its_cells(label: str) -> None:
    text = f"Save this:\n\n```{label}\n{json.dumps(NOTEBOOK, indent=1)}\n```\nThen run it.\n"
    refs = extract(text)
    assert [ref.raw for ref in refs] == NAMES
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


@pytest.mark.parametrize(
    "label",
    ["ipynb", "jupyter", "jupyter-notebook", "jupyter notebook", "notebook", "colab",
     "{code-cell} ipython3", "analysis.ipynb", "python-notebook"],
)  # fmt: skip
def test_a_fence_labelled_as_a_notebook_is_python_with_magics(label: str) -> None:
    text = f"```{label}\n%pip install httpx\n!pip install rich\nimport numpy as np\n```\n"
    assert [ref.raw for ref in extract(text)] == ["httpx", "rich", "numpy"]


def test_a_notebook_file_that_is_no_json_is_python_with_magics() -> None:
    refs = extract("%pip install httpx\nimport numpy\n", filename="a.ipynb")
    assert [ref.raw for ref in refs] == ["httpx", "numpy"]
