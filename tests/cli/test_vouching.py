"""Who may say that a name needn't be looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.gathering import Vouching, passed_over, trusted_vouching
from ghostbust.errors import ConfigError
from ghostbust.records import Ecosystem, PackageRef, RefKind, Verdict
from ghostbust.registries.names import manifest_ref

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM
VOUCHING = Vouching.of(
    ["acme-core", "left-pad@npm", "pkg:npm/%40acme/ui"], ["@acme", "@other/*", "acme_int_*"]
)
TEXT = '[check]\nallow = ["ours"]\n'


@pytest.mark.parametrize(
    ("ecosystem", "name", "reason"),
    [
        (PYPI, "Acme.Core", "allowed"),
        (NPM, "acme-core", None),
        (NPM, "left-pad", "allowed"),
        (NPM, "@acme/ui", "allowed"),
        (NPM, "@acme/else", "private-scope"),
        (NPM, "@other/x", "private-scope"),
        (NPM, "@acmecorp/x", None),
        (PYPI, "acme-int-tools", "private-scope"),
        (PYPI, "acme-integration", None),
        (NPM, "acme-int-tools", None),
    ],
)
def test_lookup(ecosystem: Ecosystem, name: str, reason: str | None) -> None:
    found = VOUCHING.lookup(manifest_ref(ecosystem, name))
    assert (found and found.reason) == reason
    assert found is None or (found.verdict, found.source) == (Verdict.UNKNOWN, "rule")


def test_an_import_without_a_distribution_goes_by_its_own_name() -> None:
    ref = PackageRef(PYPI, RefKind.IMPORT, "acme_core", 0, 9, None, "acme_core")
    found = VOUCHING.lookup(ref)
    assert found is not None
    assert found.reason == "allowed"


@pytest.mark.parametrize("text", ["two words", "x @ https://files.example.test/x.whl", ""])
def test_no_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"check\.allow"):
        Vouching.of([text], [])


@pytest.mark.parametrize("text", ["*", "@", "@a/b", "acme", "@*", "-*", ""])
def test_no_scope(text: str) -> None:
    with pytest.raises(ConfigError, match=r"check\.private"):
        Vouching.of([], [text])


def test_the_homes_settings_and_a_given_file_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert trusted_vouching(None, tmp_path / "none") == Vouching()
    (tmp_path / "given.toml").write_text(TEXT)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ghostbust.toml").write_text('[check]\nprivate = ["@ours"]\n')
    assert trusted_vouching(tmp_path / "given.toml", None).allowed == {(PYPI, "ours")}
    assert trusted_vouching(None, tmp_path / "home").scopes == ((NPM, "@ours/"),)


def test_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTBUST_CHECK__ALLOW", '["ours"]')
    assert trusted_vouching(None, tmp_path).allowed == {(PYPI, "ours")}


def test_the_current_folders_settings_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not passed_over(None)
    (tmp_path / "ghostbust.toml").write_text(TEXT)
    monkeypatch.setenv("GHOSTBUST_CHECK__PRIVATE", '["@ours"]')  # so that settings are read at all
    assert trusted_vouching(None, tmp_path / "none") == Vouching(scopes=((NPM, "@ours/"),))
    assert passed_over(None)
    assert not passed_over(tmp_path / "ghostbust.toml")
    assert trusted_vouching(tmp_path / "ghostbust.toml", None).allowed == {(PYPI, "ours")}
