"""What a block or a file holds, by its label, name and content."""

from __future__ import annotations

import pytest

from ghostbust.extractors.interface import Language
from ghostbust.extractors.labels import (
    is_python,
    label_of,
    label_of_file,
    language_of,
    manifest_of,
)
from ghostbust.extractors.manifests import MANIFESTS


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
        ("rust", "import httpx", Language.RUST),
        ("text", "import httpx", Language.PYTHON),
        ("", "import a from 'b'", Language.JAVASCRIPT),
        ("", "pip install httpx", Language.SHELL),
    ],
)
def test_language_of(label: str, body: str, language: Language) -> None:
    assert language_of(label, body, Language.AUTO) is language


def test_the_language_asked_for_decides_where_no_label_does() -> None:
    assert language_of("", "ls", Language.PYTHON) is Language.PYTHON
    assert language_of("go", "ls", Language.PYTHON) is Language.AUTO


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
def test_code_under_the_label_of_a_shell(body: str, language: Language) -> None:
    assert language_of("bash", body, Language.AUTO) is language


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("requirements.txt", "requirements.txt"),
        ("a/requirements-dev.txt", "requirements.txt"),
        ("dev_requirements.txt", "requirements.txt"),
        ("requirements/base.txt", "requirements.txt"),
        ("requirements.in", "requirements.txt"),
        ("constraints.txt", "requirements.txt"),
        ("answer.txt", ""),
        ("answer.md", ""),
        ("PyProject.toml", "pyproject.toml"),
        ("Cargo.toml", "cargo.toml"),
        ("Pipfile", "pipfile"),
        ("C:\\x\\package.json", "package.json"),
        ("environment.yaml", "environment.yml"),
        ("ci.yml", "yaml"),
        ("Dockerfile.dev", "dockerfile"),
        ("Makefile", "makefile"),
        ("setup.py", "python"),
        ("run.sh", "sh"),
        ("app.tsx", "tsx"),
        ("nb.ipynb", "ipynb"),
        ("", ""),
        ("-", ""),
        (".env", ""),
    ],
)
def test_label_of_file(path: str, label: str) -> None:
    assert label_of_file(path) == label


def test_every_key_is_its_own_label() -> None:
    assert all(label_of_file(key) == key for key in MANIFESTS)


@pytest.mark.parametrize(
    ("label", "info", "before", "body", "kind"),
    [
        ("toml", "toml", "", "x = 1", "pyproject.toml"),
        ("toml", 'toml title="pyproject.toml"', "", "", "pyproject.toml"),
        ("toml", "toml Cargo.toml", "", "", "cargo.toml"),
        ("json", "json", "", "{}", "package.json"),
        ("json", "json composer.json", "", "{}", ""),
        ("requirements.txt", "requirements.txt", "", "a", "requirements.txt"),
        ("python", "python", "", "# requirements.txt\na", "requirements.txt"),
        ("", "", "Create `requirements.txt`:", "a\nb", "requirements.txt"),
        ("txt", "txt", "**requirements.txt**", "a\nb", "requirements.txt"),
        ("", "", "Use requirements.txt or pyproject.toml:", "a\nb", ""),
        ("", "", "Install requirements.txt:", "pip install -r requirements.txt", ""),
        ("bash", "bash", "requirements.txt", "pip install a", ""),
        ("", "", "", "a==1", "requirements.txt"),
        ("", "", "", "a\nb", ""),
        ("", "", "", '{"dependencies": {"a": "1"}}', "package.json"),
        ("", "", "", "[project]\ndependencies = ['a']", "pyproject.toml"),
        ("yaml", "yaml", "", "channels:\ndependencies:\n- a", "environment.yml"),
        ("yaml", "yaml", "", "on: push", ""),
        ("python", "python", "", "import a", ""),
    ],
)
def test_manifest_of(label: str, info: str, before: str, body: str, kind: str) -> None:
    assert manifest_of(label, info, before, body, by_content=True) == kind


def test_content_counts_only_if_asked_for() -> None:
    assert manifest_of("", "", "", "a==1", by_content=False) == ""
