"""Names as the registries spell them: canonical form, validity, purl."""

from __future__ import annotations

import re
from collections.abc import Callable

from packageurl import PackageURL
from packaging.utils import InvalidName, canonicalize_name

from ghostbust.records import Ecosystem

NPM_NAME_LENGTH = 214
# What npm's registry has ever held: today's rules plus the capitals and ``!~*'()`` of old names.
_NPM_PART = r"[A-Za-z0-9!~*'()_.-]+"
_CONDA_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_NPM_NAME = re.compile(rf"(?:@{_NPM_PART}/)?{_NPM_PART}")
# Spelled so that nothing need be done to it, as nearly all names are that get here.
_PLAIN = {
    Ecosystem.PYPI: re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*").fullmatch,
    Ecosystem.NPM: re.compile(r"(?:@[a-z0-9-]{1,80}/)?[a-z0-9-]{1,80}").fullmatch,
}


def plain_test(ecosystem: Ecosystem) -> Callable[[str], object]:
    """A quick test that is true of most names, and only of valid ones in canonical form."""
    return _PLAIN.get(ecosystem, _never)


def _never(_name: str) -> None:
    """The quick test of an ecosystem that has none."""


def canonical_name(ecosystem: Ecosystem, name: str) -> str:
    """The one spelling under which a name is compared and stored.

    PyPI: the PEP 503 form. npm: as written, scope and capitals kept, since that
    registry tells ``Base64`` from ``base64``. conda: in lower case.
    """
    name = name.strip()
    if ecosystem is Ecosystem.CONDA:
        return name.lower()
    return canonicalize_name(name) if ecosystem is Ecosystem.PYPI else name


def is_valid_name(ecosystem: Ecosystem, name: str) -> bool:
    """True where the registry could hold such a name at all.

    PyPI: the rule of the core metadata specification. npm: old, laxer names included.
    conda: lower case, digits, ``_``, ``.`` and ``-``.
    """
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
        len(name) <= NPM_NAME_LENGTH
        and _NPM_NAME.fullmatch(name) is not None
        and bare not in (".", "..", "node_modules", "favicon.ico")
        and (name.startswith("@") or not name.startswith("."))
    )


def purl(ecosystem: Ecosystem, name: str) -> str:
    """The identity of a package, such as ``pkg:pypi/requests`` or ``pkg:npm/%40scope/name``."""
    scope, _, bare = name.rpartition("/") if ecosystem is Ecosystem.NPM else ("", "", name)
    return PackageURL(type=str(ecosystem), namespace=scope or None, name=bare).to_string()
