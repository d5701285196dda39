"""Texts as they are printed and exported: without names that a squatter could register."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from ghostbust.prompts import FORMS, fresh_tasks, seed_tasks
from ghostbust.records import PROMPTED, Ecosystem
from ghostbust.registries.names import canonical_name
from ghostbust.store.store import Store
from ghostbust.text import redact

_WORD: Final = re.compile(r"@?\w(?:[\w./-]*\w)?")
_END: Final = re.compile(r"[./]")


def redacted_text(store: Store, text: str, ecosystem: Ecosystem, also: Iterable[str] = ()) -> str:
    """The text with every invented name of the ledger redacted, and ``also``, as written.

    A prompt may quote an answer's code, or have been made from a name. A word is redacted where it
    is a name in any spelling, or begins with one before a ``.`` or ``/``. Words of ghostbust's own
    forms and tasks are not: they are public.
    """
    spelled = {
        raw: name for raw, name in _spellings(text, ecosystem) if raw.lower() not in _public_words()
    }
    invented = store.ledger.known(ecosystem, spelled.values())
    hide = {raw for raw, name in spelled.items() if name in invented} | set(also)
    return _redacted(text, hide) if hide else text


@cache
def _public_words() -> frozenset[str]:
    """The words of the shipped forms and tasks, in lower case."""
    texts = [form for forms in FORMS.values() for form in forms]
    texts += [task.text for task in seed_tasks()]
    texts += [task.text for ecosystem in PROMPTED for task in fresh_tasks(ecosystem)]
    return frozenset(match[0].lower() for text in texts for match in _WORD.finditer(text))


def _spellings(text: str, ecosystem: Ecosystem) -> Iterator[tuple[str, str]]:
    """Every part of the text that could be a name, as written, and its canonical form."""
    for match in _WORD.finditer(text):
        for raw in _heads(match[0]):
            yield raw, canonical_name(ecosystem, raw)


def _heads(word: str) -> list[str]:
    """The word and what of it stands before each ``.`` or ``/``, the longest first."""
    return [word, *(word[: end.start()] for end in reversed(list(_END.finditer(word))))]


def _redacted(text: str, hide: set[str]) -> str:
    def shown(match: re.Match[str]) -> str:
        word = match[0]
        head = next((head for head in _heads(word) if head in hide), None)
        return word if head is None else redact(head) + word[len(head) :]

    return _WORD.sub(shown, text)
