"""setup.py and setup.cfg."""

from __future__ import annotations

import pytest

from ghostbust.extractors.requirements import SetupCfgExtractor, SetupPyExtractor, is_setup_cfg


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("setup(install_requires=['a1>=1', \"b1\"])", ["a1", "b1"]),
        ("setup(extras_require={'dev': ['a1'], \"x\": ['b1', 'c1']})", ["a1", "b1", "c1"]),
        ("setup(setup_requires=('a1',), tests_require=['b1'])", ["a1", "b1"]),
        ("install_requires = [\n  'a1',  # b1\n]", ["a1"]),
        ("setup(**{'install_requires': ['a1']})", ["a1"]),
        ("setup(install_requires=['a1', 'b", ["a1", "b"]),
        ("setup(install_requires=read('x.txt'))", []),
        ("setup(packages=['a1'])", []),
        ("# install_requires=['a1']", []),
    ],
)
def test_setup_py(code: str, names: list[str]) -> None:
    refs = list(SetupPyExtractor().find(code, 4))
    assert [ref.raw for ref in refs] == names
    assert all(code[ref.start - 4 : ref.end - 4] == ref.raw for ref in refs)


CFG = """\
[metadata]
name = mine
[options]
packages = find:
install_requires =
    a1>=2
    b1 ; python_version < "3"  # c
python_requires = >=3
[options.extras_require]
dev = c1
    d1
; e1
[tool:pytest]
addopts = -q
"""


def test_setup_cfg() -> None:
    refs = list(SetupCfgExtractor().find(CFG, 1))
    assert [ref.raw for ref in refs] == ["a1", "b1", "c1", "d1"]
    assert all(CFG[ref.start - 1 : ref.end - 1] == ref.raw for ref in refs)
    assert is_setup_cfg(CFG)
    assert not is_setup_cfg("[options]\npackages = find:\n")
