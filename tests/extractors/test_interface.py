"""Texts with places, and what all readers have in common."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import EXTRACTORS
from ghostbust.extractors.interface import Extractor, Placed, plain


def test_a_plain_piece_stands_where_it_was_cut_from() -> None:
    piece = plain("größe rich", 6, 10)
    assert piece.value == "rich"
    assert piece.span(0, 4) == (6, 10)
    assert piece.part(1, 3).span(0, 2) == (7, 9)


def test_what_is_not_in_one_piece_has_no_span() -> None:
    torn = Placed("abcd", (0, 1, 4, 5))
    assert torn.span(0, 2) == (0, 2)
    assert torn.span(2, 4) == (4, 6)
    assert torn.span(0, 4) is None
    assert torn.span(2, 2) is None


TEXTS = (
    "import rich\n!pip install httpx\n",
    "pip install rich 'httpx[http2]'",
    "Run pip install rich and so on.",
    "- rich\n- `httpx`\n",
    "import rich from 'rich'\nconst httpx = require('httpx/🎉')\n",
    'dependencies = ["rich"]\n',
    '{"dependencies": {"left-pad": "^1"}}',
    "use rich::Text;\n",
    '[[package]]\nname = "rich"\nsource = "registry+https://git.example.test/rust-lang/crates"\n',
    '[dependencies]\nrich = "1"\n',
    "channels:\ndependencies:\n  - rich\n",
    "[options]\ninstall_requires =\n    rich\n",
    "setup(install_requires=['rich'])",
    '["pip", "install", "rich"]',
    '# /// script\n# dependencies = ["rich"]\n# ///\n',
    '{"packages": {"node_modules/rich": {"version": "1"}}}',
    '{"default": {"rich": {"version": "1"}}}',
    '[[package]]\nname = "rich"\n',
    "lockfileVersion: '9.0'\npackages:\n  rich@1.0.0: {}\n",
    'rich@^1:\n  version "1"\n',
    "",
    "\x00\ud800\u2028'\"`([{\\",
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_spans_are_moved_by_the_offset(extractor: Extractor, text: str) -> None:
    at_start = list(extractor(text, 0))
    moved = list(extractor(text, 100))
    assert [(r.start + 100, r.end + 100, r.raw) for r in at_start] == [
        (r.start, r.end, r.raw) for r in moved
    ]
    assert all(text[ref.start : ref.end] == ref.raw for ref in at_start)


def test_every_extractor_finds_something() -> None:
    for extractor in EXTRACTORS:
        assert any(list(extractor(text, 0)) for text in TEXTS)
