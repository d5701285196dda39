"""Names as the registries spell them: canonical form, validity, purl, what a user writes, what is
built in."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable

from packageurl import PackageURL
from packageurl.contrib import purl2url
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name

from ghostbust.errors import UsageError
from ghostbust.records import ASKED, Ecosystem, PackageRef, RefKind

VERSION_ABSENT = "version-absent"
"""the reason of a REAL name that lacks the version that a text asks for"""
NPM_SECURITY_HOLD = re.compile(r"-security(?:\.\d+)?$")
"""npm replaces the versions of a malicious package by one such as ``0.0.1-security.1``"""
_NPM_NAME_LENGTH = 214
# What npm's registry has ever held: today's rules plus the capitals and ``!~*'()`` of old names.
_NPM_PART = r"[A-Za-z0-9!~*'()_.-]+"
_CONDA_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_CRATE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NPM_NAME = re.compile(rf"(?:@{_NPM_PART}/)?{_NPM_PART}")
# Nearly all names that get here are valid and canonical, which this shows quickly.
_PLAIN = {
    Ecosystem.PYPI: re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*").fullmatch,
    Ecosystem.NPM: re.compile(r"(?:@[a-z0-9-]{1,80}/)?[a-z0-9-]{1,80}").fullmatch,
    Ecosystem.CARGO: re.compile(r"[a-z][a-z0-9-]{0,63}").fullmatch,
}


def plain_test(ecosystem: Ecosystem) -> Callable[[str], object]:
    """A quick test that is true for most names, and only for valid ones in canonical form."""
    return _PLAIN.get(ecosystem, lambda _name: None)


def canonical_name(ecosystem: Ecosystem, name: str) -> str:
    """The one spelling under which a name is compared and stored.

    PyPI: the PEP 503 form. npm: as written, scope and capitals kept, since that
    registry holds both ``Base64`` and ``base64``. conda: in lower case. cargo: in lower case, with
    ``-`` for ``_``, since the public registry takes no second name that differs in these only.
    """
    name = name.strip()
    if ecosystem is Ecosystem.CARGO:
        return name.lower().replace("_", "-")
    if ecosystem is Ecosystem.CONDA:
        return name.lower()
    return canonicalize_name(name) if ecosystem is Ecosystem.PYPI else name


def is_valid_name(ecosystem: Ecosystem, name: str) -> bool:
    """Whether the registry could hold such a name at all.

    PyPI: the rule of the core metadata specification. npm: old, laxer names included.
    conda: lower case, digits, ``_``, ``.`` and ``-``. cargo: what its registry takes, up to 64
    characters.
    """
    if ecosystem is Ecosystem.CARGO:
        return _CRATE_NAME.fullmatch(name) is not None
    if ecosystem is Ecosystem.CONDA:
        return _CONDA_NAME.fullmatch(name) is not None
    if ecosystem is Ecosystem.PYPI:
        try:
            canonicalize_name(name, validate=True)
        except InvalidName:
            return False
        return name.isascii()
    bare = name.rpartition("/")[2]
    return (
        len(name) <= _NPM_NAME_LENGTH
        and _NPM_NAME.fullmatch(name) is not None
        and bare not in (".", "..", "node_modules", "favicon.ico")
        and (name.startswith("@") or not name.startswith("."))
    )


def purl(ecosystem: Ecosystem, name: str) -> str:
    """The identity of a package, such as ``pkg:pypi/requests`` or ``pkg:npm/%40scope/name``."""
    scope, _, bare = name.rpartition("/") if ecosystem is Ecosystem.NPM else ("", "", name)
    return PackageURL(type=str(ecosystem), namespace=scope or None, name=bare).to_string()


def public_npm() -> str:
    """The public npm registry's address, as packageurl-python knows it."""
    url: str = purl2url.get_download_url(  # type: ignore[no-untyped-call]
        "pkg:npm/npm@1.0.0"
    )
    return url.partition("/npm/-/")[0]


def public_crates() -> str:
    """The public sparse index of crates: packageurl-python knows the registry, and its index is on
    the host ``index`` below that ("Registry Index" in cargo's book)."""
    url: str = purl2url.get_repo_url("pkg:cargo/serde")  # type: ignore[no-untyped-call]
    scheme, _, place = url.partition("://")
    return f"{scheme}://index.{place.partition('/')[0]}"


# One package as a user writes it.

_ECOSYSTEMS = ", ".join(ASKED)


def ref_of(spec: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> PackageRef | None:
    """The package that a name stands for; None for one that doesn't come from a registry.

    ``requests``, ``requests[socks]>=2``, ``left-pad@npm``, ``@scope/name``, ``pkg:npm/left-pad``.
    ``ecosystem``: of a name that doesn't say its own. Raises UsageError for anything else.
    """
    spec = spec.strip()
    if spec.startswith("pkg:"):
        try:
            package = PackageURL.from_string(spec)
            ecosystem = next(asked for asked in ASKED if asked == package.type)
        except (ValueError, StopIteration) as exc:
            raise UsageError(f"{spec!r} is no purl of {_ECOSYSTEMS}") from exc
        scope = f"{package.namespace}/" if package.namespace else ""
        exact = "==" if ecosystem is Ecosystem.PYPI else "="
        wanted = exact + package.version if package.version else ""
        return manifest_ref(ecosystem, scope + package.name, wanted)
    name, at, behind = spec.rpartition("@")
    if name and behind in ASKED:
        return _own_ref(Ecosystem(behind), name)
    if spec.startswith("@") and not name:
        return manifest_ref(Ecosystem.NPM, spec)
    if name and at and ":" not in spec:  # packaging would take the word for an address
        close = difflib.get_close_matches(behind.lower(), ASKED, n=1)
        hint = f"did you mean {name}@{close[0]}?" if close else f"known are {_ECOSYSTEMS}"
        raise UsageError(f"{spec!r}: {behind!r} after @ is no ecosystem; {hint}")
    if ecosystem is not Ecosystem.PYPI and is_valid_name(ecosystem, spec):
        return manifest_ref(ecosystem, spec)
    try:
        requirement = Requirement(spec)
    except InvalidRequirement as exc:
        raise UsageError(
            f"{spec!r} is no package name; write requests, or left-pad@npm ({_ECOSYSTEMS})"
        ) from exc
    if requirement.url is not None:
        return None
    return manifest_ref(ecosystem, requirement.name, str(requirement.specifier))


def _own_ref(ecosystem: Ecosystem, spec: str) -> PackageRef:
    """``left-pad`` or ``left-pad@1.3.0`` of ``left-pad@1.3.0@npm``, as its own tool writes it."""
    name, _, version = spec.rpartition("@")
    if not name or ecosystem is Ecosystem.PYPI:
        return manifest_ref(ecosystem, spec)
    return manifest_ref(ecosystem, name, version)


def manifest_ref(ecosystem: Ecosystem, name: str, wanted: str = "") -> PackageRef:
    """A ref of kind ``manifest``, with its own name as its text."""
    canonical = canonical_name(ecosystem, name)
    return PackageRef(ecosystem, RefKind.MANIFEST, name, 0, len(name), canonical, wanted=wanted)


def purl_of(ref: PackageRef) -> str | None:
    """The package's identity; None for a built-in module, an unmapped import, no valid name."""
    if ref.builtin or ref.name is None or not is_valid_name(ref.ecosystem, ref.name):
        return None
    is_written = ref.ecosystem is Ecosystem.CARGO and ref.kind is not RefKind.IMPORT
    return purl(ref.ecosystem, ref.raw if is_written else ref.name)  # serde_json, not serde-json


# Modules that the language itself provides, so no registry is asked for them.

# The running interpreter's standard library, plus what other 3.x releases had or have, so that
# the answer doesn't depend on the interpreter (removals: PEP 594, PEP 632 and the "What's New"
# pages of 3.9 to 3.14).
_PYTHON_3_OTHERS = frozenset(
    """aifc annotationlib asynchat asyncore audioop binhex cgi cgitb chunk compression crypt
    distutils dummy_threading formatter imghdr imp lib2to3 macpath mailcap msilib nis nntplib
    ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib tomllib uu xdrlib
    __main__""".split()  # noqa: SIM905
)
# Python 2 modules that models still import; only those that no package is called.
_PYTHON_2 = frozenset(
    """__builtin__ anydbm basehttpserver configparser cookielib copy_reg cpickle cstringio
    htmlentitydefs htmlparser httplib queue simplehttpserver socketserver stringio tkinter
    tkmessagebox urllib2 urlparse xmlrpclib""".split()  # noqa: SIM905
)
_PYTHON = frozenset(sys.stdlib_module_names) | _PYTHON_3_OTHERS | _PYTHON_2
# PEP 503 spelling too. Not of private names: `__future__` would become the package `future`.
_PYTHON_NAMES = _PYTHON | {
    name.lower().replace("_", "-") for name in _PYTHON if not name.startswith("_")
}
_NODE = frozenset(
    """assert async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns domain events fs http http2 https inspector module net os path
    perf_hooks process punycode querystring readline repl stream string_decoder sys timers tls
    trace_events tty url util v8 vm wasi worker_threads zlib""".split()  # noqa: SIM905
)
_RUST = frozenset(("std", "core", "alloc", "proc-macro"))

_SCHEMES = ("node:", "bun:", "deno:", "cloudflare:")


def is_builtin(ecosystem: Ecosystem, name: str) -> bool:
    """Whether it is a module of the Python standard library, or one that Node
    or Rust brings along.

    Takes an import path or a canonical name: ``os.path``, ``concurrent.futures``, ``fs``,
    ``fs/promises``, ``node:fs``, ``bun:test``. Anything behind the scheme of a runtime is built
    in, by definition. ``bun`` alone isn't: a package has that name, too.
    """
    if ecosystem is Ecosystem.PYPI:
        return name.partition(".")[0].lower() in _PYTHON_NAMES
    if ecosystem is Ecosystem.CARGO:
        return canonical_name(ecosystem, name) in _RUST
    return name.startswith(_SCHEMES) or name.partition("/")[0] in _NODE


def builtin_names(ecosystem: Ecosystem) -> frozenset[str]:
    """The built-in modules without a dot, a slash or a colon in their name, in lower case."""
    if ecosystem is Ecosystem.CARGO:
        return _RUST
    return _PYTHON_NAMES if ecosystem is Ecosystem.PYPI else _NODE
