"""What Node and the other runtimes provide."""

from __future__ import annotations

import pytest

from ghostbust.extractors import javascript
from ghostbust.extractors.javascript import is_node_builtin, is_runtime_scheme
from ghostbust.records import Ecosystem
from ghostbust.registries.names import is_builtin


@pytest.mark.parametrize(
    "path", ["fs", "fs/promises", "path", "http2", "util/types", "stream/web", "punycode", "bun"]
)
def test_builtins(path: str) -> None:
    assert is_node_builtin(path)


@pytest.mark.parametrize(
    "path", ["test", "sqlite", "punycode/", "process/browser", "fs-extra", "Fs", "node:fs", ""]
)
def test_no_builtins(path: str) -> None:
    assert not is_node_builtin(path)


@pytest.mark.parametrize("scheme", ["node", "bun", "deno", "cloudflare"])
def test_schemes(scheme: str) -> None:
    assert is_runtime_scheme(scheme)
    assert not is_runtime_scheme(f"{scheme}x")


def test_the_registries_list_says_the_same() -> None:
    """Layers keep the two lists apart; an install of a built-in name is judged by the other."""
    from ghostbust.registries import names

    tops = {path.partition("/")[0] for path in javascript._MODULES if not path.startswith("_")}
    assert all(is_builtin(Ecosystem.NPM, path) for path in tops)
    assert tops >= names._NODE
    assert {f"{scheme}:" for scheme in javascript._SCHEMES} == set(names._SCHEMES)
