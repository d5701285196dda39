"""What a module specifier names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.javascript import read_specifier


@pytest.mark.parametrize(
    ("specifier", "name"),
    [
        ("react", "react"),
        ("lodash/get", "lodash"),
        ("lodash/fp/get.js", "lodash"),
        ("chart.js", "chart.js"),
        ("chart.js/auto", "chart.js"),
        ("socket.io-client", "socket.io-client"),
        ("@scope1/pkg", "@scope1/pkg"),
        ("@scope1/pkg/sub/file", "@scope1/pkg"),
        ("@types/node", "@types/node"),
        ("@babel/core", "@babel/core"),
        ("bootstrap/dist/css/bootstrap.min.css", "bootstrap"),
        ("@fontsource/inter/400.css", "@fontsource/inter"),
        ("JSONStream", "JSONStream"),
        ("three/examples/jsm/loaders/GLTFLoader?worker", "three"),
        ("npm:chalk@5", "chalk"),
        ("npm:/chalk@5.3.0", "chalk"),
        ("npm:@scope1/pkg@^1.2.0/sub", "@scope1/pkg"),
        ("npm:lodash-es/get", "lodash-es"),
        ("lucide-react@0.487.0", "lucide-react"),
        ("@radix-ui/react-slot@1.1.2", "@radix-ui/react-slot"),
        ("process/browser", "process"),
        ("punycode/", "punycode"),
        ("fs-extra", "fs-extra"),
        ("config/defer", "config"),
        ("utils", "utils"),
        ("123", "123"),
        ("normalize.css", "normalize.css"),
        ("animate.css/animate.min.css", "animate.css"),
        ("hover.css/css/hover-min.css", "hover.css"),
    ],
)
def test_packages(specifier: str, name: str) -> None:
    found = read_specifier(specifier)
    assert found is not None
    assert (found.name, found.builtin) == (name, False)
    assert specifier[found.start : found.end] == name


@pytest.mark.parametrize(
    ("specifier", "written"),
    [
        ("fs", "fs"),
        ("fs/promises", "fs"),
        ("node:fs", "node:fs"),
        ("node:fs/promises", "node:fs"),
        ("node:test", "node:test"),
        ("path/posix", "path"),
        ("worker_threads", "worker_threads"),
        ("bun", "bun"),
        ("bun:sqlite", "bun:sqlite"),
        ("deno:x", "deno:x"),
        ("cloudflare:workers", "cloudflare:workers"),
    ],
)
def test_builtins(specifier: str, written: str) -> None:
    found = read_specifier(specifier)
    assert found is not None
    assert (found.name, found.builtin) == (written, True)
    assert specifier[found.start : found.end] == written


@pytest.mark.parametrize(
    "specifier",
    [
        "", ".", "..", "./", "./a", "../a/b", "/a", "/usr/lib/x.js", "C:\\x.js", "file:///x.js",
        "https://cdn.example.test/x.js", "//cdn.example.test/x.js", "data:text/javascript,1",
        "blob:x", "#internal", "#internal/x", "@/x", "@/components/Button", "~/x", "~x", "~icons/a",
        "@@/x", "$lib/x", "$app/navigation", "src/x", "components/Button", "utils/format",
        "@components/Button", "@lib/db", "@app/core", "@repo/ui", "@std/fs", "virtual:pwa-register",
        "astro:content", "jsr:@std/fs", "jsr:@luca/cases@1", "package:flutter/x.dart",
        "raw-loader!./x.txt", "!!raw-loader!./x", "style.css", "data.json", "logo.svg", "App.vue",
        "@scope1", "@scope1/", "@/", "@", "node:", "npm:", "my module", "a b/c", "größe", "包",
        "${name}", "{{name}}", "<package>", "your-package", "my-module", "module-name", "foo",
        "@your-org/ui", "@scope/package", "@my-company/x", "*", "*.svg", "_x", ".x", "x.", "-x",
        "a" * 215,
    ],
)  # fmt: skip
def test_no_packages(specifier: str) -> None:
    assert read_specifier(specifier) is None


@settings(max_examples=300, database=None, deadline=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from("ab@/:.-_~#$!?% é1\u2028\x00"), max_size=12))
def test_what_is_named_stands_there(specifier: str) -> None:
    found = read_specifier(specifier)
    if found is not None:
        assert found.name
        assert specifier[found.start : found.end] == found.name
        assert not set(found.name) & set(" !?#$%é\u2028\x00")
