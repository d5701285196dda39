"""Whether a user's message asks for a list of packages."""

from __future__ import annotations

import re
from typing import Final

_PACKAGES: Final = r"(?:packages|libraries|modules|dependencies)"
_ASKS: Final = re.compile(
    rf"\b(?:list|name|suggest|recommend|which|what)\b(?:(?![.?!](?:\s|$))[^\n]){{0,80}}?\b{_PACKAGES}\b",
    re.I,
)
_SOFTWARE: Final = re.compile(
    r"\b(?:python|pypi|pip|javascript|typescript|node(?:\.?js)?|npm|yarn|pnpm)\b", re.I
)
_WANTS_CODE: Final = re.compile(
    r"\b(?:(?:write|create|generate|give me|show me|provide)\s(?:(?!list\b)[\w'-]+\s){0,5}"
    r"(?:code|script|function|class|program|example|snippet|test|tests|app|application)\b"
    r"|implement|refactor|fix|debug|translate|explain\s(?:this|the)\scode)",
    re.I,
)
_READ: Final = 600
"""characters at each end of the message that are read; quoted text stands between"""


def asks_for_list(message: str) -> bool:
    """True if the user's message asks for a list of packages: only then are list items names.

    The rule is cautious, since items of any other list would be counted as inventions:

    1. in one sentence, a word that asks for names (``list``, ``suggest``, ``which`` …) stands
       before a word for packages in the plural;
    2. the message names a language or a registry;
    3. it asks for no code, since an answer with code has lists of other things.

    English only. What it misses costs recall, never precision: names in commands, imports and
    dependency files are found without it.
    """
    text = message if len(message) <= 2 * _READ else f"{message[:_READ]}\n{message[-_READ:]}"
    if not _ASKS.search(text) or not _SOFTWARE.search(text):
        return False
    return not _WANTS_CODE.search(text)
