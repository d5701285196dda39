"""Finds Python and JavaScript in blocks that are labelled as shell, as models often do."""

from __future__ import annotations

from collections.abc import Iterable

from ghostbust.extractors.interface import Language
from ghostbust.extractors.javascript_code import (
    JavaScriptLineExtractor,
    has_javascript_imports,
    is_javascript,
)
from ghostbust.extractors.python_code import PythonLineExtractor, has_imports
from ghostbust.extractors.python_statements import parse
from ghostbust.records import PackageRef

_DOCUMENT = "<<"
"""a here-document; ``cat > x.txt <<END`` and its lines may be valid Python"""
_QUOTING = (_DOCUMENT, "echo ", "printf ", '-c "', "-c '", '-e "', "-e '")
"""what stands in front of code that a script writes or passes on, which isn't its own"""


def language_of_script(body: str) -> Language:
    """What a block with a shell's label is as a whole: code that imports something, else shell."""
    if has_imports(body) and _DOCUMENT not in body and parse(body) is not None:
        return Language.PYTHON
    return Language.JAVASCRIPT if is_javascript(body) else Language.SHELL


class ImportLineExtractor:
    """Lines between the commands of a shell script that are plainly imports. Nothing else.

    None where the script has code in a here-document or between quotes.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """IMPORT refs; see ``Extractor.find``."""
        if any(mark in text for mark in _QUOTING):
            return
        yield from PythonLineExtractor().find(text, offset)
        if has_javascript_imports(text):
            yield from JavaScriptLineExtractor().find(text, offset)
