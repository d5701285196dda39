"""Which modules Node, Bun, Deno and Workers themselves provide."""

from __future__ import annotations

from ghostbust.extractors.vocabulary import word_set

_MODULES = word_set(
    # what `node:module` lists as builtinModules in any release from 12 to 25, subpaths too
    """
    assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector
    inspector/promises module net os path path/posix path/win32 perf_hooks process punycode
    querystring readline readline/promises repl stream stream/consumers stream/promises stream/web
    string_decoder sys timers timers/promises tls trace_events tty url util util/types v8 vm wasi
    worker_threads zlib
    _http_agent _http_client _http_common _http_incoming _http_outgoing _http_server
    _stream_duplex _stream_passthrough _stream_readable _stream_transform _stream_wrap
    _stream_writable _tls_common _tls_wrap
    """
)
_SCHEMES = word_set("node bun deno cloudflare")
_RUNTIMES = word_set("bun")


def is_runtime_scheme(scheme: str) -> bool:
    """True for ``node`` in ``node:fs``, and for the schemes of the other runtimes."""
    return scheme in _SCHEMES


def is_node_builtin(path: str) -> bool:
    """True for a module that comes with the runtime, given without a scheme.

    Subpaths count as a whole: ``fs/promises`` is built in, ``process/browser`` and ``punycode/``
    are files of npm packages. ``test`` and ``sqlite`` are built in behind ``node:`` only.
    """
    return path in _MODULES or path in _RUNTIMES
