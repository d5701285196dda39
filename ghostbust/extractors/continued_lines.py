"""Whether a line behind a comment goes on with the command that a backslash has continued.

``pip install a \\``, ``  # why``, ``  b``: a shell ends the command with the comment. Yet models
write comments between arguments, as a Dockerfile may, and people who run it mend that.
"""

from __future__ import annotations

from collections.abc import Sequence

from ghostbust.extractors.install_tools import PROGRAMS
from ghostbust.extractors.vocabulary import word_set

_CONTINUATIONS = word_set("\\ ^ `")
_PROMPTS = ("$", "%", ">", "PS ")
_NO_COMMAND = ("-", "&&", "|", ";", '"', "'")
_VERSIONS = ("==", ">=", "<=", "~=", "[")
_VERBS = word_set("install add i")
_CALLED = word_set(
    "pip3 python python3 py node cd export source echo sudo git docker make apt apt-get brew mkdir "
    "cp mv rm set curl wget chmod cat sh bash exit if for while"
) | set(PROGRAMS)


def goes_on(line: str, command: Sequence[str], *, indent: int, loose: bool) -> bool:
    """True where ``line`` holds further arguments of ``command``: its first and last word.

    So it does in a Dockerfile, behind a bare verb, and where it begins as no command can, is
    indented more than the command (``indent`` columns), is continued itself, or is one word and
    an earlier line without indentation went on (``loose``). Not where it calls a program.
    """
    words = line.split()
    if not words or not command or line.lstrip().startswith(_PROMPTS):
        return False
    if command[0] == "RUN" or words[0].startswith(_NO_COMMAND):
        return True
    if _calls(words):
        return False
    is_argument = any(mark in words[0] for mark in _VERSIONS) or command[-1] in _VERBS
    is_deeper = len(line) - len(line.lstrip()) > indent
    is_continued = words[-1] in _CONTINUATIONS
    return is_argument or is_deeper or is_continued or (loose and len(words) == 1)


def _calls(words: Sequence[str]) -> bool:
    """True for words that call a program, rather than naming a package such as ``pip``."""
    program = words[0].rpartition("/")[2]
    return program in _CALLED and len(words) > 1 and words[1] not in _CONTINUATIONS
