"""Finds every place where an answer names a package.

``extract`` is the entry: it splits the answer into blocks, lets the back-ends for each block
read it, and adds the flags that need the whole answer. To add a language, write a back-end
(``interface.Extractor``), add it to ``EXTRACTORS``, and say in ``_readers`` which blocks it reads.
"""

from __future__ import annotations

from collections.abc import Iterator

from ghostbust.extractors.code_lines import plain_code, without_tracebacks
from ghostbust.extractors.import_names import distribution_of
from ghostbust.extractors.interface import Extractor, Language
from ghostbust.extractors.lists import ListExtractor
from ghostbust.extractors.markdown import Block, BlockKind, split
from ghostbust.extractors.marks import marked
from ghostbust.extractors.python_code import PythonExtractor, has_imports
from ghostbust.extractors.python_statements import parse
from ghostbust.extractors.shell import ProseExtractor, ShellExtractor
from ghostbust.extractors.stdlib import is_stdlib
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, PackageRef

__all__ = ["EXTRACTORS", "Extractor", "Language", "distribution_of", "extract", "is_stdlib"]

PYTHON, SHELL, PROSE = PythonExtractor(), ShellExtractor(), ProseExtractor()
LISTS = {ecosystem: ListExtractor(ecosystem) for ecosystem in Ecosystem}
EXTRACTORS: tuple[Extractor, ...] = (PYTHON, SHELL, PROSE, *LISTS.values())

_READERS: dict[Language, Extractor] = {Language.PYTHON: PYTHON, Language.SHELL: SHELL}
_PYTHON_INFOS = word_set("python py python3 py3 ipython ipython3 pycon jupyter sage")
_SHELL_INFOS = word_set(
    "bash sh shell zsh fish console shell-session terminal cmd bat batch powershell ps1 pwsh "
    "dockerfile docker yaml yml cli command"
)
_OPEN_INFOS = word_set(
    "text txt plaintext plain none code requirements list markdown md diff patch udiff"
)


def extract(
    text: str,
    *,
    language: Language = Language.AUTO,
    expect_list: bool = False,
    truncated: bool = False,
    prompt_text: str = "",
    ecosystem: Ecosystem = Ecosystem.PYPI,
) -> list[PackageRef]:
    """All package refs in ``text``, sorted by start, no span twice. Never raises.

    ``language`` says what code without a label is; with anything but AUTO a text without
    fences is code as a whole. ``expect_list``: the prompt asked for a list of names, so list
    items are refs, of ``ecosystem``. ``truncated``: the token limit ended the answer.
    ``prompt_text``: the prompt, to mark the names that it induced.
    """
    blocks = _blocks(text, language)
    by_span: dict[tuple[int, int], PackageRef] = {}
    for block in blocks:
        body = _body(text, block)
        for reader in _readers(block, body, language, LISTS[ecosystem] if expect_list else None):
            for ref in reader.find(body, block.start):
                by_span.setdefault((ref.start, ref.end), ref)
    refs = [by_span[span] for span in sorted(by_span)]
    return marked(refs, text, blocks, truncated=truncated, prompt=prompt_text)


def _blocks(text: str, language: Language) -> list[Block]:
    """The blocks of a text; one block of code where ``language`` says that it is code."""
    blocks = split(text)
    has_fence = any(block.kind is BlockKind.FENCE for block in blocks)
    is_code = language is not Language.AUTO and not has_fence
    if is_code or (language is Language.PYTHON and parse(text) is not None):
        return [Block(BlockKind.FENCE, 0, len(text))]
    # inline code goes first: its reading of a span is the better one
    return sorted(blocks, key=lambda block: (block.kind is BlockKind.PROSE, block.start))


def _body(text: str, block: Block) -> str:
    """What a block holds, as long as in the text, without what is no code of its own in it."""
    body = text[block.start : block.end]
    if block.kind is BlockKind.FENCE:
        return plain_code(body, block.info, block.quotes)
    return without_tracebacks(body)


def _readers(
    block: Block, body: str, language: Language, lists: ListExtractor | None
) -> Iterator[Extractor]:
    """The back-ends that read a block."""
    if block.kind is BlockKind.FENCE:
        label = _label(block.info)
        if lists and label not in _SHELL_INFOS and lists.is_bare_list(body):
            yield lists
        yield _READERS.get(_language_of(label, body, language), PROSE)
    elif block.kind is BlockKind.INLINE:
        yield SHELL
        if has_imports(body):
            yield PYTHON
    else:
        yield PROSE
        if has_imports(body):
            yield PYTHON
        if lists:
            yield lists


def _label(info: str) -> str:
    """The language label of an info string, in lower case; empty where it has none."""
    first = (info.strip("{} .").split() or [""])[0]
    return first.partition(":")[0].partition("{")[0].strip("{}.,").lower()


def _language_of(label: str, body: str, language: Language) -> Language:
    """Language of a fenced block by its label, or by its content where the label doesn't say.

    AUTO for another language: nothing but install commands in its comments is read.
    """
    if label in _PYTHON_INFOS or label.endswith(".py"):
        return Language.PYTHON
    if label in _SHELL_INFOS:
        return Language.SHELL
    if label and label not in _OPEN_INFOS:
        return Language.AUTO
    if language is not Language.AUTO:
        return language
    return Language.PYTHON if has_imports(body) else Language.SHELL
