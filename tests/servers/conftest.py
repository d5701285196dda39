"""Real registries on the loopback.

Started once for the session, on free ports, from programs: pypiserver, which answers in HTML, and
simple-repository-server, which answers in JSON (both in the ``test`` extra); and verdaccio, which
npm installs into ghostbust's cache folder. What isn't there is skipped with the reason.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.npm import npm_file

VERDACCIO = "6.8.0"
"""the last that runs on Node 20"""
PIP_NAMES = ["pip", *(f"zz-real-{n}" for n in range(60))]
NPM_NAMES = ["npm", *(f"zz-real-{n}" for n in range(60))]
START_S = 40.0
"""longest start of a server on a busy machine"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(
    command: list[str], folder: Path, url: str, *,
    start_s: float = START_S, environment: Mapping[str, str] | None = None,
) -> Iterator[None]:  # fmt: skip
    """The program, from when it answers at ``url`` on; its output goes into a file.

    ``environment``: None for this process's.
    """
    with (folder / "output.txt").open("wb") as output:
        server = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, env=environment
        )
        try:
            end = time.monotonic() + start_s
            with httpx.Client(trust_env=False) as client:
                while not _answers(client, url):
                    told = (folder / "output.txt").read_text(errors="replace")
                    assert server.poll() is None, told
                    assert time.monotonic() < end, told
                    time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(30)


def ghostbust(*options: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The command as a process, in its home folder."""
    return subprocess.run(
        [sys.executable, "-m", "ghostbust", *options, "--home", str(home)],
        capture_output=True, text=True, timeout=900, check=False, cwd=home,
    )  # fmt: skip


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code < 500
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class PyPIServer:
    """A package index that serves the wheels of a folder. It asks no other index."""

    url: str
    folder: Path

    def publish(self, name: str, version: str = "1.0") -> Path:
        """Adds a wheel that holds nothing; the file."""
        stem = f"{name.replace('-', '_')}-{version}"
        file = self.folder / name / f"{stem}-py3-none-any.whl"
        file.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(file, "w") as wheel:
            told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            wheel.writestr(f"{stem}.dist-info/METADATA", told)
        return file


@contextmanager
def index_of(
    program: str, options: list[str], work: Path, names: Sequence[str]
) -> Iterator[PyPIServer]:
    """The index that a module of Python serves, with the names."""
    if find_spec(program) is None:  # not imported: import hooks of an old kind, and slow
        pytest.skip(f"{program} isn't installed; it is in the extra 'test'")
    port = str(free_port())
    server = PyPIServer(f"http://127.0.0.1:{port}/simple", work / "packages")
    server.folder.mkdir()
    for name in names:
        server.publish(name)
    said = [option.replace("PORT", port) for option in options]
    with running([sys.executable, "-m", program, *said, "packages"], work, f"{server.url}/"):
        yield server


PYPISERVER = ["run", "-i", "127.0.0.1", "-p", "PORT", "--disable-fallback",
              "--backend", "simple-dir"]  # fmt: skip


@pytest.fixture(scope="session")
def pypi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PyPIServer]:
    """pypiserver, with the names of `PIP_NAMES`."""
    work = tmp_path_factory.mktemp("pypiserver")
    with index_of("pypiserver", PYPISERVER, work, PIP_NAMES) as server:
        yield server


@pytest.fixture(scope="session")
def private_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PyPIServer]:
    """Another pypiserver, with a name of its own and one that the first has too."""
    work = tmp_path_factory.mktemp("private")
    with index_of("pypiserver", PYPISERVER, work, ["zz-private", "zz-real-1"]) as server:
        yield server


@pytest.fixture(scope="session")
def json_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PyPIServer]:
    """simple-repository-server, which speaks PEP 691, with the names of `PIP_NAMES`."""
    work = tmp_path_factory.mktemp("simple-repository-server")
    options = ["--host", "127.0.0.1", "--port", "PORT"]
    with index_of("simple_repository_server", options, work, PIP_NAMES) as server:
        yield server


class Door(ThreadingHTTPServer):
    """Lets those through to a server who show the credentials, as its guard or as a proxy."""

    def __init__(self, upstream: str, credentials: str) -> None:
        super().__init__(("127.0.0.1", 0), _Doorkeeper)
        self.upstream = urlsplit(upstream)
        self.credentials = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self.asked: list[str] = []
        """what was asked by those who were let through: a path, or a URL if it is a proxy"""
        self.turned_away = 0
        self.address = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.address}{self.upstream.path}"


class _Doorkeeper(BaseHTTPRequestHandler):
    server: Door

    def do_GET(self) -> None:
        shown = self.headers["Proxy-Authorization"] or self.headers["Authorization"]
        if shown != self.server.credentials:
            self.server.turned_away += 1
            self._answer(401, "text/plain", b"")
            return
        self.server.asked.append(self.path)
        there = self.server.upstream._replace(path=urlsplit(self.path).path)
        accept = {"Accept": self.headers["Accept"]}
        got = httpx.get(there.geturl(), headers=accept, trust_env=False, timeout=30)
        self._answer(got.status_code, got.headers.get("Content-Type", ""), got.content)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def make_door() -> Iterator[Callable[[str, str], Door]]:
    """Puts a door before the server at a URL, which opens to ``user:password``."""
    with ExitStack() as stack:

        def make(upstream: str, credentials: str) -> Door:
            door = stack.enter_context(Door(upstream, credentials))
            thread = threading.Thread(target=door.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(door.shutdown)
            return door

        yield make


@dataclass(frozen=True)
class NpmServer:
    """An npm registry whose names below ``@private`` need the token."""

    url: str
    token: str

    def publish(self, name: str, version: str = "1.0.0", files: Mapping[str, bytes] = {}) -> None:
        """Publishes a tarball with package.json and the given files."""
        manifest = {"name": name, "version": version}
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            for path, told in {"package.json": json.dumps(manifest).encode(), **files}.items():
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size = len(told)
                tar.addfile(entry, io.BytesIO(told))
        data = content.getvalue()
        file = f"{name}-{version}.tgz"
        sha512 = base64.b64encode(hashlib.sha512(data).digest()).decode()
        dist = {
            "tarball": f"{self.url}/{name}/-/{file}",
            "integrity": f"sha512-{sha512}",
            "shasum": hashlib.sha1(data).hexdigest(),
        }
        document = {
            "_id": name,
            "name": name,
            "dist-tags": {"latest": version},
            "versions": {version: {**manifest, "_id": f"{name}@{version}", "dist": dist}},
            "_attachments": {
                file: {
                    "content_type": "application/octet-stream",
                    "data": base64.b64encode(data).decode(),
                    "length": len(data),
                }
            },
        }
        answer = httpx.put(
            f"{self.url}/{quote(name, safe='@')}",
            json=document,
            headers={"Authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=30,
        )
        assert answer.status_code == 201, answer.text


@pytest.fixture(scope="session")
def verdaccio() -> Path:
    """The program of verdaccio."""
    # What it asks for by a tag, mirrors may lack.
    overrides = {"node-fetch": "2.7.0"}
    return npm_file("verdaccio", VERDACCIO, "bin/verdaccio", overrides)


_VERDACCIO_CONFIG = """
storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
uplinks: {}
max_body_size: 100mb
packages:
  '@private/*': {access: $authenticated, publish: $authenticated, unpublish: $authenticated}
  '**': {access: $all, publish: $authenticated, unpublish: $authenticated}
log: {type: stdout, format: json, level: error}
"""


@pytest.fixture(scope="session")
def npm_server(verdaccio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NpmServer]:
    """verdaccio, with the names of `NPM_NAMES`. It asks no other registry."""
    work = tmp_path_factory.mktemp("verdaccio")
    (work / "config.yaml").write_text(_VERDACCIO_CONFIG)
    url = f"http://127.0.0.1:{free_port()}"
    listen = url.removeprefix("http://")
    command = ["node", str(verdaccio), "--config", "config.yaml", "--listen", listen]
    with running(command, work, f"{url}/-/ping"):
        user = {"name": "tester", "password": "pass-word-1"}
        place = f"{url}/-/user/org.couchdb.user:tester"
        token = httpx.put(place, json=user, trust_env=False, timeout=30).json()["token"]
        server = NpmServer(url, token)
        for name in (*NPM_NAMES, "@private/tool", "@scope/tool"):
            server.publish(name)
        server.publish("zz-held", "0.0.1-security")
        yield server
