"""Finds every place where an answer names a package.

`examine` is the entry: it splits the answer into blocks, lets the readers for each block read it,
adds the flags that need the whole answer, and says what took too much to be read. `extract` returns
its refs alone. To add a language, write a reader (``interface.Extractor``), add it to
``EXTRACTORS``, and say in ``_readers`` which blocks it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from ghostbust.errors import UsageError
from ghostbust.extractors.interface import (
    Extractor,
    Language,
    Placed,
    Unread,
    give_up,
    moved,
    noted,
)
from ghostbust.extractors.javascript import (
    does_more_than_load,
    has_javascript_imports,
    is_javascript,
    javascript_line_refs,
    javascript_refs,
)
from ghostbust.extractors.labels import (
    JAVASCRIPT_LABELS,
    OPEN_LABELS,
    RUST_LABELS,
    SHELL_LABELS,
    TERMINAL_LABELS,
    YAML_LABELS,
    import_line_refs,
    is_python,
    label_of,
    label_of_file,
    language_of,
    manifest_of,
)
from ghostbust.extractors.lists import ListExtractor, listed_ecosystem
from ghostbust.extractors.locks import LOCKS
from ghostbust.extractors.manifests import (
    MANIFESTS,
    has_header,
    script_header_refs,
    setup_py_refs,
)
from ghostbust.extractors.markdown import (
    Block,
    BlockKind,
    cells,
    entered,
    folded,
    is_notebook,
    line_before,
    plain_code,
    split,
    unescaped,
    with_diffs_split,
    without_tracebacks,
)
from ghostbust.extractors.marks import marked
from ghostbust.extractors.names import is_placeholder
from ghostbust.extractors.python import has_imports, parse, python_refs
from ghostbust.extractors.rust import rust_refs
from ghostbust.extractors.shell import command_list_refs, prose_refs, shell_refs
from ghostbust.plugins import blame, load_plugin, plugin_names
from ghostbust.records import Ecosystem, PackageRef, RefKind


def _document_readers(name: str) -> Iterator[Extractor]:
    """The readers for a here-document, by the file or program that takes it."""
    label = label_of_file(name) or name
    if label in MANIFESTS:
        yield MANIFESTS[label]
    elif label.startswith("python"):
        yield from _PYTHON
    elif label in JAVASCRIPT_LABELS:
        yield javascript_refs
    elif label in RUST_LABELS:
        yield rust_refs
    elif label in SHELL_LABELS:
        yield _SHELL


_PYTHON: tuple[Extractor, ...] = (python_refs, script_header_refs, setup_py_refs)
_SHELL: Extractor = partial(shell_refs, readers_of=_document_readers)
_COMMANDS: tuple[Extractor, ...] = (prose_refs, command_list_refs)
"""of text in any language: scripts in a manifest, comments in code that isn't read otherwise"""
_READERS: dict[Language, tuple[Extractor, ...]] = {
    Language.PYTHON: _PYTHON,
    Language.JAVASCRIPT: (javascript_refs,),
    Language.SHELL: (_SHELL,),
    Language.RUST: (rust_refs,),
}
_LISTS = {ecosystem: ListExtractor(ecosystem) for ecosystem in Ecosystem}
EXTRACTORS: tuple[Extractor, ...] = (
    *_PYTHON, *_COMMANDS, _SHELL, rust_refs, javascript_refs, javascript_line_refs,
    import_line_refs,
    *dict.fromkeys(MANIFESTS.values()), *(lock.refs for lock in dict.fromkeys(LOCKS.values())),
    *(lists.refs for lists in _LISTS.values()),
)  # fmt: skip
"""all readers"""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a text names, and which parts of it were not read."""

    refs: list[PackageRef] = field(default_factory=list)
    """sorted by start, no span twice"""
    unread: list[Unread] = field(default_factory=list)
    """the blocks in which a parser gave up, sorted by start: what they name may be missing"""


def extract(
    text: str,
    *,
    language: Language = Language.AUTO,
    expect_list: bool = False,
    truncated: bool = False,
    prompt_text: str = "",
    ecosystem: Ecosystem | None = None,
    filename: str = "",
) -> list[PackageRef]:
    """The refs that `examine` finds, for callers that don't ask what it couldn't read."""
    return examine(
        text,
        language=language,
        expect_list=expect_list,
        truncated=truncated,
        prompt_text=prompt_text,
        ecosystem=ecosystem,
        filename=filename,
    ).refs


def examine(
    text: str,
    *,
    language: Language = Language.AUTO,
    expect_list: bool = False,
    truncated: bool = False,
    prompt_text: str = "",
    ecosystem: Ecosystem | None = None,
    filename: str = "",
) -> Extraction:
    """All package refs in ``text`` and what of it wasn't read. Never raises; linear in length.

    A placeholder (``foo``) is no ref, unless all of ``text`` is a dependency file: what stands
    there is installed, whatever its name. Entities of HTML in a text that was escaped (``&gt;=``)
    count as the characters they stand for.

    - ``language``: of code without a label; with anything but AUTO a text without fences is code as
      a whole.
    - ``expect_list``: the prompt asked for a list of names, so list items are refs, of
      ``ecosystem``; where that is None, of npm if the code is JavaScript or the list shows it
      (`listed_ecosystem`), else of PyPI.
    - ``truncated``: the token limit ended the answer.
    - ``prompt_text``: the prompt, to mark the names that it induced.
    - ``filename``: of the file that ``text`` is; it decides how to read it if ``language`` is AUTO.
    """
    is_dependencies = label_of_file(filename) in (*MANIFESTS, *LOCKS)
    if is_notebook(text) and language is Language.AUTO and not is_dependencies:
        return _of_notebook(text, prompt_text)
    source = unescaped(text)
    text = source.value if source else text
    with noted() as reasons:
        blocks = _blocks(text, language, filename, expect_list=expect_list)
    unread = [Unread(0, len(text), reason) for reason in reasons]
    blocks = with_diffs_split(text, blocks)
    lists = _lists(text, language, ecosystem) if expect_list else None
    by_span: dict[tuple[int, int], PackageRef] = {}
    is_file = [(b.kind, b.start, b.end) for b in blocks] == [(BlockKind.FENCE, 0, len(text))]
    for block in blocks:
        found = _examined(text, block, language, lists)
        unread += found.unread
        for ref in found.refs:
            if is_file or ref.kind is not RefKind.MANIFEST or not is_placeholder(ref.raw):
                by_span.setdefault((ref.start, ref.end), ref)
    refs = [by_span[span] for span in sorted(by_span)]
    refs = marked(refs, text, blocks, truncated=truncated, prompt=prompt_text)
    found = Extraction(refs, sorted(set(unread), key=lambda part: (part.start, part.reason)))
    return _placed_back(found, source) if source else found


def _lists(text: str, language: Language, ecosystem: Ecosystem | None) -> ListExtractor:
    """The reader of lists for the registry that the prompt asked for, or that the text shows."""
    if ecosystem is None and language is Language.AUTO:
        ecosystem = listed_ecosystem(text)
    elif ecosystem is None:
        ecosystem = Ecosystem.NPM if language is Language.JAVASCRIPT else Ecosystem.PYPI
    return _LISTS[ecosystem]


def _examined(
    text: str, block: Block, language: Language, lists: ListExtractor | None
) -> Extraction:
    """What one block holds, the best reading of a span first, without the flags of ``marked``."""
    body = _body(text, block)
    if block.kind is BlockKind.FENCE and is_notebook(body):
        found = _of_notebook(body, "")
        start = block.start
        return Extraction(
            [moved(ref, start) for ref in found.refs],
            [replace(one, start=one.start + start, end=one.end + start) for one in found.unread],
        )
    refs: list[PackageRef] = []
    with noted() as reasons:
        session = _session(block, body)
        for reader in _PYTHON if session else ():
            refs += reader(session, block.start)
        for reader in _readers(block, body, language, lists, line_before(text, block)):
            refs += reader(body, block.start)
    return Extraction(refs, [Unread(block.start, block.end, reason) for reason in reasons])


def _of_notebook(text: str, prompt_text: str) -> Extraction:
    """What a notebook's cells hold, with spans in its JSON."""
    refs: list[PackageRef] = []
    unread: list[Unread] = []
    for cell in cells(text):
        found = examine(cell.source.value, language=cell.language, prompt_text=prompt_text)
        found = _placed_back(found, cell.source)
        refs += found.refs
        unread += found.unread
    return Extraction(sorted(refs, key=lambda ref: ref.start), unread)


def _placed_back(found: Extraction, source: Placed) -> Extraction:
    """What was found in ``source``, with spans in the text that it was read from."""
    spans = ((ref, source.span(ref.start, ref.end)) for ref in found.refs)
    at = source.at
    return Extraction(
        [replace(ref, start=span[0], end=span[1]) for ref, span in spans if span is not None],
        [replace(part, start=at[part.start], end=at[part.end - 1] + 1) for part in found.unread],
    )


def _blocks(text: str, language: Language, filename: str, *, expect_list: bool) -> list[Block]:
    """The blocks of a text; one block of code where its name or ``language`` says that it is code.

    So is a text without fences that can only be a dependency file.
    """
    if language is Language.AUTO and (label := label_of_file(filename)):
        return [Block(BlockKind.FENCE, 0, len(text), label)]
    blocks = split(text)
    has_fence = blocks[:1] not in ([], [Block(BlockKind.PROSE, 0, len(text))])
    is_code = language is not Language.AUTO and not has_fence and not expect_list
    if is_code or _parses(text, language):
        return [Block(BlockKind.FENCE, 0, len(text))]
    if not has_fence and (manifest := manifest_of("", "", "", text, by_content=not expect_list)):
        return [Block(BlockKind.FENCE, 0, len(text), manifest)]
    # inline code goes first: its reading of a span is the better one
    return sorted(blocks, key=lambda block: (block.kind is BlockKind.PROSE, block.start))


def _parses(text: str, language: Language) -> bool:
    """True where a text is code of that language as a whole, in spite of fences in it."""
    if language is Language.PYTHON:
        return parse(text) is not None
    return language is Language.JAVASCRIPT and is_javascript(text)


def _body(text: str, block: Block) -> str:
    """What a block holds, as long as in the text, without what is no code of its own in it."""
    body = text[block.start : block.end]
    if block.kind is BlockKind.FENCE:
        body = plain_code(body, "diff" if block.is_diff else block.info, block.quotes)
        return folded(body) if label_of(block.info) in YAML_LABELS else body
    return without_tracebacks(body)


def _session(block: Block, body: str) -> str:
    """What was entered in a console session of Python that a block may hold; empty for none."""
    label = label_of(block.info) if block.kind is BlockKind.FENCE else ""
    may_be = not label or is_python(label) or label in SHELL_LABELS | OPEN_LABELS
    return entered(body) if may_be else ""


def _read_by_plugin(label: str, body: str, start: int) -> list[PackageRef]:
    """What a plug-in finds; where it fails, the block counts as not read."""
    try:
        found = list(load_plugin("extractors", label)(body, start))
        for ref in found:
            if body[ref.start - start : ref.end - start] != ref.raw or not ref.raw:
                raise ValueError(f"{ref.raw!r} doesn't stand at {ref.start} to {ref.end}")
    except UsageError as exc:
        give_up(str(exc))
    except Exception as exc:  # noqa: BLE001 (a text is read whatever a plug-in does)
        give_up(blame("extractors", label, exc))
    else:
        return found
    return []


def _readers(
    block: Block, body: str, language: Language, lists: ListExtractor | None, before: str
) -> Iterator[Extractor]:
    """The readers of a block."""
    if block.kind is BlockKind.FENCE:
        label = label_of(block.info)
        if label in LOCKS:
            yield LOCKS[label].refs
            return
        if lists and (lists.is_array(body) or lists.is_marked_list(body)):
            yield lists.refs
            return
        by_content = language is Language.AUTO and not lists
        if manifest := manifest_of(label, block.info, before, body, by_content=by_content):
            yield MANIFESTS[manifest]
            if manifest in ("package.json", "pyproject.toml", "setup.cfg"):
                yield from _COMMANDS  # scripts, and what tox runs
            return
        if lists and label not in SHELL_LABELS and lists.is_bare_list(body):
            yield lists.refs
        read_as = language_of(label, body, language)
        is_open = not label or label in OPEN_LABELS or read_as in _READERS
        if not is_open and label in plugin_names("extractors"):
            yield partial(_read_by_plugin, label)
        yield from _READERS.get(read_as, _COMMANDS)
        if label in TERMINAL_LABELS and read_as is Language.SHELL:
            yield import_line_refs
    elif block.kind is BlockKind.INLINE:
        yield _SHELL
        if has_imports(body):
            yield from _PYTHON
        if is_javascript(body) or has_javascript_imports(body):
            yield javascript_refs
    else:
        yield prose_refs
        if has_imports(body) or has_header(body):
            yield from _PYTHON
        if has_javascript_imports(body):
            yield javascript_refs if is_javascript(body) else javascript_line_refs
        elif does_more_than_load(body) and is_javascript(body):
            yield javascript_refs
        if lists:
            yield lists.refs
