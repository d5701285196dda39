"""Python and JavaScript under a shell's label."""

from __future__ import annotations

import pytest

from ghostbust.extractors.interface import Language
from ghostbust.extractors.labels import ImportLineExtractor, language_of_script


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("import httpx\nprint(httpx.get('x'))\n", Language.PYTHON),
        ("from rich import print", Language.PYTHON),
        ("const a = require('b');\na();\n", Language.JAVASCRIPT),
        ("import a from 'b'\na()\n", Language.JAVASCRIPT),
        ("pip install httpx\nimport httpx\n", Language.SHELL),
        ("import shot.png", Language.SHELL),
        ("import -window root shot.png\n", Language.SHELL),
        ("echo import x\n", Language.SHELL),
        ("cat > x.txt <<END\nimport x\nEND\n", Language.SHELL),
        ("ls", Language.SHELL),
        ("", Language.SHELL),
    ],
)
def test_language_of_script(body: str, language: Language) -> None:
    assert language_of_script(body) is language


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("pip install httpx\nimport httpx\n", ["httpx"]),
        ("$ python\nimport numpy as np\nfrom rich import print\n", ["numpy", "rich"]),
        ("npm i a\nimport b from 'b'\nconst c = require('c')\n", ["b", "c"]),
        ("from a1 import (\n    b,\n    c,\n)\npip install $x\n", ["a1"]),
        ("import shot.png\nls\n", []),
        ("t.py:3: in <module>\n    import httpx\nls -l\n", []),
        ("cat > x.txt <<EOF\nimport httpx\nEOF\n", []),
        ('python -c "\nimport httpx\n"\n', []),
        ("echo '\nimport httpx\n' > x\n", []),
        ("node -e '\nimport a from \"b\"\n'", []),
        ('ls -l\nimport "fmt"\n', []),
        ("pip install httpx", []),
        ("", []),
    ],
)
def test_lines_between_commands(body: str, names: list[str]) -> None:
    refs = list(ImportLineExtractor().find(body, 7))
    assert [ref.raw for ref in refs] == names
    assert all(body[ref.start - 7 : ref.end - 7] == ref.raw for ref in refs)


def test_many_imports_between_commands_end() -> None:
    body = "import a1\npip install $x (\n" * 5000
    assert len(list(ImportLineExtractor().find(body, 0))) == 5000
