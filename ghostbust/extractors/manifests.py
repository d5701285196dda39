"""Which texts are dependency files, by name and by content, and who reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ghostbust.extractors.environment_file import EnvironmentExtractor, is_environment
from ghostbust.extractors.interface import Extractor
from ghostbust.extractors.lock_files import lock_of
from ghostbust.extractors.package_json import PackageJsonExtractor, is_package_json
from ghostbust.extractors.pyproject import PyprojectExtractor, is_pyproject
from ghostbust.extractors.requirement_lines import RequirementsExtractor, looks_like_requirements
from ghostbust.extractors.setup_files import SetupCfgExtractor, is_setup_cfg
from ghostbust.extractors.vocabulary import word_set

_REQUIREMENTS, _PYPROJECT = RequirementsExtractor(), PyprojectExtractor()
MANIFESTS: Mapping[str, Extractor] = MappingProxyType(
    {
        "requirements.txt": _REQUIREMENTS,
        "pyproject.toml": _PYPROJECT,
        "pipfile": _PYPROJECT,
        "package.json": PackageJsonExtractor(),
        "environment.yml": EnvironmentExtractor(),
        "setup.cfg": SetupCfgExtractor(),
    }
)
"""the readers of dependency files by label"""

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
    if name in ("pyproject.toml", "pipfile"):
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
    lines: Iterable[str] = body.splitlines()
    if label in ("yaml", "yml"):
        return "environment.yml" if is_environment(body) else ""
    if label and label not in _OPEN:
        return ""
    if body.lstrip().startswith(("{", '"')) and is_package_json(body):
        return "package.json"
    if any(line.startswith("[") for line in lines):
        if is_pyproject(body):
            return "pyproject.toml"
        if is_setup_cfg(body):
            return "setup.cfg"
    if is_environment(body):
        return "environment.yml"
    return "requirements.txt" if looks_like_requirements(body, named=False) else ""
