"""Verdicts that need no registry."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ghostbust.records import Ecosystem, Flag, Lookup, PackageRef, RefKind, Verdict
from ghostbust.registries.rules import settle_name, settle_ref

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def ref(
    name: str | None = "requests",
    *,
    kind: RefKind = RefKind.INSTALL,
    builtin: bool = False,
    flags: frozenset[Flag] = frozenset(),
) -> PackageRef:
    module = name or "mystery"
    return PackageRef(
        Ecosystem.PYPI, kind, module, 0, len(module), name, builtin=builtin, flags=flags,
        import_name=module if kind is RefKind.IMPORT else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ecosystem", "name"),
    [(Ecosystem.PYPI, "os"), (Ecosystem.PYPI, "typing"), (Ecosystem.PYPI, "dataclasses"),
     (Ecosystem.NPM, "fs"), (Ecosystem.NPM, "events"), (Ecosystem.NPM, "node:path")],
)  # fmt: skip
def test_builtin_names_stay_builtin_even_where_registered(ecosystem: Ecosystem, name: str) -> None:
    lookup = settle_name(ecosystem, name, NOW)
    assert lookup is not None
    assert (lookup.verdict, lookup.source) == (Verdict.BUILTIN, "builtin")
    assert not lookup.invented


def test_conda_is_not_asked_and_never_invented() -> None:
    ref = PackageRef(Ecosystem.CONDA, RefKind.INSTALL, "xyzzy", 0, 5, "xyzzy")
    assert settle_ref(ref, NOW) == "xyzzy"
    for name in ("numpy", "xyzzy-no-such", "os", "not a name"):
        lookup = settle_name(Ecosystem.CONDA, name, NOW)
        assert lookup is not None
        assert (lookup.verdict, lookup.reason) == (Verdict.UNKNOWN, "not-asked")
        assert not lookup.invented


def test_impossible_names_are_absent_without_asking() -> None:
    lookup = settle_name(Ecosystem.PYPI, "my package!", NOW)
    assert lookup is not None
    assert (lookup.verdict, lookup.reason, lookup.source) == (
        Verdict.ABSENT, "invalid-name", "rule",
    )  # fmt: skip


def test_other_names_have_to_be_asked_for() -> None:
    assert settle_name(Ecosystem.PYPI, "requests", NOW) is None
    assert settle_ref(ref(), NOW) == "requests"
    assert settle_ref(ref(flags=frozenset({Flag.OPTIONAL, Flag.PROMPT_INDUCED})), NOW) == "requests"


def test_builtin_refs() -> None:
    lookup = settle_ref(ref("os", kind=RefKind.IMPORT, builtin=True), NOW)
    assert isinstance(lookup, Lookup)
    assert (lookup.name, lookup.verdict) == ("os", Verdict.BUILTIN)


@pytest.mark.parametrize(
    "flag", [Flag.LOCAL_MODULE, Flag.TRUNCATED, Flag.ELSEWHERE, Flag.PRIVATE_INDEX]
)
def test_flags_that_make_a_ref_unknown(flag: Flag) -> None:
    lookup = settle_ref(ref(flags=frozenset({flag})), NOW)
    assert isinstance(lookup, Lookup)
    assert (lookup.verdict, lookup.reason, lookup.name) == (Verdict.UNKNOWN, flag, "requests")


def test_an_import_without_a_mapping_is_unknown() -> None:
    lookup = settle_ref(ref(None, kind=RefKind.IMPORT), NOW)
    assert isinstance(lookup, Lookup)
    assert (lookup.verdict, lookup.reason) == (Verdict.UNKNOWN, "no-mapping")
    assert lookup.name == "mystery"
