"""The judge in all modes, on small snapshots and against a real server; whose indexes are known."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from ghostbust.errors import ConfigError, SnapshotError, UsageError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Flag, Lookup, PackageRef, RefKind, SuspectReason
from ghostbust.registries import judge as judge_module
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.interface import Registry
from ghostbust.registries.judge import (
    Judge,
    KnownIndexes,
    Mode,
    asked_of,
    default_judge,
    without_credentials,
)
from ghostbust.registries.live import LiveLookups
from ghostbust.registries.names import public_npm
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.snapshot import NameRow, Snapshot
from ghostbust.registries.transport import Client
from tests.registries.conftest import HASTE, Cache, QuietHandler, served, snapshot_of

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM
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


class _Handler(QuietHandler):
    server: RegistryServer

    def do_GET(self) -> None:  # noqa: N802
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


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with served(RegistryServer()) as server:
        yield server


@pytest.fixture
def snapshots(tmp_path: Path) -> dict[Ecosystem, Snapshot]:
    """A complete PyPI of four names, and an npm that knows only one of its names."""
    pypi: list[NameRow | str] = [
        NameRow("requests", 1),
        NameRow("sklearn", 2, SuspectReason.DECOY, "scikit-learn"),
        NameRow("scikit-learn", 3),
        "python-magic",
    ]
    return {
        PYPI: snapshot_of(tmp_path, pypi),
        NPM: snapshot_of(tmp_path, [NameRow("react", 1)], NPM, complete=False),
    }


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
        PYPI: PyPIRegistry(client, endpoint(f"{url}/simple/", "test")),
        NPM: NpmRegistry(client, NpmEndpoints(endpoint(f"{url}/npm/", "test"))),
    }
    live = LiveLookups(registries, cache=cache, on_close=client.http.aclose)
    with Judge(mode, snapshots=snapshots, live=live, also_elsewhere=also_elsewhere) as judge:
        yield judge


def said(lookups: dict[str, Lookup]) -> dict[str, tuple[str, str]]:
    return {name: (str(found.verdict), found.reason) for name, found in lookups.items()}


def ref(name: str, kind: RefKind = RefKind.INSTALL, *flags: Flag) -> PackageRef:
    return PackageRef(
        PYPI, kind, name, 0, len(name), name,
        import_name=name if kind is RefKind.IMPORT else None, flags=frozenset(flags),
    )  # fmt: skip


def test_names_from_the_snapshot(snapshots: dict[Ecosystem, Snapshot]) -> None:
    judge = Judge(Mode.SNAPSHOT, snapshots=snapshots)
    assert said(judge.names(PYPI, ["Requests", "requests", "nope", "os", "a b"])) == {
        "Requests": ("REAL", "registered"),
        "requests": ("REAL", "registered"),
        "nope": ("ABSENT", "not-registered"),
        "os": ("BUILTIN", "builtin"),
        "a b": ("ABSENT", "invalid-name"),
    }
    assert said(judge.names(NPM, ["react", "vue", "fs"])) == {
        "react": ("REAL", "registered"),
        "vue": ("UNKNOWN", "not-in-snapshot"),
        "fs": ("BUILTIN", "builtin"),
    }
    assert judge.names(NPM, []) == {}


def test_refs_in_order_with_flags_and_guesses(snapshots: dict[Ecosystem, Snapshot]) -> None:
    judge = Judge(Mode.SNAPSHOT, snapshots=snapshots)
    npm = PackageRef(NPM, RefKind.INSTALL, "react", 0, 5, "react")
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
    for elsewhere, asked in (((), []), ({PYPI}, ["absent-1", "pip", "private"])):
        server.asked.clear()
        with online(Mode.AUTO, server.url, snapshots, also_elsewhere=elsewhere) as judge:
            found = judge.names(PYPI, names)
        assert sorted(server.asked) == asked
        assert found["requests"].source == "snapshot:2026-01-02"
        verdict = "REAL" if elsewhere else "ABSENT"
        assert said(found)["private"][0] == verdict
        assert said(found)["absent-1"][0] == "ABSENT"


def test_without_a_snapshot_in_snapshot_mode() -> None:
    judge = Judge(Mode.SNAPSHOT, snapshots={})
    with pytest.raises(SnapshotError, match="ghostbust registry build"):
        judge.names(PYPI, ["requests"])


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.AUTO])
def test_modes_that_ask_need_someone_to_ask(mode: Mode) -> None:
    with pytest.raises(ValueError, match="needs live registries"):
        Judge(mode, snapshots={})


def test_live_mode_asks_the_server(
    server: RegistryServer, snapshots: dict[Ecosystem, Snapshot]
) -> None:
    with online(Mode.LIVE, server.url, snapshots) as judge:
        names = ["requests", "limited", "cut", "once-cut", "absent-1", "down", "sklearn", "os"]
        assert said(judge.names(PYPI, names)) == {
            "requests": ("REAL", "registered"),
            "limited": ("REAL", "registered"),
            "cut": ("UNKNOWN", "unreachable"),
            "once-cut": ("REAL", "registered"),
            "absent-1": ("ABSENT", "not-registered"),
            "down": ("UNKNOWN", "unreachable"),
            "sklearn": ("SUSPECT", "decoy"),  # the page looks real, the snapshot knows better
            "os": ("BUILTIN", "builtin"),
        }
        assert said(judge.names(NPM, ["@scope/name", "limited-2", "absent-2"])) == {
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
        assert said(judge.names(PYPI, ["requests", "nope"])) == {
            "requests": ("REAL", "registered"),
            "nope": ("ABSENT", "not-registered"),
        }
        assert not server.asked
        found = judge.names(NPM, ["react", "vue", "absent"])
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
            found = said(judge.names(PYPI, ["requests", "sklearn", "absent", "down"]))
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
            found = judge.names(NPM, ["vue", "react"])
    assert said(found) == {"vue": ("UNKNOWN", "unreachable"), "react": ("REAL", "registered")}
    assert "127.0.0.1" in found["vue"].evidence


def test_a_late_judge_reads_the_settings_for_asking_when_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "missing.pem"))
    with pytest.raises(ConfigError, match="as certificates"):
        default_judge(Mode.AUTO)
    with default_judge(Mode.AUTO, late=True) as judge:
        assert said(judge.names(PYPI, ["requests"])) == {"requests": ("REAL", "registered")}
        with pytest.raises(ConfigError, match="as certificates"):
            judge.asked_live(PYPI, "requests")


def test_default_judge_takes_the_own_snapshot_first(tmp_path: Path) -> None:
    snapshot_of(tmp_path, ["only-mine"])
    with default_judge(Mode.SNAPSHOT, data_dir=tmp_path) as judge:
        assert said(judge.names(PYPI, ["only-mine", "requests"])) == {
            "only-mine": ("REAL", "registered"),
            "requests": ("ABSENT", "not-registered"),
        }
        assert said(judge.names(NPM, ["react"])) == {"react": ("REAL", "registered")}


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
        offline.descriptions(PYPI, ["pip"])
    with online(Mode.AUTO, server.url, snapshots) as judge:
        assert judge.tells_absent(NPM)
        assert not judge.tells_absent(Ecosystem.CONDA)


def test_a_snapshot_needs_no_http_client() -> None:
    """Loading one takes 0.3 s, which every `check` paid for (3755745)."""
    code = (
        "import sys\nfrom ghostbust.registries.judge import Mode, default_judge\n"
        "with default_judge(Mode.SNAPSHOT) as judge:\n    judge.names('pypi', ['requests'])\n"
        "assert not {'httpx', 'stamina', 'pypi_simple'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Who is asked where nobody says it

DAY = date(2026, 11, 23)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    for name in ("GHOSTBUST_REGISTRY__MODE", "GHOSTBUST_REGISTRY__AS_OF"):
        monkeypatch.delenv(name, raising=False)
    return Home.open(tmp_path / "home")


def test_options_come_before_the_environment_the_home_and_a_file_but_not_the_current_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "ghostbust.toml"
    here.write_text('[registry]\nmode = "live"\n', "utf-8")
    assert asked_of(None, None, home) == (Mode.AUTO, None)
    assert asked_of(Mode.LIVE, None, home) == (Mode.LIVE, None)
    assert asked_of(None, DAY, home) == asked_of(Mode.AUTO, DAY, home) == (Mode.SNAPSHOT, DAY)
    assert asked_of(Mode.LIVE, DAY, home) == (Mode.LIVE, DAY), "which the judge refuses"
    assert asked_of(None, None, home, here) == (Mode.LIVE, None)
    home.config.write_text(f"[registry]\nmode = 'live'\nas_of = {DAY}\n", "utf-8")
    assert asked_of(None, None, home) == (Mode.SNAPSHOT, DAY)
    home.config.unlink()
    monkeypatch.setenv("ghostbust_registry__mode", "snapshot")
    assert asked_of(None, None, home) == (Mode.SNAPSHOT, None)
    assert asked_of(Mode.AUTO, None, home) == (Mode.AUTO, None)
    monkeypatch.setenv("ghostbust_registry__mode", "never")
    said = r"GHOSTBUST_REGISTRY__MODE: registry\.mode: should be 'snapshot'"
    with pytest.raises(ConfigError, match=said):
        asked_of(None, None, home)


# Which indexes are public, and which the user's own

OURS = "https://pypi.example.test/simple"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip and npm ask indexes of the user's own, and nothing of the machine's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"https://me:secret@{OURS.removeprefix('https://')}/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://team.example.test/simple")
    monkeypatch.setenv("npm_config_registry", "https://npm.example.test/")
    monkeypatch.setenv("npm_config_@acme:registry", "https://acme.example.test/npm")


@pytest.mark.parametrize(
    ("ecosystem", "address", "is_public"),
    [
        (PYPI, PYPI_SIMPLE_ENDPOINT, True),
        (PYPI, PYPI_SIMPLE_ENDPOINT.rstrip("/"), True),
        (PYPI, PYPI_SIMPLE_ENDPOINT.replace("://", "://user:pw@"), True),
        (PYPI, PYPI_SIMPLE_ENDPOINT.replace("/simple", ".example.test/simple"), False),
        (PYPI, PYPI_SIMPLE_ENDPOINT.rstrip("/") + "/../zz", False),
        (PYPI, OURS, False),
        (PYPI, "", False),
        (NPM, f"{public_npm()}/left-pad/-/left-pad-1.3.0.tgz", True),
        (NPM, public_npm() + "x/left-pad", False),
        (NPM, "https://[broken", False),
    ],
)  # fmt: skip
def test_the_public_index(ecosystem: Ecosystem, address: str, is_public: bool) -> None:
    assert KnownIndexes(asks=False).is_public(ecosystem, address) is is_public


def test_another_host_of_the_public_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    known = frozenset({hashlib.sha256(b"yarn.example.test").hexdigest()})
    assert not KnownIndexes(asks=False).is_public(NPM, "https://yarn.example.test/x.tgz")
    monkeypatch.setattr(judge_module, "_OTHER_NPM_HOSTS", known)
    assert KnownIndexes(asks=False).is_public(NPM, "https://yarn.example.test/x.tgz")
    assert not KnownIndexes(asks=False).is_public(PYPI, "https://yarn.example.test/x.tgz")


@pytest.mark.usefixtures("settings")
def test_the_users_own_indexes() -> None:
    known = KnownIndexes(asks=True)
    assert known.is_own(PYPI, OURS, "zz")
    assert known.is_own(PYPI, "https://team.example.test/simple/", "zz")
    assert not known.is_own(PYPI, "https://other.example.test/simple", "zz")
    assert known.is_own(NPM, "https://npm.example.test/zz/-/zz-1.tgz", "zz")
    assert known.is_own(NPM, "https://acme.example.test/npm", "@acme/ui")
    assert not known.is_own(NPM, "https://acme.example.test/npm", "zz")
    assert not KnownIndexes(asks=False).is_own(PYPI, OURS, "zz"), "where nobody is asked"


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("https://u:p@X.example.test/a/?token=1#b", "https://x.example.test/a"),
        ("git+ssh://u:p@git.example.test/a.git", "git+ssh://git.example.test/a.git"),
        ("./wheels", "./wheels"),
        ("https://[broken", ""),
    ],
)
def test_addresses_are_shown_without_credentials(address: str, bare: str) -> None:
    assert without_credentials(address) == bare
