"""Which certificates are believed: a real server on the loopback has to be believed, or not."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import ConfigError
from ghostbust.registries.clients import trusted

VARIABLES = ("PIP_CERT", "npm_config_cafile", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
             "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the machine's settings."""
    for name in (*VARIABLES, "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))


def answers(url: str) -> bool:
    with httpx.Client(verify=trusted(), trust_env=False) as client:
        try:
            return client.get(url).status_code == 204
        except httpx.ConnectError:
            return False


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_setting_is_believed(
    https_server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert not answers(https_server)
    monkeypatch.setenv(variable, str(certificate))
    assert answers(https_server)


@pytest.mark.parametrize("variable", VARIABLES[:-1])
def test_a_setting_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv(variable, str(bundle))
    with pytest.raises(ConfigError, match=r"bundle\.pem"):
        trusted()
    bundle.write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match="can't be read as certificates"):
        trusted()


@pytest.mark.parametrize("as_list", [False, True])
def test_certificates_that_npms_settings_hold_are_believed(
    https_server: str,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_list: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    pem = certificate.read_text().strip().replace("\n", "\\n")
    lines = [f'ca[]="{pem}"', f'ca[]="{pem}"'] if as_list else [f'ca="{pem}"']
    (tmp_path / ".npmrc").write_text("\n".join(lines))
    assert answers(https_server)
    (tmp_path / ".npmrc").write_text("ca=null")
    assert not answers(https_server)
    (tmp_path / ".npmrc").write_text("ca=no certificate")
    with pytest.raises(ConfigError, match="npm's 'ca'"):
        trusted()


def test_a_folder_of_certificates_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert trusted().verify_mode is ssl.CERT_REQUIRED
