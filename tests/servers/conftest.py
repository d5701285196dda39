"""Real registries on the loopback, and a proxy before them that spoils answers.

Started once for the session, on free ports, from programs: pypiserver (in the ``test`` extra) and
verdaccio, which npm installs into ghostbust's cache folder. Where Node is missing, or npm can't
fetch verdaccio, what needs it is skipped with the reason.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from ghostbust.home import cache_dir

VERDACCIO = "6.8.0"
"""the last that runs on Node 20"""
PIP_NAMES = ["pip", *(f"zz-real-{n}" for n in range(60))]
NPM_NAMES = ["npm", *(f"zz-real-{n}" for n in range(60))]
START_S = 40.0
"""longest start of a server on a busy machine"""


class Fault(StrEnum):
    """What the proxy does to an answer."""

    TIMEOUT = "no answer at all"
    LIMIT = "429, Retry-After: 0"
    ERROR = "500"
    GATEWAY = "502 with a page"
    CUT = "half of the body, then the connection ends"
    CUT_UNSEEN = "half of the body, of no told length"
    WRONG_TYPE = "the right body as application/octet-stream"
    LOGIN_PAGE = "200, a page of HTML that has nothing to do with it"
    DRIP = "a byte now and then"
    RESET = "the connection is reset"


LOGIN = b"<!DOCTYPE html><html><body><a href='/login'>Please log in</a></body></html>"


@dataclass
class FaultProxy:
    """An HTTP proxy before one server, which spoils a share of the answers, chosen by a seed."""

    upstream: str
    seed: int = 0
    share: float = 0.5
    port: int = 0
    log: dict[str, list[Fault | None]] = field(default_factory=lambda: defaultdict(list))
    """path to what became of each answer; None for one that was sent as it was"""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._host, self._port = urlsplit(self.upstream).hostname, urlsplit(self.upstream).port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{urlsplit(self.upstream).path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question; the connection isn't used again."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            spoilt = "dead" in path or self._random.random() < self.share
            fault = self._random.choice(list(Fault)) if spoilt else None
            if fault is not None:
                self.log[path].append(fault)
            await self._answer(head, fault, writer)
            if fault is None:  # now that all of it is on its way
                self.log[path].append(None)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            await _closed(writer)

    async def _answer(self, head: bytes, fault: Fault | None, writer: asyncio.StreamWriter) -> None:
        match fault:
            case Fault.TIMEOUT:
                await asyncio.sleep(3)
            case Fault.LIMIT:
                writer.write(b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
            case Fault.ERROR:
                writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
            case Fault.GATEWAY:
                writer.write(_response("502 Bad Gateway", "text/html", LOGIN))
            case Fault.LOGIN_PAGE:
                writer.write(_response("200 OK", "text/html", LOGIN))
            case Fault.RESET:
                linger = b"\1\0\0\0\0\0\0\0"  # on, 0 s: closing sends a reset
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case _:
                await self._pass_on(head, fault, writer)
        await writer.drain()

    async def _pass_on(
        self, head: bytes, fault: Fault | None, writer: asyncio.StreamWriter
    ) -> None:
        status, kind, body = await self._ask(head)
        if fault in (Fault.CUT, Fault.CUT_UNSEEN, Fault.DRIP) and len(body) < 2:
            body = LOGIN
        whole = _response(status, kind, body)
        if fault is Fault.WRONG_TYPE:
            whole = _response("200 OK", "application/octet-stream", body)
        elif fault is Fault.CUT_UNSEEN:
            # Of a 404 nothing that counts is lost, so that it would be an answer.
            status = "200 OK" if status.startswith("404") else status
            whole = _response(status, kind, body, length=False)
        if fault in (Fault.CUT, Fault.CUT_UNSEEN):
            whole = whole[: len(whole) - len(body) // 2 - 1]
        if fault is Fault.DRIP:
            for byte in whole[:-1]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
            return
        writer.write(whole)

    async def _ask(self, head: bytes) -> tuple[str, str, bytes]:
        """Status, content type and body that the server answers to the question."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        lines = [line for line in head.split(b"\r\n")[:-2] if _is_passed_on(line)]
        writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        answer = await reader.read()
        await _closed(writer)
        told, _, body = answer.partition(b"\r\n\r\n")
        first, *fields = told.decode().split("\r\n")
        headers = {key.lower(): value for key, value in (f.split(": ", 1) for f in fields)}
        assert "transfer-encoding" not in headers, "the proxy can't read chunks"
        return first.split(" ", 1)[1], headers.get("content-type", ""), body


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _is_passed_on(line: bytes) -> bool:
    return not line.lower().startswith((b"connection:", b"accept-encoding:"))


def _response(status: str, kind: str, body: bytes, *, length: bool = True) -> bytes:
    told = f"Content-Length: {len(body)}\r\n" if length else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{told}Connection: close\r\n\r\n"
    return head.encode() + body


@contextmanager
def proxied(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """The proxy at work, in a thread of its own, on a free port."""
    ready, ends = threading.Event(), []

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with await asyncio.start_server(proxy.handle, "127.0.0.1", 0) as server:
            proxy.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(START_S)
    yield proxy
    ends[0]()
    thread.join()


@pytest.fixture
def make_proxy() -> Iterator[Callable[[str, int], FaultProxy]]:
    """Starts a proxy before the server at a URL, with a seed; half of its answers are spoilt."""
    with ExitStack() as stack:
        yield lambda url, seed: stack.enter_context(proxied(FaultProxy(url, seed)))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], folder: Path, url: str) -> Iterator[None]:
    """The program, from when it answers at ``url`` on; its output goes into a file."""
    with (folder / "output.txt").open("wb") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        try:
            end = time.monotonic() + START_S
            with httpx.Client(trust_env=False) as client:
                while not _answers(client, url):
                    told = (folder / "output.txt").read_text(errors="replace")
                    assert server.poll() is None, told
                    assert time.monotonic() < end, told
                    time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(10)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code < 500
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class PyPIServer:
    """A package index in HTML."""

    url: str
    folder: Path

    def publish(self, name: str, version: str = "1.0") -> None:
        """Adds a wheel that holds nothing."""
        stem = f"{name.replace('-', '_')}-{version}"
        with zipfile.ZipFile(self.folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\n")


@pytest.fixture(scope="session")
def pypi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PyPIServer]:
    """pypiserver, with the names of `PIP_NAMES`. It asks no other index."""
    if find_spec("pypiserver") is None:  # not imported: its import hooks are of an old kind
        pytest.skip("pypiserver isn't installed; it is in the extra 'test'")
    work = tmp_path_factory.mktemp("pypiserver")
    packages = work / "packages"
    packages.mkdir()
    port = free_port()
    server = PyPIServer(f"http://127.0.0.1:{port}/simple", packages)
    for name in PIP_NAMES:
        server.publish(name)
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port),
               "--disable-fallback", "--backend", "simple-dir", str(packages)]  # fmt: skip
    with running(command, work, f"{server.url}/"):
        yield server


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
    """The program of verdaccio, installed by npm into the cache folder."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js with npm on this machine, which verdaccio needs")
    folder = cache_dir() / "tests" / f"verdaccio-{VERDACCIO}"
    program = folder / "node_modules" / "verdaccio" / "bin" / "verdaccio"
    if program.is_file():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        "private": True,
        "dependencies": {"verdaccio": VERDACCIO},
        # Asked for by a tag, which mirrors may lack.
        "overrides": {"node-fetch": "2.7.0"},
    }
    (folder / "package.json").write_text(json.dumps(wanted))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode or not program.is_file():
        pytest.skip(f"npm can't install verdaccio here: {done.stderr.strip()[-200:]}")
    return program


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
