"""Whose names a list holds."""

from __future__ import annotations

import pytest

from ghostbust.extractors.lists import listed_ecosystem
from ghostbust.records import Ecosystem


@pytest.mark.parametrize(
    "text",
    [
        '["react", "@mui/material"]',
        "- luxon\n- `@js-joda/core`",
        "1. **@tanstack/react-query**: caching",
        "Here are npm packages:\n- express",
        "Useful JavaScript libraries:\n\n1. ramda",
        "# TypeScript\n- zod",
        "Für Node.js:\n- ws",
        "JavaScript-Bibliotheken:\n- ws",
        "Bibliotecas de JavaScript:\n- ws",
        "Bibliothèques JavaScript :\n- ws",
        "推荐的npm包：\n- ws",
        "以下是JavaScript库：\n1. ws",
        "- react\n- vue\n\nInstall them with `npm install react vue`.",
        "| npm package | purpose |\n| --- | --- |\n| ws | sockets |",
        "JavaScript: the libraries\nws",
    ],
)
def test_npm(text: str) -> None:
    assert listed_ecosystem(text) is Ecosystem.NPM


@pytest.mark.parametrize(
    "text",
    [
        "- requests\n- httpx",
        '["requests", "httpx"]',
        "- requests: like axios for Node.js\n- httpx",
        "requests: what JavaScript libraries have as axios\nhttpx: newer",
        "✅ requests: like an npm package\n✅ httpx",
        "Libraries to render JavaScript pages:\n- selenium",
        "Python packages that talk to npm:\n- requests",
        "Node graphs:\n- networkx",
        "| package | like |\n| --- | --- |\n| requests | axios of npm |",
        "- requests\n  An npm package has the same name.",
        "Mail me@example for more\n- requests",
        "",
    ],
)
def test_pypi(text: str) -> None:
    assert listed_ecosystem(text) is Ecosystem.PYPI
