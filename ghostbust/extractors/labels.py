"""Which language the label of a fenced block calls for, and what a block without one is."""

from __future__ import annotations

from ghostbust.extractors.interface import Language
from ghostbust.extractors.javascript_code import has_javascript_imports, is_javascript
from ghostbust.extractors.manifests import label_of_file
from ghostbust.extractors.mislabelled import language_of_script
from ghostbust.extractors.python_code import has_imports
from ghostbust.extractors.script_header import has_header
from ghostbust.extractors.vocabulary import word_set

_PYTHON_LABELS = word_set(
    "py py3 pycon pyrepl doctest ipynb notebook colab google-colab kaggle databricks marimo "
    "code-cell sage sagemath pyspark"
)
_PYTHON_PREFIXES = ("python", "ipython", "jupyter")
JAVASCRIPT_LABELS = word_set(
    "javascript js jsx mjs cjs es6 esm ecmascript javascriptreact node nodejs node.js typescript "
    "ts tsx mts cts typescriptreact react react-native deno bun vue svelte astro html mdx"
)
_JAVASCRIPT_FILES = (
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte", ".astro",
    ".html", ".mdx",
)  # fmt: skip
YAML_LABELS = word_set("yaml yml")
TERMINAL_LABELS = word_set(
    "bash sh shell zsh fish console shell-session terminal cmd bat batch powershell ps1 pwsh cli "
    "command"
)
SHELL_LABELS = TERMINAL_LABELS | YAML_LABELS | word_set("dockerfile docker makefile make")
OPEN_LABELS = word_set(
    "text txt plaintext plain none code requirements list markdown md diff patch udiff"
)


def label_of(info: str) -> str:
    """The language label of an info string, in lower case; empty where it has none."""
    first = (info.strip("{} .").split() or [""])[0]
    label = first.partition(":")[0].partition("{")[0].strip("{}.,").lower()
    return label_of_file(label) or label


def is_python(label: str) -> bool:
    """True for the label of a fence that holds Python, a session or a notebook's cell."""
    return label in _PYTHON_LABELS or label.endswith(".py") or label.startswith(_PYTHON_PREFIXES)


def language_of(label: str, body: str, language: Language) -> Language:
    """Language of a fenced block by its label, or by its content where the label doesn't say.

    AUTO for another language: nothing but install commands in its comments is read.
    """
    if is_python(label):
        return Language.PYTHON
    if label in JAVASCRIPT_LABELS or label.endswith(_JAVASCRIPT_FILES):
        return Language.JAVASCRIPT
    if label in SHELL_LABELS:
        return language_of_script(body) if label in TERMINAL_LABELS else Language.SHELL
    if label and label not in OPEN_LABELS:
        return Language.AUTO
    if language is not Language.AUTO:
        return language
    if has_imports(body) or has_header(body):
        return Language.PYTHON
    if has_javascript_imports(body) or is_javascript(body):
        return Language.JAVASCRIPT
    return Language.SHELL
