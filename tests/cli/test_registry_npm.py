"""`ghostbust registry sync --ecosystem npm`: from a package of names on a loopback registry."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.records import Ecosystem
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from tests.cli.loopback import Loopback
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Run

JSON = {"Content-Type": "application/json"}
NAMES = ["npm", "react", "@scope/x", "zz-listed"]
SYNC = ("registry", "sync", "--ecosystem", "npm")


class NpmRegistry(Loopback):
    """Serves a package that lists `NAMES`, published so many days ago; anything else is a 404."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.package = "all-the-package-names"
        self.days = 1
        self.gives_days = True

    def answer(self, path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        """As npm's registry answers."""
        if path == "/list.tgz":
            return 200, {}, self.tarball
        if path == "/npm":
            made = "2010-01-01T00:00:00.000Z"
            about = {"versions": {"1.0.0": {}}, "dist-tags": {"latest": "1.0.0"}, "modified": made}
            return (
                200,
                JSON,
                json.dumps({"name": "npm", "time": {"created": made}, **about}).encode(),
            )
        if path.strip("/") != self.package:
            return 404, JSON, b"{}"
        now = datetime.now(UTC)
        sha512 = base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
        dist = {"tarball": f"{self.url}/list.tgz", "integrity": f"sha512-{sha512}"}
        told: dict[str, Any] = {
            "dist-tags": {"latest": "2.0.0"}, "versions": {"2.0.0": {"dist": dist}},
            "modified": now.isoformat(),
        }  # fmt: skip
        if self.gives_days:
            told["time"] = {"2.0.0": (now - timedelta(days=self.days)).isoformat()}
        return 200, JSON, json.dumps(told).encode()

    @property
    def tarball(self) -> bytes:
        """The package, always of the same bytes."""
        content, listed = io.BytesIO(), json.dumps(NAMES).encode()
        with tarfile.open(fileobj=content, mode="w") as tar:
            entry = tarfile.TarInfo("package/names.json")
            entry.size = len(listed)
            tar.addfile(entry, io.BytesIO(listed))
        return gzip.compress(content.getvalue(), mtime=0)


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch) -> Iterator[NpmRegistry]:
    """The registry that npm's settings name."""
    made = NpmRegistry()
    monkeypatch.setenv("npm_config_registry", made.url)
    with made.serving():
        yield made


@pytest.fixture
def few(home: Path) -> Path:
    """The home's snapshots: a small one of npm's, else so short a list would be refused."""
    (home / "registry").mkdir(parents=True)
    build_snapshot(
        [NameRow("react", 1), NameRow("npm")], ecosystem=Ecosystem.NPM, date=date(2026, 1, 2),
        complete=False, out_dir=home / "registry",
    )  # fmt: skip
    return home / "registry"


def verdicts(run: Run, *names: str, mode: str, code: int) -> dict[str, tuple[str, str]]:
    words = [f"{name}@npm" for name in names]
    told = document(run("check", *words, "--registry", mode, "--json"), code)
    return {one["name"]: (one["verdict"], one["evidence"]) for one in told["results"]}


def test_one_step_makes_names_known_offline(run: Run, npm: NpmRegistry, few: Path) -> None:
    npm.days = 3
    told = document(run(*SYNC, "--json"))
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    assert (told["names"], told["added"], told["date"], told["complete"]) == (
        4, 2, day.isoformat(), False,
    )  # fmt: skip
    assert Snapshot.load(few / "registry-npm.json").popular(5) == ["react"]
    asked = len(npm.asked)
    found = verdicts(run, "zz-listed", "zz-nope", mode="snapshot", code=3)
    assert len(npm.asked) == asked, "nobody is asked"
    assert found["zz-listed"][0] == "REAL"
    assert found["zz-nope"][0] == "UNKNOWN"
    assert "3 days old" in found["zz-nope"][1]


def test_only_the_live_registry_makes_a_name_absent(run: Run, npm: NpmRegistry, few: Path) -> None:
    build_snapshot(  # as whoever vouches for a list may build one
        [NameRow("react", 1), NameRow("npm")], ecosystem=Ecosystem.NPM, date=date(2026, 1, 2),
        complete=True, out_dir=few,
    )  # fmt: skip
    asked = len(npm.asked)
    found = verdicts(run, "react", "zz-nope", mode="auto", code=1)
    assert (found["react"][0], found["zz-nope"][0]) == ("REAL", "ABSENT")
    assert [path for path, _ in npm.asked[asked:] if "react" in path] == []
    assert [path for path, _ in npm.asked[asked:] if "zz-nope" in path]


def test_a_list_that_nobody_keeps_up_is_told_by_its_version_s_day(
    run: Run, npm: NpmRegistry, few: Path
) -> None:
    npm.days = 500
    done = run(*SYNC)
    assert done.exit_code == 0
    assert "500 days old" in " ".join(done.stderr.split())
    npm.gives_days = False
    assert "when 2.0.0 was published" in one_line(run(*SYNC), 3)


def test_another_package_may_list_the_names(run: Run, npm: NpmRegistry, few: Path) -> None:
    npm.package = "zz-list"
    assert "404" in one_line(run(*SYNC), 3)
    assert document(run(*SYNC, "--names-package", "zz-list", "--json"))["changed"]


def test_exit_3_and_doctor_offer_it(run: Run, npm: NpmRegistry, home: Path) -> None:
    done = run("check", "zz-nope@npm", "--registry", "snapshot")
    assert done.exit_code == 3
    assert "ghostbust registry sync --ecosystem npm" in " ".join(done.stderr.split())
    told = json.loads(run("doctor", "--json").stdout)["checks"]
    (found,) = [one for one in told if one["check"] == "npm snapshot"]
    assert (found["level"], "registry sync --ecosystem npm" in found["todo"]) == ("OK", True)
