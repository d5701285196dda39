"""docs/reference/api.md says what is offered, with its parameters, and its examples run."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

import pytest

import ghostbust

TEXT = (Path(__file__).parents[1] / "docs" / "reference" / "api.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## `ghostbust\.([^`]+)`\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))
OFFERED = [name for name in ghostbust.__all__ if name != "__version__"]


def test_every_function_has_a_section_and_every_section_a_function() -> None:
    assert set(SECTIONS) == set(OFFERED)


@pytest.mark.parametrize("name", OFFERED)
def test_the_signature_is_the_functions(name: str) -> None:
    parameters = inspect.signature(getattr(ghostbust, name)).parameters.values()
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    told = f"{name}{inspect.Signature(bare)}"
    told = re.sub(r"<(Language\.\w+): [^>]*>", r"\1", told)
    assert f"`{told}`" in SECTIONS[name]


@pytest.mark.parametrize("name", OFFERED)
def test_every_parameter_stands_in_the_table(name: str) -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", SECTIONS[name], re.M)
    told = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    assert told == list(inspect.signature(getattr(ghostbust, name)).parameters)


def test_its_examples_are_what_python_prints(talking_model_dir: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^\n```$", TEXT, re.M | re.S)
    assert len(blocks) == len(OFFERED) + 1
    names = {"MODEL": str(talking_model_dir), "HOME": tmp_path / "home"}
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), names, "api.md", "api.md", 0)
    said: list[str] = []
    found = doctest.DocTestRunner().run(example, out=said.append)
    assert found.attempted > 15
    assert not found.failed, "".join(said)
