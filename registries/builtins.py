"""Modules that the language itself provides, so that no registry need be asked for them."""

from __future__ import annotations

import sys

from ghostbust.records import Ecosystem

# Standard library of the interpreter that runs, plus what other 3.x releases had or have, so
# that the answer doesn't depend on the interpreter (removals: PEP 594, PEP 632 and the
# "What's New" pages of 3.9 to 3.14).
_PYTHON_3_OTHERS = frozenset(
    """aifc annotationlib asynchat asyncore audioop binhex cgi cgitb chunk compression crypt
    distutils dummy_threading formatter imghdr imp lib2to3 macpath mailcap msilib nis nntplib
    ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib tomllib uu xdrlib
    __main__""".split()  # noqa: SIM905
)
# Python 2 modules that models still import; only those whose name is no package's as well.
_PYTHON_2 = frozenset(
    """__builtin__ anydbm basehttpserver configparser cookielib copy_reg cpickle cstringio
    htmlentitydefs htmlparser httplib queue simplehttpserver socketserver stringio tkinter
    tkmessagebox urllib2 urlparse xmlrpclib""".split()  # noqa: SIM905
)
_PYTHON = frozenset(sys.stdlib_module_names) | _PYTHON_3_OTHERS | _PYTHON_2
# PEP 503 spelling too. Not of private names: `__future__` would become the package `future`.
_PYTHON_CANONICAL = frozenset(
    name.lower().replace("_", "-") for name in _PYTHON if not name.startswith("_")
)

_PYTHON_NAMES = _PYTHON | _PYTHON_CANONICAL

_NODE = frozenset(
    """assert async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns domain events fs http http2 https inspector module net os path
    perf_hooks process punycode querystring readline repl stream string_decoder sys timers tls
    trace_events tty url util v8 vm wasi worker_threads zlib""".split()  # noqa: SIM905
)

_SCHEMES = ("node:", "bun:", "deno:", "cloudflare:")


def is_builtin(ecosystem: Ecosystem, name: str) -> bool:
    """True for a module of the Python standard library, or one that Node brings along.

    Takes an import path or a canonical name: ``os.path``, ``concurrent.futures``, ``fs``,
    ``fs/promises``, ``node:fs``, ``bun:test``. Anything behind the scheme of a runtime is built
    in, by definition. ``bun`` alone is a package as well: as an import only it is none.
    """
    if ecosystem is Ecosystem.PYPI:
        return name.partition(".")[0].lower() in _PYTHON_NAMES
    return name.startswith(_SCHEMES) or name.partition("/")[0] in _NODE


def builtin_names(ecosystem: Ecosystem) -> frozenset[str]:
    """The built-in modules without a dot, a slash or a colon in their name, in lower case."""
    return _PYTHON_NAMES if ecosystem is Ecosystem.PYPI else _NODE
