"""pyproject.toml and Pipfile."""

from __future__ import annotations

import pytest

from ghostbust.extractors.pyproject import PyprojectExtractor, hidden_names, is_pyproject
from ghostbust.records import Flag, NamedIndex, PackageRef

FILE = """\
[project]
name = "Mine"
dependencies = [
  "a1>=2", # c1
  'b1[x]; python_version<"3"',
  "mine[dev]", "c1 @ https://files.example.test/a.whl",
]

[project.optional-dependencies]
dev = ["d1"]

[dependency-groups]
test = ["e1", {include-group = "dev"}]

[build-system]
requires = ["f1>=1"]

[tool.poetry.dependencies]
python = "^3"
g1 = "^2"
"h1" = {version = "4", optional = true}
i1 = {git = "https://git.example.test"}
j1 = {version = "1", source = "mine"}
k1.version = "1"

[tool.poetry.dependencies.l1]
version = "1"

[tool.poetry.group.dev.dependencies]
m1 = "*"

[tool.uv]
dev-dependencies = ["n1"]

[tool.uv.sources]
e1 = { path = "../x" }
n1 = { index = "x" }

[tool.hatch.envs.default]
dependencies = ["o1"]

[tool.ruff]
select = ["E"]
"""


def found(text: str) -> list[PackageRef]:
    refs = sorted(PyprojectExtractor().find(text, 3), key=lambda ref: ref.start)
    assert all(text[ref.start - 3 : ref.end - 3] == ref.raw for ref in refs)
    return refs


def test_a_file() -> None:
    refs = found(FILE)
    assert " ".join(ref.raw for ref in refs) == "a1 b1 d1 e1 f1 g1 h1 j1 k1 l1 m1 n1 o1"
    assert [ref.raw for ref in refs if ref.flags == {Flag.PRIVATE_INDEX}] == ["e1", "j1", "n1"]


def test_every_prefix_of_a_file_gives_what_is_there() -> None:
    whole = {(ref.start, ref.raw) for ref in found(FILE)}
    for end in range(len(FILE)):
        for ref in found(FILE[:end]):
            is_cut = Flag.TRUNCATED in ref.flags
            # what later lines say of a name can't be known yet
            assert (
                is_cut
                or (ref.start, ref.raw) in whole
                or ref.raw in ("e1", "i1", "mine", "c1", "m", "Mine_")
            )


@pytest.mark.parametrize(
    ("source", "is_private"),
    [
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"', True),
        ('[[tool.uv.index]]\nname = "x"\nexplicit = true', False),
        ('[[tool.poetry.source]]\nname = "x"\npriority = "explicit"', False),
        ('[[tool.poetry.source]]\nname = "x"', True),
        ('[[tool.poetry.source]]\nname = "PyPI"', False),
    ],
)
def test_another_index(source: str, is_private: bool) -> None:
    (ref,) = found(f'[project]\ndependencies = ["a1"]\n{source}\n')
    assert (Flag.PRIVATE_INDEX in ref.flags) is is_private


@pytest.mark.parametrize(
    ("source", "address", "replaces"),
    [
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"', "y", False),
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"\ndefault = true', "y", True),
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"\nexplicit = true\n[tool.uv.sources]\n'
         'a1 = {index = "x"}', "y", True),
        ('[tool.uv.sources]\na1 = {git = "y"}', "git y", True),
        ('[tool.poetry.dependencies]\nA_1 = "1"\na1 = {path = "y"}', "path y", True),
        ('[[tool.poetry.source]]\nname = "x"\nurl = "y"', "y", True),
        ('[[tool.poetry.source]]\nname = "x"\nurl = "y"\n[[tool.poetry.source]]\nname = "PyPI"',
         "y", False),
        ('[[tool.pdm.source]]\nname = "x"\nurl = "y"', "y", False),
    ],
)  # fmt: skip
def test_the_address_and_what_it_is_to_the_usual_one(
    source: str, address: str, replaces: bool
) -> None:
    ref = next(ref for ref in found(f'[project]\ndependencies = ["a1"]\n{source}\n'))
    assert ref.indexes == (NamedIndex(address, replaces),)


def test_pipfile() -> None:
    refs = found(
        '[[source]]\nname = "pypi"\nurl = "x"\n[packages]\na1 = "*"\nb1 = {index = "y"}\n'
        'c1 = {path = "."}\n[dev-packages]\nd1 = "*"\n[requires]\npython_version = "3"\n'
    )
    assert [(ref.raw, bool(ref.flags)) for ref in refs] == [
        ("a1", False), ("b1", True), ("d1", False),
    ]  # fmt: skip


def test_a_cut_off_name_says_so() -> None:
    (ref,) = found('[project]\ndependencies = ["req')
    assert ref.flags == {Flag.TRUNCATED}
    (ref,) = found('[project]\ndependencies = ["requests>=')
    assert not ref.flags
    (ref,) = found("[tool.poetry.dependencies]\nreq")
    assert ref.flags == {Flag.TRUNCATED}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (FILE, True),
        ('[build-system]\nrequires = ["a"]', True),
        ('[tool.poetry.dependencies]\na = "1"', True),
        ('[dependencies]\nserde = "1"', False),
        ("[options]\ninstall_requires = a", False),
        ("[a, b]\nc = 1", False),
    ],
)
def test_what_is_one(text: str, is_one: bool) -> None:
    assert is_pyproject(text) is is_one


def test_names_that_escapes_hide() -> None:
    text = r"""[project]
dependencies = ["re\u0071uests>=2", "plain", "tomli; python_version < \"3.11\""]
[tool.poetry.dependencies]
"h\u0074tpx" = "1"
rich = "1"
[tool.other]
x = "h\u0074tpx"
"""
    assert hidden_names(text) == ["requests>=2", "httpx"]
    assert hidden_names("") == []
