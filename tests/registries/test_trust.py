"""Which certificates are believed: a real server on the loopback has to be believed, or not."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import which

import httpx
import pytest

from ghostbust.errors import ConfigError
from ghostbust.registries.trust import trusted

VARIABLES = ("PIP_CERT", "npm_config_cafile", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
             "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")  # fmt: skip


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key beside it."""
    if which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem"


@pytest.fixture
def server(certificate: Path) -> Iterator[str]:
    """The address of an HTTPS server that proves itself with the certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        http.handle_error = lambda *_: None  # type: ignore[method-assign]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


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
    server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert not answers(server)
    monkeypatch.setenv(variable, str(certificate))
    assert answers(server)


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


def test_a_folder_of_certificates_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert trusted().verify_mode is ssl.CERT_REQUIRED
