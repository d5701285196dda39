"""Rules: verdicts that need no registry, the model's age, what absent names and imports are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ghostbust.records import (
    PROMPTED,
    Ecosystem,
    Flag,
    Lookup,
    PackageRef,
    RefKind,
    SuspectReason,
    Verdict,
)
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.rules import AgeRule, judge_import, settle_name, settle_ref, variants
from ghostbust.registries.snapshot import NameRow, Snapshot
from tests.registries.conftest import snapshot_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PYPI, NPM, CONDA = Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.CONDA


def ref(
    name: str | None,
    kind: RefKind = RefKind.INSTALL,
    *,
    raw: str = "mystery",
    builtin: bool = False,
    flags: frozenset[Flag] = frozenset(),
) -> PackageRef:
    return PackageRef(
        PYPI, kind, raw, 0, len(raw), name, raw if kind is RefKind.IMPORT else None,
        builtin=builtin, flags=flags,
    )  # fmt: skip


# Without a registry


@pytest.mark.parametrize(
    ("ecosystem", "name", "verdict", "reason", "source"),
    [
        (PYPI, "os", Verdict.BUILTIN, "builtin", "builtin"),
        (PYPI, "typing", Verdict.BUILTIN, "builtin", "builtin"),  # though a backport is registered
        (NPM, "events", Verdict.BUILTIN, "builtin", "builtin"),
        (NPM, "node:path", Verdict.BUILTIN, "builtin", "builtin"),
        (PYPI, "my package!", Verdict.ABSENT, "invalid-name", "rule"),
        *((CONDA, name, Verdict.UNKNOWN, "not-asked", "rule")
          for name in ("numpy", "xyzzy-no-such", "os", "not a name")),
    ],
)  # fmt: skip
def test_names_that_no_registry_can_change(
    ecosystem: Ecosystem, name: str, verdict: Verdict, reason: str, source: str
) -> None:
    lookup = settle_name(ecosystem, name, NOW)
    assert lookup is not None
    assert (lookup.verdict, lookup.reason, lookup.source) == (verdict, reason, source)
    assert lookup.invented is (verdict is Verdict.ABSENT)


@pytest.mark.parametrize(
    "flag", [Flag.LOCAL_MODULE, Flag.TRUNCATED, Flag.ELSEWHERE, Flag.PRIVATE_INDEX]
)
def test_flags_that_make_a_ref_unknown(flag: Flag) -> None:
    lookup = settle_ref(ref("requests", flags=frozenset({flag})), NOW)
    assert isinstance(lookup, Lookup)
    assert (lookup.verdict, lookup.reason, lookup.name) == (Verdict.UNKNOWN, flag, "requests")


def test_refs_that_no_registry_can_change() -> None:
    builtin = settle_ref(ref("os", RefKind.IMPORT, builtin=True), NOW)
    unmapped = settle_ref(ref(None, RefKind.IMPORT), NOW)
    assert isinstance(builtin, Lookup)
    assert isinstance(unmapped, Lookup)
    assert (builtin.name, builtin.verdict) == ("os", Verdict.BUILTIN)
    assert (unmapped.name, unmapped.verdict, unmapped.reason) == (
        "mystery", Verdict.UNKNOWN, "no-mapping",
    )  # fmt: skip


def test_others_have_to_be_asked_for() -> None:
    assert settle_name(PYPI, "requests", NOW) is None
    harmless = frozenset({Flag.OPTIONAL, Flag.PROMPT_INDUCED})
    assert settle_ref(ref("requests", flags=harmless), NOW) == "requests"


# Younger than the model

CUTOFF = date(2025, 6, 15)


def real(name: str = "new", released: datetime | None = None) -> Lookup:
    return Lookup(PYPI, name, Verdict.REAL, "registered", "there", "live", NOW, released)


@pytest.fixture
def known(tmp_path: Path) -> list[Snapshot]:
    return [
        snapshot_of(tmp_path / "1", ["old"], day=date(2025, 1, 1)),
        snapshot_of(tmp_path / "2", ["few"], day=date(2025, 8, 1), complete=False),
        snapshot_of(tmp_path / "3", ["old", "unsure"], day=date(2025, 9, 1)),
        snapshot_of(tmp_path / "4", ["old", "unsure", "new"], day=date(2026, 1, 1)),
    ]


@pytest.fixture
def rule(known: list[Snapshot]) -> AgeRule:
    return AgeRule(CUTOFF, {PYPI: known})


@pytest.mark.parametrize(
    ("lookup", "shown"),
    [
        (real(released=datetime(2025, 6, 15, 23, 59, tzinfo=UTC)), ""),
        (real(released=datetime(2025, 6, 16, tzinfo=UTC)), "first released 2025-06-16"),
        (real("new"), "not yet registered on 2025-09-01"),
        (real("unsure"), ""),  # can't be dated
        # There before, whatever is left of its files.
        (real("old", datetime(2025, 12, 1, tzinfo=UTC)), ""),
        (Lookup(PYPI, "new", Verdict.ABSENT, "not-registered", "404", "live", NOW), ""),
    ],
)
def test_names_younger_than_the_model(rule: AgeRule, lookup: Lookup, shown: str) -> None:
    judged = rule(lookup)
    if not shown:
        assert judged is lookup
        return
    assert (judged.verdict, judged.reason) == (Verdict.SUSPECT, "younger-than-model")
    assert judged.evidence == f"there; {shown}, the model's knowledge ends 2025-06-15"


def test_a_snapshot_that_lacks_it_shows_nothing_of_an_extra_index(known: list[Snapshot]) -> None:
    elsewhere = AgeRule(CUTOFF, {PYPI: known}, also_elsewhere={PYPI})
    assert elsewhere(real("private")).verdict is Verdict.REAL
    assert elsewhere(real("private", datetime(2026, 1, 1, tzinfo=UTC))).verdict is Verdict.SUSPECT


def test_whose_age_is_asked_for() -> None:
    rule = AgeRule(CUTOFF, {})
    assert rule.may_be_young("x", datetime(2025, 6, 16, tzinfo=UTC))
    assert not rule.may_be_young("x", datetime(2025, 6, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("cutoff", "new"),
    [
        (None, Verdict.REAL),
        (date(2024, 10, 31), Verdict.SUSPECT),
        (date(2026, 12, 1), Verdict.REAL),
    ],
)
def test_the_default_judge_compares_with_every_snapshot_there_is(
    tmp_path: Path, cutoff: date | None, new: Verdict
) -> None:
    """A name that is new since the shipped snapshot is younger than a model of before it."""
    snapshot_of(tmp_path, [NameRow("requests", 1), "zz-brand-new"], day=date(2027, 1, 1))
    with default_judge(Mode.SNAPSHOT, data_dir=tmp_path, cutoff=cutoff) as judge:
        found = judge.names(PYPI, ["requests", "zz-brand-new"])
    assert [one.verdict for one in found.values()] == [Verdict.REAL, new]


# What an absent name is instead


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    names = {PYPI: ("matplotlib", "scikit-learn"), NPM: ("d3", "three")}
    snapshots = {eco: snapshot_of(tmp_path, names[eco], eco) for eco in PROMPTED}
    return Judge(Mode.SNAPSHOT, snapshots=snapshots)


@pytest.mark.parametrize(
    ("ecosystem", "name", "what"),
    [
        (PYPI, "pip3", "pip3 is a command, of pip"),
        (PYPI, "Python3.11", "python3-11 is a command, of python"),
        (PYPI, "d3-js", "d3 is a package of npm"),
        (PYPI, "Three.js", "three is a package of npm"),
        (NPM, "d3-js", "npm has d3"),
        (PYPI, "sklearn-model-selection", "sklearn is the module of scikit-learn"),
        (PYPI, "pip-tools-zz", ""),
        (PYPI, "zz-quux-js", ""),
        (PYPI, "js", ""),
        (NPM, "zz-quux", ""),
    ],
)
def test_the_evidence_ends_with_what_an_absent_name_is(
    judge: Judge, ecosystem: Ecosystem, name: str, what: str
) -> None:
    lookup = judge.names(ecosystem, [name])[name]
    assert (lookup.verdict, lookup.reason) == (Verdict.ABSENT, "not-registered")
    assert lookup.evidence.partition("; ")[2] == what


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("matplotlib.pyplot", "matplotlib.pyplot is written as a module of matplotlib"),
        ("sklearn.svm", "sklearn is the module of scikit-learn"),
        ("d3.js", "d3 is a package of npm"),
        ("zz.quux", ""),
    ],
)
def test_a_name_with_dots_is_a_module_of_the_package_in_front(
    judge: Judge, raw: str, what: str
) -> None:
    [judged] = judge.refs([ref(raw.replace(".", "-"), RefKind.LIST, raw=raw)])
    assert judged.lookup.evidence.partition("; ")[2] == what


# Imports whose distribution was guessed


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    rows: list[NameRow | str] = [
        "python-magic", "pyfoobar", "requests",
        NameRow("django-crispy-forms", 1),
        NameRow("crispy-forms-for-others", 2),
        NameRow("python-json-logger", 3),
        NameRow("odd-forms", 4, SuspectReason.DECOY, "requests"),
        NameRow("bs4", 9, SuspectReason.DECOY, "beautifulsoup4"),
        NameRow("py-fake", None, SuspectReason.PLACEHOLDER),
    ]  # fmt: skip
    return snapshot_of(tmp_path, rows)


@pytest.mark.parametrize(
    ("module", "name", "verdict", "evidence"),
    [
        ("requests.adapters", "requests", Verdict.REAL, ""),
        ("magic", "magic", Verdict.UNKNOWN, "python-magic is registered"),
        ("foo_bar", "foo-bar", Verdict.UNKNOWN, "pyfoobar is registered"),
        ("bs4", "bs4", Verdict.UNKNOWN, "beautifulsoup4"),
        ("nothing_like_it", "nothing-like-it", Verdict.ABSENT, ""),
        ("quux_pb2", "quux-pb2", Verdict.UNKNOWN, "protoc"),
        ("quux_pb2_grpc", "quux-pb2-grpc", Verdict.UNKNOWN, "protoc"),
        ("crispy_forms", "crispy-forms", Verdict.UNKNOWN, "django-crispy-forms is popular"),
        ("pythonjsonlogger", "pythonjsonlogger", Verdict.UNKNOWN, "python-json-logger is popular"),
        ("forms_crispy", "forms-crispy", Verdict.UNKNOWN, "django-crispy-forms is popular"),
        ("others", "others", Verdict.UNKNOWN, "crispy-forms-for-others is popular"),
        ("odd", "odd", Verdict.ABSENT, ""),  # only a decoy has that word
        ("crispy_requests", "crispy-requests", Verdict.ABSENT, ""),
        ("pyfoobar_x", "pyfoobar-x", Verdict.ABSENT, ""),  # nobody downloads pyfoobar
        ("forms_forms", "forms-forms", Verdict.ABSENT, ""),
        ("fake", "fake", Verdict.ABSENT, ""),  # its variant is no real package
        ("magic", "file-magic", Verdict.ABSENT, ""),  # mapped, not guessed
    ],
)
def test_guessed_imports(
    snapshot: Snapshot, module: str, name: str, verdict: Verdict, evidence: str
) -> None:
    found = snapshot.look_up(name)
    lookup = judge_import(ref(name, RefKind.IMPORT, raw=module), found, snapshot)
    assert (lookup.name, lookup.verdict) == (name, verdict)
    if verdict is Verdict.UNKNOWN:
        assert lookup.reason == "no-mapping"
        assert evidence in lookup.evidence
    else:
        assert lookup is found


def test_installs_keep_their_verdict_and_without_a_snapshot_no_variant_is_found(
    snapshot: Snapshot,
) -> None:
    found = snapshot.look_up("magic")
    assert judge_import(ref("magic", raw="magic"), found, snapshot) is found
    assert judge_import(ref("magic", RefKind.IMPORT, raw="magic"), found, None) is found


def test_variants() -> None:
    assert variants("foo_bar") == [
        "python-foo-bar", "pyfoobar", "py-foo-bar", "pyfoo-bar", "foo-bar-python", "foo-bar-py",
        "pythonfoobar", "foobar",
    ]  # fmt: skip
    assert variants("date_parser_cli")[-1] == "date-parser"
    assert "date-parser" not in variants("date_parser_client")
    assert "usb" not in variants("usb")
