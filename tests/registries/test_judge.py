"""The judge, in all modes: on made-up snapshots, and against a real server on the loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from ghostbust.errors import SnapshotError, UsageError
from ghostbust.records import ASKED, Ecosystem, Flag, Lookup, PackageRef, RefKind, SuspectReason
from ghostbust.registries.interface import Registry
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.live import LiveLookups
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.registries.transport import Client, Patience, endpoint

HASTE = Patience(attempts=3, initial_s=0, floor_s=0, jitter_s=0)
SIMPLE = "application/vnd.pypi.simple.v1+json"
PAGE: dict[str, object] = {
    "meta": {"api-version": "1.3"},
    "files": [{"filename": "any-1.tar.gz", "upload-time": "2020-02-03T04:05:06Z"}],
}
PACKAGE: dict[str, object] = {"versions": {"1.0.0": {}}, "dist-tags": {"latest": "1.0.0"}}


class RegistryServer(ThreadingHTTPServer):
    """A small registry: names that it knows, and names that it answers badly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: RegistryServer

    def do_GET(self) -> None:
        kind, _, name = self.path.strip("/").partition("/")
        self.server.asked[name] += 1
        first = self.server.asked[name] == 1
        if name.startswith("limited") and first:
            self.answer(429, b"", "text/plain", {"Retry-After": "0"})
        elif name.startswith("down"):
            self.answer(503, b"", "text/plain")
        elif name.startswith("absent"):
            self.answer(404, b"<h1>404</h1>", "text/html")
        elif kind == "npm":
            package = PACKAGE | {"name": unquote(name)}
            self.answer(200, json.dumps(package).encode(), "application/json")
        elif name.startswith("cut") or (name.startswith("once-cut") and first):
            self.answer(200, json.dumps(PAGE | {"name": name}).encode()[:-20], SIMPLE, cut=20)
        else:
            self.answer(200, json.dumps(PAGE | {"name": name}).encode(), SIMPLE)

    def answer(
        self,
        status: int,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        *,
        cut: int = 0,
    ) -> None:
        """Sends the body; with ``cut``, promises that many bytes more than it sends."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
        """Keeps the test's output quiet."""


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def snapshots(tmp_path: Path) -> dict[Ecosystem, Snapshot]:
    """A complete PyPI of four names, and an npm that knows only one of its names."""
    rows = {
        Ecosystem.PYPI: [
            NameRow("requests", 1),
            NameRow("sklearn", 2, SuspectReason.DECOY, "scikit-learn"),
            NameRow("scikit-learn", 3),
            NameRow("python-magic"),
        ],
        Ecosystem.NPM: [NameRow("react", 1)],
    }
    return {
        ecosystem: Snapshot.load(
            build_snapshot(
                rows[ecosystem], ecosystem=ecosystem, date=date(2026, 1, 2), out_dir=tmp_path,
                complete=ecosystem is Ecosystem.PYPI,
            )
        )
        for ecosystem in ASKED
    }  # fmt: skip


class Cache:
    """A cache in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Ecosystem, str], Lookup] = {}

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        return self.kept.get((ecosystem, name))

    def put_lookup(self, lookup: Lookup) -> None:
        self.kept[lookup.ecosystem, lookup.name] = lookup


@contextmanager
def online(
    mode: Mode,
    url: str,
    snapshots: dict[Ecosystem, Snapshot],
    cache: Cache | None = None,
    also_elsewhere: Collection[Ecosystem] = (),
) -> Iterator[Judge]:
    """A judge whose registries answer at ``url``."""
    client = Client(httpx.AsyncClient(trust_env=False), HASTE)
    registries: dict[Ecosystem, Registry] = {
        Ecosystem.PYPI: PyPIRegistry(client, endpoint(f"{url}/simple/", "test")),
        Ecosystem.NPM: NpmRegistry(client, NpmEndpoints(endpoint(f"{url}/npm/", "test"))),
    }
    live = LiveLookups(registries, cache=cache, on_close=client.http.aclose)
    with Judge(mode, snapshots=snapshots, live=live, also_elsewhere=also_elsewhere) as judge:
        yield judge


def said(lookups: dict[str, Lookup]) -> dict[str, tuple[str, str]]:
    return {name: (str(found.verdict), found.reason) for name, found in lookups.items()}


def ref(name: str, kind: RefKind = RefKind.INSTALL, *flags: Flag) -> PackageRef:
    return PackageRef(
        Ecosystem.PYPI, kind, name, 0, len(name), name,
        import_name=name if kind is RefKind.IMPORT else None, flags=frozenset(flags),
    )  # fmt: skip


def test_names_from_the_snapshot(snapshots: dict[Ecosystem, Snapshot]) -> None:
    judge = Judge(Mode.SNAPSHOT, snapshots=snapshots)
    assert said(judge.names(Ecosystem.PYPI, ["Requests", "requests", "nope", "os", "a b"])) == {
        "Requests": ("REAL", "registered"),
        "requests": ("REAL", "registered"),
        "nope": ("ABSENT", "not-registered"),
        "os": ("BUILTIN", "builtin"),
        "a b": ("ABSENT", "invalid-name"),
    }
    assert said(judge.names(Ecosystem.NPM, ["react", "vue", "fs"])) == {
        "react": ("REAL", "registered"),
        "vue": ("UNKNOWN", "not-in-snapshot"),
        "fs": ("BUILTIN", "builtin"),
    }
    assert judge.names(Ecosystem.NPM, []) == {}


def test_refs_in_order_with_flags_and_guesses(snapshots: dict[Ecosystem, Snapshot]) -> None:
    judge = Judge(Mode.SNAPSHOT, snapshots=snapshots)
    npm = PackageRef(Ecosystem.NPM, RefKind.INSTALL, "react", 0, 5, "react")
    refs = [
        ref("sklearn"),
        ref("magic", RefKind.IMPORT),
        npm,
        ref("magic"),
        ref("nope", RefKind.INSTALL, Flag.TRUNCATED),
        ref("requests", RefKind.IMPORT),
    ]
    judged = judge.refs(refs)
    assert [one.ref for one in judged] == refs
    assert [(str(one.lookup.verdict), one.lookup.reason) for one in judged] == [
        ("SUSPECT", "decoy"),
        ("UNKNOWN", "no-mapping"),
        ("REAL", "registered"),
        ("ABSENT", "not-registered"),
        ("UNKNOWN", "truncated"),
        ("REAL", "registered"),
    ]


def test_with_extra_indexes_a_snapshots_no_is_not_the_last_word(
    server: RegistryServer, snapshots: dict[Ecosystem, Snapshot]
) -> None:
    names = ["requests", "private", "absent-1"]
    for elsewhere, asked in (((), []), ({Ecosystem.PYPI}, ["absent-1", "pip", "private"])):
        server.asked.clear()
        with online(Mode.AUTO, server.url, snapshots, also_elsewhere=elsewhere) as judge:
            found = judge.names(Ecosystem.PYPI, names)
        assert sorted(server.asked) == asked
        assert found["requests"].source == "snapshot:2026-01-02"
        verdict = "REAL" if elsewhere else "ABSENT"
        assert said(found)["private"][0] == verdict
        assert said(found)["absent-1"][0] == "ABSENT"


def test_without_a_snapshot_in_snapshot_mode() -> None:
    judge = Judge(Mode.SNAPSHOT, snapshots={})
    with pytest.raises(SnapshotError, match="ghostbust registry build"):
        judge.names(Ecosystem.PYPI, ["requests"])


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.AUTO])
def test_modes_that_ask_need_someone_to_ask(mode: Mode) -> None:
    with pytest.raises(ValueError, match="needs live registries"):
        Judge(mode, snapshots={})


def test_live_mode_asks_the_server(
    server: RegistryServer, snapshots: dict[Ecosystem, Snapshot]
) -> None:
    with online(Mode.LIVE, server.url, snapshots) as judge:
        names = ["requests", "limited", "cut", "once-cut", "absent-1", "down", "sklearn", "os"]
        assert said(judge.names(Ecosystem.PYPI, names)) == {
            "requests": ("REAL", "registered"),
            "limited": ("REAL", "registered"),
            "cut": ("UNKNOWN", "unreachable"),
            "once-cut": ("REAL", "registered"),
            "absent-1": ("ABSENT", "not-registered"),
            "down": ("UNKNOWN", "unreachable"),
            "sklearn": ("SUSPECT", "decoy"),  # the page looks real, the snapshot knows better
            "os": ("BUILTIN", "builtin"),
        }
        assert said(judge.names(Ecosystem.NPM, ["@scope/name", "limited-2", "absent-2"])) == {
            "@scope/name": ("REAL", "registered"),
            "limited-2": ("REAL", "registered"),
            "absent-2": ("ABSENT", "not-registered"),
        }
    asked = server.asked
    assert (asked["limited"], asked["once-cut"], asked["limited-2"]) == (2, 2, 2)
    # Once more than patience says, since others got answers.
    assert asked["cut"] == asked["down"] == 2 * HASTE.attempts
    assert (asked["requests"], asked["absent-1"], asked["os"]) == (1, 1, 0)


def test_auto_mode_asks_only_for_what_the_snapshot_does_not_know(
    server: RegistryServer, snapshots: dict[Ecosystem, Snapshot]
) -> None:
    with online(Mode.AUTO, server.url, snapshots) as judge:
        assert said(judge.names(Ecosystem.PYPI, ["requests", "nope"])) == {
            "requests": ("REAL", "registered"),
            "nope": ("ABSENT", "not-registered"),
        }
        assert not server.asked
        found = judge.names(Ecosystem.NPM, ["react", "vue", "absent"])
        assert said(found) == {
            "react": ("REAL", "registered"),
            "vue": ("REAL", "registered"),
            "absent": ("ABSENT", "not-registered"),
        }
    assert (found["react"].source, found["vue"].source) == ("snapshot:2026-01-02", "live")
    assert server.asked == {"vue": 1, "absent": 1, "npm": 1}


def test_the_cache_outlives_the_judge(
    server: RegistryServer, snapshots: dict[Ecosystem, Snapshot]
) -> None:
    cache = Cache()
    for _ in range(2):
        with online(Mode.LIVE, server.url, snapshots, cache) as judge:
            found = said(judge.names(Ecosystem.PYPI, ["requests", "sklearn", "absent", "down"]))
            assert found["sklearn"] == ("SUSPECT", "decoy")
            assert found["down"] == ("UNKNOWN", "unreachable")
    assert (server.asked["requests"], server.asked["sklearn"], server.asked["absent"]) == (1, 1, 1)
    # In the first run once more, since others got answers; in the second it is asked for alone.
    assert server.asked["down"] == 3 * HASTE.attempts


def test_nobody_there_is_unknown(snapshots: dict[Ecosystem, Snapshot]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with online(Mode.AUTO, url, snapshots) as judge:
            found = judge.names(Ecosystem.NPM, ["vue", "react"])
    assert said(found) == {
        "vue": ("UNKNOWN", "unreachable"),
        "react": ("REAL", "registered"),
    }
    assert "127.0.0.1" in found["vue"].evidence


def test_default_judge_takes_the_own_snapshot_first(tmp_path: Path) -> None:
    build_snapshot(
        [NameRow("only-mine")], ecosystem=Ecosystem.PYPI, date=date(2026, 1, 2), complete=True,
        out_dir=tmp_path,
    )  # fmt: skip
    with default_judge(Mode.SNAPSHOT, data_dir=tmp_path) as judge:
        assert said(judge.names(Ecosystem.PYPI, ["only-mine", "requests"])) == {
            "only-mine": ("REAL", "registered"),
            "requests": ("ABSENT", "not-registered"),
        }
        assert said(judge.names(Ecosystem.NPM, ["react"])) == {"react": ("REAL", "registered")}


def test_default_judge_reports_a_broken_snapshot(tmp_path: Path) -> None:
    (tmp_path / "registry-pypi.json").write_text("{")
    with pytest.raises(SnapshotError, match="ghostbust registry build"):
        default_judge(Mode.SNAPSHOT, data_dir=tmp_path)


def test_absent_is_told_by_complete_snapshots_and_live_registries(
    snapshots: dict[Ecosystem, Snapshot], server: RegistryServer
) -> None:
    offline = Judge(Mode.SNAPSHOT, snapshots=snapshots)
    for ecosystem, snapshot in snapshots.items():
        assert offline.tells_absent(ecosystem) is snapshot.complete
    assert not offline.tells_absent(Ecosystem.CONDA)
    with pytest.raises(UsageError, match="ask live"):
        offline.descriptions(Ecosystem.PYPI, ["pip"])
    with online(Mode.AUTO, server.url, snapshots) as judge:
        assert judge.tells_absent(Ecosystem.NPM)
        assert not judge.tells_absent(Ecosystem.CONDA)
