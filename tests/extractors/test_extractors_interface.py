"""One conformance test over all back-ends."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import EXTRACTORS
from ghostbust.extractors.interface import Extractor

TEXTS = (
    "import rich\n!pip install httpx\n",
    "pip install rich 'httpx[http2]'",
    "Run pip install rich and so on.",
    "- rich\n- `httpx`\n",
    "import rich from 'rich'\nconst httpx = require('httpx/🎉')\n",
    'dependencies = ["rich"]\n',
    '{"dependencies": {"left-pad": "^1"}}',
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
@pytest.mark.parametrize("extractor", EXTRACTORS, ids=lambda e: type(e).__name__)
def test_spans_are_moved_by_the_offset(extractor: Extractor, text: str) -> None:
    at_start = list(extractor.find(text, 0))
    moved = list(extractor.find(text, 100))
    assert [(r.start + 100, r.end + 100, r.raw) for r in at_start] == [
        (r.start, r.end, r.raw) for r in moved
    ]
    assert all(text[ref.start : ref.end] == ref.raw for ref in at_start)


def test_every_extractor_finds_something() -> None:
    for extractor in EXTRACTORS:
        assert any(list(extractor.find(text, 0)) for text in TEXTS)
