"""npm's names from a package that lists them, published on a real registry."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Verdict
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.registries.sync import Synced, sync_npm
from ghostbust.registries.transport import Patience

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import NpmServer

TODAY = datetime.now(UTC).date()


def sync(
    server: NpmServer,
    folder: Path,
    package: str = "zz-names",
    *,
    transport: httpx.BaseTransport | None = None,
) -> Synced:
    with httpx.Client(trust_env=False, transport=transport) as client:
        return sync_npm(
            client, server.url, folder, package=package, today=TODAY,
            progress=lambda _done, _total: None, patience=Patience(attempts=2, initial_s=0),
        )  # fmt: skip


def names_file(*names: object) -> dict[str, bytes]:
    return {"names.json": json.dumps(names).encode()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home's snapshots, with a small one of npm's."""
    build_snapshot(
        [NameRow("react", 1), NameRow("npm")], ecosystem=Ecosystem.NPM, date=date(2026, 1, 2),
        complete=False, out_dir=tmp_path,
    )  # fmt: skip
    return tmp_path


def test_a_newer_version_of_the_list_makes_a_newer_snapshot(
    npm_server: NpmServer, folder: Path
) -> None:
    listed = ["npm", "react", "@scope/x", "JSONStream", "bad name", 3]
    npm_server.publish("zz-names", "1.0.0", names_file(*listed))
    done = sync(npm_server, folder)
    assert (done.changed, done.added, done.vanished, done.skipped) == (True, 2, 0, 2)
    made = Snapshot.load(folder / "registry-npm.json")
    made.verify()
    assert (made.date, made.complete, len(made), made.popular(9)) == (TODAY, False, 4, ["react"])
    assert made.look_up("nope").verdict is Verdict.UNKNOWN
    assert Snapshot.load(folder / "2026-01-02" / "registry-npm.json").date == date(2026, 1, 2)
    assert not sync(npm_server, folder).changed
    npm_server.publish("zz-names", "1.0.1", names_file(*listed, "left-pad"))
    again = sync(npm_server, folder)
    assert (again.changed, again.added, again.vanished) == (True, 1, 0)


@pytest.mark.parametrize(
    ("package", "files", "message"),
    [
        ("zz-no-names", {"index.js": b""}, "no list of names"),
        ("zz-cut", {"names.json": b'["npm", "re'}, "no list of names"),
        ("zz-object", {"names.json": b'{"npm": 1}'}, "is no list"),
        ("zz-others", names_file("react", "vue"), "lacks 'npm'"),
        ("zz-short", names_file("npm"), "1 names, the snapshot of 2026-01-02 has 2"),
        ("zz-not-published", None, "HTTP 404"),
    ],
)
def test_what_is_no_list_of_npms_names_changes_nothing(
    npm_server: NpmServer, folder: Path, package: str, files: dict[str, bytes] | None, message: str
) -> None:
    if files is not None:
        npm_server.publish(package, "1.0.0", files)
    with pytest.raises(RegistryError, match=message):
        sync(npm_server, folder, package)
    assert Snapshot.load(folder / "registry-npm.json").date == date(2026, 1, 2)
    assert sorted(path.name for path in folder.iterdir()) == [
        "registry-npm.json", "registry-npm.marisa", "registry-npm.tsv",
    ]  # fmt: skip


def test_a_tarball_with_another_hash_is_refused(npm_server: NpmServer, folder: Path) -> None:
    npm_server.publish("zz-swapped", "1.0.0", names_file("npm", "react"))

    def swap(request: httpx.Request) -> httpx.Response:
        with httpx.Client(trust_env=False) as client:
            answer = client.get(request.url)
        content = answer.content[:-4] + b"oops" if request.url.path.endswith(".tgz") else None
        return httpx.Response(200, content=content or answer.content)

    with pytest.raises(RegistryError, match="doesn't have the sha512"):
        sync(npm_server, folder, "zz-swapped", transport=httpx.MockTransport(swap))
