"""Which file or block is a dependency file."""

from __future__ import annotations

import random

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.labels import MANIFESTS, label_of_file, manifest_of
from ghostbust.records import PackageRef, RefKind


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
        ("Cargo.toml", "toml"),
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
        ("toml", "toml Cargo.toml", "", "", "pyproject.toml"),
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


def found(text: str, filename: str = "") -> list[PackageRef]:
    refs = extract(text, filename=filename)
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)
    return refs


SAMPLES = [
    "Make `requirements.txt`:\n\n```\na1\nb1>=2\n```\n\n```\npip install c1\n```\n",
    "```toml\n[project]\ndependencies = ['a1', \"b1\"] # x\n```\nthen `pip install c1`.",
    '```json\n{"dependencies": {"a1": "^1", "b1": "npm:c1@2"}, "scripts": {"s": "npx d1"}}\n```',
    "```bash\ncat > requirements.txt <<'EOF'\na1\nb1\nEOF\npython - <<EOF\nimport rich\nEOF\n```",
    '```dockerfile\nFROM x\nRUN pip install a1 \\\n # c\n  b1\nCMD ["npx", "c1"]\n```',
    "```yaml\nsteps:\n  - run: |\n      pip install a1 b1\n  - run: npx c1\n```",
    "```python\n# /// script\n# dependencies = ['a1']\n# ///\nimport b1\n"
    "setup(install_requires=['c1'])",
    "```console\n$ pip install a1\nSuccessfully installed x-1\n(venv) $ npm i @b/c\n```",
    "PS C:\\> uv add 'a1>=2' --group dev; conda install c::b1\n",
]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (SAMPLES[0], "a1 b1 c1"),
        (SAMPLES[1], "a1 b1 c1"),
        (SAMPLES[2], "a1 c1 d1"),
        (SAMPLES[3], "a1 b1 rich"),
        (SAMPLES[4], "a1 b1 c1"),
        (SAMPLES[5], "a1 b1 c1"),
        (SAMPLES[6], "a1 b1 c1"),
        (SAMPLES[7], "a1 @b/c"),
        (SAMPLES[8], "a1 b1"),
    ],
)
def test_answers(text: str, names: str) -> None:
    assert " ".join(ref.raw for ref in found(text)) == names


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_every_prefix_is_read(sample: str) -> None:
    for end in range(len(sample)):
        found(sample[:end])


@pytest.mark.parametrize("label", [*MANIFESTS, "python", "dockerfile", "ipynb"])
def test_random_text_breaks_no_reader(label: str) -> None:
    rng = random.Random(label)
    marks = ["[", "]", "{", "}", '"', "'", '"""', "\\", "\n", "=", ":", ",", "#", "- ", " ", "a1",
             "dependencies", "[project]\n", '"dependencies": ', "\\u00", "<<E\n", "\r", "\ud800",
             "\u2028", "npm:", "@", "-r ", "pip:", "é😀"]  # fmt: skip
    for _ in range(150):
        text = "".join(rng.choices(marks, k=rng.randrange(40)))
        found(text, filename=f"x.{label}" if "." not in label else label)
        extract(text, language=rng.choice(list(Language)))


@pytest.mark.parametrize(
    ("filename", "text"),
    [
        ("package.json", '{"dependencies": {' + '"a1": "1", ' * 9_000),
        ("package.json", '{"a":' * 20_000),
        ("pyproject.toml", "[project]\ndependencies = [" + "'a1', " * 16_000),
        ("pyproject.toml", "a." * 50_000),
        ("pyproject.toml", 'x = """\\' * 12_000),
        ("requirements.txt", "a1==" + "1" * 100_000),
        ("requirements.txt", "a1 \\\n" * 15_000),
        ("x.ipynb", '{"cells": [{"cell_type": "code", "source": ["' + "import a1\\n" * 9_000),
        ("x.sh", "cat <<E1 " * 11_000),
        ("x.sh", 'pip ["' * 16_000),
        ("x.sh", "pip install \\ x" * 7_000),
        ("x.py", "install_requires=[" * 5_000),
    ],
)
def test_long_lines_end(filename: str, text: str) -> None:
    assert all(ref.kind in RefKind for ref in found(text, filename))
