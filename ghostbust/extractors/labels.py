"""What a block of code holds, by its label, by the name of its file, or by what it looks like."""

from __future__ import annotations

from collections.abc import Iterator

from ghostbust.extractors.interface import Language, word_set
from ghostbust.extractors.javascript import (
    has_javascript_imports,
    is_javascript,
    javascript_line_refs,
)
from ghostbust.extractors.locks import lock_of
from ghostbust.extractors.manifests import (
    MANIFESTS,
    has_header,
    is_cargo,
    is_environment,
    is_package_json,
    is_pyproject,
    is_setup_cfg,
    looks_like_requirements,
)
from ghostbust.extractors.python import has_imports, parse, python_line_refs
from ghostbust.extractors.rust import has_rust_imports
from ghostbust.records import PackageRef

_PYTHON_LABELS = word_set(
    "py py3 pycon pyrepl doctest ipynb notebook colab google-colab kaggle databricks marimo "
    "code-cell sage sagemath pyspark"
)
_PYTHON_PREFIXES = ("python", "ipython", "jupyter")
RUST_LABELS = word_set("rust rs")
JAVASCRIPT_LABELS = word_set(
    "javascript js jsx mjs cjs es6 esm ecmascript javascriptreact node nodejs node.js typescript "
    "ts tsx mts cts typescriptreact react react-native deno bun vue svelte astro html mdx"
)
_JAVASCRIPT_FILES = (
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte", ".astro",
    ".html", ".mdx",
)  # fmt: skip
ENDINGS = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte")
"""of files that an import may name without them"""
YAML_LABELS = word_set("yaml yml")
TERMINAL_LABELS = word_set(
    "bash sh shell zsh fish console shell-session terminal cmd bat batch powershell ps1 pwsh cli "
    "command"
)
SHELL_LABELS = TERMINAL_LABELS | YAML_LABELS | word_set("dockerfile docker makefile make")
OPEN_LABELS = word_set(
    "text txt plaintext plain none code requirements list markdown md diff patch udiff"
)
_DOCUMENT = "<<"
"""a here-document; ``cat > x.txt <<END`` and its lines may be valid Python"""
_QUOTING = (_DOCUMENT, "echo ", "printf ", '-c "', "-c '", '-e "', "-e '")
"""what stands in front of code that a script writes or passes on, which isn't its own"""


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
    if label in RUST_LABELS or label.endswith(".rs"):
        return Language.RUST
    if label in TERMINAL_LABELS:  # models often label code so
        if has_imports(body) and _DOCUMENT not in body and parse(body) is not None:
            return Language.PYTHON
        return Language.JAVASCRIPT if is_javascript(body) else Language.SHELL
    if label in SHELL_LABELS:
        return Language.SHELL
    if label and label not in OPEN_LABELS:
        return Language.AUTO
    if language is not Language.AUTO:
        return language
    if has_imports(body) or has_header(body):
        return Language.PYTHON
    if has_javascript_imports(body) or is_javascript(body):
        return Language.JAVASCRIPT
    return Language.RUST if has_rust_imports(body) else Language.SHELL


def import_line_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT refs of lines between the commands of a shell script that are plainly imports.

    None where the script has code in a here-document or between quotes.
    """
    if any(mark in text for mark in _QUOTING):
        return
    yield from python_line_refs(text, offset)
    if has_javascript_imports(text):
        yield from javascript_line_refs(text, offset)


# Dependency files

_AROUND = "`*_\"'()[]{}<>,;:#=.!?"
_LABELS = {
    "toml": "pyproject.toml", "json": "package.json", "jsonc": "package.json",
    "json5": "package.json", "ini": "setup.cfg", "cfg": "setup.cfg", "pip-requirements":
    "requirements.txt", "requirements": "requirements.txt", "requirements.in": "requirements.txt",
}  # fmt: skip
_EXTENSIONS = {
    "py": "python", "pyw": "python", "pyi": "python", "yml": "yaml", "md": "", "markdown": "",
    "rst": "", "txt": "", "in": "", "mk": "makefile", "log": "", "html": "html",
}  # fmt: skip
_OPEN = word_set("text txt plaintext plain none code requirements")
_CODE = word_set("bash sh shell zsh fish console shell-session terminal cmd bat powershell ps1")


def label_of_file(path: str) -> str:
    """The label that a file's name calls for: a key of ``MANIFESTS`` or ``LOCKS``, or a language.

    Empty where the name doesn't say what the file holds.
    """
    if lock := lock_of(path):
        return lock
    folder, _, name = path.replace("\\", "/").lower().rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if extension in ("txt", "in") and dot and stem:
        is_one = stem.replace("_", "-").split("-")[0] in ("requirements", "constraints")
        is_one |= stem.endswith(("requirements", "constraints"))
        if is_one or folder.rpartition("/")[2] in ("requirements", "constraints"):
            return "requirements.txt"
    if name in MANIFESTS:
        return name
    if extension in ("yml", "yaml") and stem in ("environment", "conda", "env", "environment-dev"):
        return "environment.yml"
    if name.startswith(("dockerfile", "containerfile")) or extension == "dockerfile":
        return "dockerfile"
    if name in ("makefile", "gnumakefile"):
        return "makefile"
    return _EXTENSIONS.get(extension, extension) if dot and stem else ""


def manifest_of(label: str, info: str, before: str, body: str, *, by_content: bool) -> str:
    """The key in ``MANIFESTS`` of a fenced block; empty where it is no dependency file.

    ``label``: what the info string calls its language; ``info``: all of it; ``before``: the
    line in front of the fence; ``body``: what is fenced. A name in the info string or in a
    comment on the first line decides, then one in the line before, then the label, and if
    ``by_content`` what the block looks like.
    """
    if label in _CODE:
        return ""
    first = body.lstrip("\ufeff\r\n ").partition("\n")[0][:200]
    for words in (info.replace(":", " ").replace("=", " "), first if _is_comment(first) else ""):
        names = _named(words)
        if names:
            return names[-1]
    if files := [word for word in info.split() if "." in word and label_of_file(word)]:
        return _LABELS.get(label_of_file(files[-1]), "") if label != "json" else ""
    names = _named(before)
    if len(set(names)) == 1 and _fits(names[0], label, body):
        return names[0]
    if label == "toml" and is_cargo(body):
        return "cargo.toml"
    if label in _LABELS:
        return _LABELS[label]
    return _by_content(label, body) if by_content else ""


def _is_comment(line: str) -> bool:
    """True for a comment that holds a word or two, such as a file's name."""
    return line.startswith(("#", "//", "/*")) and len(line.split()) <= 3


def _named(text: str) -> list[str]:
    """The dependency files that words of a line name."""
    labels = (label_of_file(word.strip(_AROUND)) for word in text.split())
    return [label for label in labels if label in MANIFESTS]


def _fits(name: str, label: str, body: str) -> bool:
    """True where a block with such a label can be the file that the line before it names."""
    if name == "requirements.txt":
        return label in _OPEN | {""} and looks_like_requirements(body, named=True)
    if name in ("pyproject.toml", "pipfile", "cargo.toml"):
        return label in ("", "toml") and body.lstrip().startswith(("[", "#"))
    allowed = {
        "package.json": word_set("json jsonc json5 javascript js"),
        "environment.yml": word_set("yaml yml"),
        "setup.cfg": word_set("ini cfg"),
    }
    is_command = body.lstrip().startswith(("npm ", "pip ", "$ "))
    return label in allowed[name] | _OPEN | {""} and not is_command


def _by_content(label: str, body: str) -> str:
    """The kind of file that a text without a name looks like."""
    if label in ("yaml", "yml"):
        return "environment.yml" if is_environment(body) else ""
    if label and label not in _OPEN:
        return ""
    if body.lstrip().startswith(("{", '"')) and is_package_json(body):
        return "package.json"
    if any(line.startswith("[") for line in body.splitlines()):
        if is_cargo(body):
            return "cargo.toml"
        if is_pyproject(body):
            return "pyproject.toml"
        if is_setup_cfg(body):
            return "setup.cfg"
    if is_environment(body):
        return "environment.yml"
    return "requirements.txt" if looks_like_requirements(body, named=False) else ""
