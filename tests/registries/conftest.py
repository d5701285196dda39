"""Small snapshots, and an HTTPS server on the loopback with a certificate that signs itself."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import which
from typing import TypeVar

import pytest

from ghostbust.records import Ecosystem, Lookup
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.registries.transport import Patience

Server = TypeVar("Server", bound=HTTPServer)

DAY = date(2026, 1, 2)
HASTE = Patience(attempts=3, initial_s=0, longest_s=2, floor_s=0, jitter_s=0)
"""three attempts without a wait"""


def snapshot_of(
    folder: Path,
    rows: Iterable[NameRow | str],
    ecosystem: Ecosystem = Ecosystem.PYPI,
    day: date = DAY,
    *,
    complete: bool = True,
) -> Snapshot:
    """A snapshot of these names, written into the folder."""
    named = [NameRow(row) if isinstance(row, str) else row for row in rows]
    return Snapshot.load(
        build_snapshot(named, ecosystem=ecosystem, date=day, complete=complete, out_dir=folder)
    )


class Cache:
    """A cache in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Ecosystem, str], Lookup] = {}

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        return self.kept.get((ecosystem, name))

    def put_lookup(self, lookup: Lookup) -> None:
        self.kept[lookup.ecosystem, lookup.name] = lookup


class QuietHandler(BaseHTTPRequestHandler):
    """Answers 204 and logs nothing."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def served(server: Server) -> Iterator[Server]:
    """The server, answering in a thread of its own until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
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
def https_server(certificate: Path) -> Iterator[str]:
    """The address of an HTTPS server that proves itself with the certificate."""
    http = HTTPServer(("127.0.0.1", 0), QuietHandler)
    http.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    http.socket = context.wrap_socket(http.socket, server_side=True)
    with served(http):
        yield f"https://127.0.0.1:{http.server_port}/"
