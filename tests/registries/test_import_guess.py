"""What a verdict says of an import whose distribution was guessed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ghostbust.records import Ecosystem, PackageRef, RefKind, SuspectReason, Verdict
from ghostbust.registries.rules import judge_import, namesake, variants
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    rows = [
        NameRow("python-magic"),
        NameRow("pyfoobar"),
        NameRow("requests"),
        NameRow("django-crispy-forms", 1),
        NameRow("crispy-forms-for-others", 2),
        NameRow("python-json-logger", 3),
        NameRow("odd-forms", 4, SuspectReason.DECOY, "requests"),
        NameRow("bs4", 9, SuspectReason.DECOY, "beautifulsoup4"),
        NameRow("py-fake", None, SuspectReason.PLACEHOLDER),
    ]
    return Snapshot.load(
        build_snapshot(
            rows, ecosystem=Ecosystem.PYPI, date=date(2026, 1, 2), complete=True, out_dir=tmp_path
        )
    )


def imported(module: str, name: str, kind: RefKind = RefKind.IMPORT) -> PackageRef:
    return PackageRef(
        Ecosystem.PYPI, kind, module, 0, len(module), name,
        import_name=module if kind is RefKind.IMPORT else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "verdict", "reason"),
    [
        ("requests.adapters", "requests", Verdict.REAL, "registered"),
        ("magic", "magic", Verdict.UNKNOWN, "no-mapping"),
        ("foo_bar", "foo-bar", Verdict.UNKNOWN, "no-mapping"),
        ("bs4", "bs4", Verdict.UNKNOWN, "no-mapping"),
        ("nothing_like_it", "nothing-like-it", Verdict.ABSENT, "not-registered"),
        ("quux_pb2", "quux-pb2", Verdict.UNKNOWN, "no-mapping"),
        ("quux_pb2_grpc", "quux-pb2-grpc", Verdict.UNKNOWN, "no-mapping"),
        ("crispy_forms", "crispy-forms", Verdict.UNKNOWN, "no-mapping"),
        ("pythonjsonlogger", "pythonjsonlogger", Verdict.UNKNOWN, "no-mapping"),
        ("forms_forms", "forms-forms", Verdict.ABSENT, "not-registered"),
        ("fake", "fake", Verdict.ABSENT, "not-registered"),  # its variant is no real package
    ],
)
def test_guessed_imports(
    snapshot: Snapshot, module: str, name: str, verdict: Verdict, reason: str
) -> None:
    lookup = judge_import(imported(module, name), snapshot.look_up(name), snapshot)
    assert (lookup.name, lookup.verdict, lookup.reason) == (name, verdict, reason)


def test_the_evidence_names_the_variant_or_the_other_package(snapshot: Snapshot) -> None:
    for module, other in (("magic", "python-magic"), ("bs4", "beautifulsoup4")):
        lookup = judge_import(imported(module, module), snapshot.look_up(module), snapshot)
        assert other in lookup.evidence


def test_mapped_imports_and_installs_keep_their_verdict(snapshot: Snapshot) -> None:
    mapped = imported("magic", "file-magic")
    install = imported("magic", "magic", RefKind.INSTALL)
    for ref in (mapped, install):
        assert ref.name is not None
        found = snapshot.look_up(ref.name)
        assert found.verdict is Verdict.ABSENT
        assert judge_import(ref, found, snapshot) is found


def test_without_a_snapshot_no_variant_is_found(snapshot: Snapshot) -> None:
    found = snapshot.look_up("magic")
    assert judge_import(imported("magic", "magic"), found, None) is found


def test_variants() -> None:
    assert variants("foo_bar") == [
        "python-foo-bar", "pyfoobar", "py-foo-bar", "pyfoo-bar", "foo-bar-python", "foo-bar-py",
        "pythonfoobar", "foobar",
    ]  # fmt: skip
    assert variants("date_parser_cli")[-1] == "date-parser"
    assert "date-parser" not in variants("date_parser_client")
    assert "usb" not in variants("usb")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("crispy_forms", "django-crispy-forms"),  # the more popular one
        ("forms_crispy", "django-crispy-forms"),
        ("others", "crispy-forms-for-others"),
        ("pythonjsonlogger", "python-json-logger"),
        ("odd", None),  # no real package
        ("crispy_requests", None),
        ("requests", None),  # nobody downloads it here
        ("forms_forms", None),
    ],
)
def test_namesake(snapshot: Snapshot, module: str, name: str | None) -> None:
    assert namesake(module, snapshot) == name
