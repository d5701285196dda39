"""Plug-ins as installed packages bring them: the guide's example, and bad ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust import plugins as plugins_module
from ghostbust.cli.doctor import check_plugin
from ghostbust.config import load_config, override
from ghostbust.errors import ConfigError, PublishError, UsageError
from ghostbust.extractors.extract import examine
from ghostbust.home import Home
from ghostbust.publishers.kinds import how_to_ask, make_publishers
from ghostbust.records import Ecosystem, Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.unlearners.methods import method_named
from tests.command_lines import ROOT, blocks

if TYPE_CHECKING:
    pass

Install = Callable[..., Path]
GUIDE = [*blocks(ROOT / "docs" / "guides" / "plugins.md")]
EXAMPLE = next(block.text for block in GUIDE if block.label == "python")
DECLARED = dict(
    re.findall(r'^\[project\.entry-points\."ghostbust\.(\w+)"\]\n(\w+ = "\S+")$',
               next(block.text for block in GUIDE if "entry-points" in block.text), re.M)
)  # fmt: skip


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with entry points on the import path; returns its folder."""
    folder = tmp_path / "site"

    def add(code: str, package: str = "acme_ghostbust", **points: str) -> Path:
        described = folder / f"{package}-1.0.dist-info"
        described.mkdir(parents=True)
        (folder / f"{package}.py").write_text(code, "utf-8")
        name = package.replace("_", "-")
        (described / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", "utf-8")
        groups = (f"[ghostbust.{kind}]\n{line}\n" for kind, line in points.items())
        (described / "entry_points.txt").write_text("".join(groups).replace('"', ""), "utf-8")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, package, raising=False)
        plugins_module.plugins.cache_clear()
        return folder

    yield add
    plugins_module.plugins.cache_clear()


def settings(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    (home / "ghostbust.toml").write_text(text, "utf-8")
    return home / "ghostbust.toml"


def test_the_example_of_the_guide_reads_a_format_of_its_own(
    tmp_path: Path, install: Install
) -> None:
    assert set(DECLARED) == {"extractors"}
    folder = install(EXAMPLE, **DECLARED)
    text = "service web\nneeds requests\nneeds zz-quux-sensorlib\n"
    (tmp_path / "checked").mkdir()
    (tmp_path / "checked" / "shop.acme").write_text(text, "utf-8")
    ended = subprocess.run(
        [
            sys.executable, "-m", "ghostbust", "check", "./checked", "--json",
            "--registry", "snapshot",
        ],
        env=os.environ | {"PYTHONPATH": str(folder), "GHOSTBUST_HOME": str(tmp_path / "home")},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    found = json.loads(ended.stdout)["results"]
    assert [(one["name"], one["verdict"], one["line"]) for one in found] == [
        ("requests", "REAL", 2), ("zz-quux-sensorlib", "ABSENT", 3),
    ]  # fmt: skip
    fenced = examine(f"```acme\n{text}```\n").refs
    assert [ref.raw for ref in fenced] == ["requests", "zz-quux-sensorlib"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import zz_not_there\n", "ModuleNotFoundError: No module named 'zz_not_there'"),
        ("def read(text, start):\n    raise KeyError('x')\n", "KeyError: 'x'"),
        (EXAMPLE.replace("len(name)", "0").replace("find(", "index("), "doesn't stand at"),
    ],
)
def test_an_extractor_that_fails_leaves_its_block_unread_and_is_named(
    install: Install, code: str, said: str
) -> None:
    install(code, extractors="acme = acme_ghostbust:read")
    found = examine("pip install requests\n\n```acme\nneeds flask\n```\n")
    assert [ref.name for ref in found.refs] == ["requests"]
    (part,) = found.unread
    assert part.reason.startswith(
        "plug-in acme of acme-ghostbust 1.0 (ghostbust.extractors) failed"
    )
    assert said in part.reason


METHOD = """
from dataclasses import replace
from ghostbust.unlearners.methods.au import METHOD
OURS = replace(METHOD, name="acme")
"""


def test_a_method_is_taken_by_its_name(tmp_path: Path, install: Install) -> None:
    home = Home(tmp_path / "home")
    file = settings(home.path, '[training]\nmethod = "acme"\n')
    with pytest.raises(ConfigError, match=r"training\.method"):
        load_config(file, home)
    install(METHOD, methods="acme = acme_ghostbust:OURS")
    config = override(load_config(file, home), training__epochs=2)
    assert str(config.training.method) == "acme"
    assert method_named("acme").ends_apart
    with pytest.raises(UsageError, match=r"there are au-heard, .*, acme$"):
        method_named("zz")


def test_what_is_no_method_of_that_name_is_refused(install: Install) -> None:
    install(METHOD, methods="other = acme_ghostbust:OURS")
    with pytest.raises(UsageError, match=r"^plug-in other of acme-ghostbust 1\.0 .*named 'other'"):
        method_named("other")


PUBLISHER = """
class Bucket:
    loads_at_runtime = False
    def __init__(self, config, place):
        self.where = place
        if place == "bad":
            raise OSError("no such bucket")
    def loaded(self):
        raise RuntimeError("expired")
    def asks(self, name):
        return None
"""


def test_a_publisher_is_made_for_each_replica_and_its_errors_name_it(
    tmp_path: Path, install: Install
) -> None:
    install(PUBLISHER, publishers="bucket = acme_ghostbust:Bucket")
    home = Home(tmp_path / "home")
    text = (
        '[model]\nendpoint = "http://127.0.0.1:9"\n[publish]\nkind = "bucket"\nreplicas = ["a"]\n'
    )
    config = load_config(settings(home.path, text), home)
    (made,) = make_publishers(config, home.adapters)
    assert (made.where, made.loads_at_runtime) == ("a", False)
    assert how_to_ask(config, "round-1").model == "round-1"
    who = r"^plug-in bucket of acme-ghostbust 1\.0 \(ghostbust\.publishers\) failed: "
    with pytest.raises(PublishError, match=rf"{who}RuntimeError: expired$"):
        made.loaded()
    with pytest.raises(UsageError, match=rf"{who}OSError: no such bucket$"):
        make_publishers(override(config, publish__replicas=("bad",)), home.adapters)


REGISTRY = """
from ghostbust.records import Lookup, Verdict, utc_now
class Shelf:
    def __init__(self, client):
        self.client = client
    async def look_up(self, name, known=None):
        if name == "zz-broken":
            raise ZeroDivisionError("half a shelf")
        verdict = Verdict.REAL if name in ("pip", "ours") else Verdict.ABSENT
        reason = "registered" if verdict is Verdict.REAL else "not-registered"
        return Lookup("pypi", name, verdict, reason, "on the shelf", "live", utc_now())
"""


def test_a_registry_is_asked_in_place_of_ours(install: Install) -> None:
    install(REGISTRY, registries="pypi = acme_ghostbust:Shelf")
    with default_judge(Mode.LIVE) as judge:
        found = judge.names(Ecosystem.PYPI, ["ours", "requests", "zz-broken"])
    assert [one.verdict for one in found.values()] == [
        Verdict.REAL,
        Verdict.ABSENT,
        Verdict.UNKNOWN,
    ]
    assert "plug-in pypi of acme-ghostbust 1.0" in found["zz-broken"].evidence


def test_doctor_loads_each_and_says_which_is_broken(install: Install) -> None:
    install(METHOD, methods="acme = acme_ghostbust:OURS", publishers="zz = acme_ghostbust:NoSuch")
    (broken, sound) = plugins_module.plugins()
    assert check_plugin(*sound).said == "of acme-ghostbust 1.0, for ghostbust.methods"
    with pytest.raises(UsageError, match=r"^plug-in zz of acme-ghostbust 1\.0 .*NoSuch"):
        check_plugin(*broken)


def test_two_plug_ins_of_one_name_are_refused(install: Install) -> None:
    install(METHOD, methods="acme = acme_ghostbust:OURS")
    install(METHOD, package="other_ghostbust", methods="acme = other_ghostbust:OURS")
    with pytest.raises(
        UsageError, match=r"acme of ghostbust\.methods is in .*; uninstall all but one"
    ):
        method_named("acme")
