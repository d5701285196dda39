"""Where pip's configuration says that the index is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from ghostbust.errors import ConfigError
from ghostbust.registries.endpoints import Endpoint, Route, basic
from ghostbust.registries.pip_config import PipSettings


class Machine:
    """A made-up machine: a home, an environment prefix, XDG folders, variables."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {}

    def write(self, file: str, text: str) -> Path:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @property
    def pip(self) -> PipSettings:
        return PipSettings(
            self.environ, self.root / "home", prefix=self.root / "venv", etc=self.root / "etc"
        )

    def index(self) -> Endpoint:
        return self.pip.index()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def setting(host: str, section: str = "global") -> str:
    return f"[{section}]\nindex-url = https://{host}.example.test/simple/\n"


def test_later_files_win_and_the_environment_wins_over_all(machine: Machine) -> None:
    order = [
        "etc/xdg/pip/pip.conf",
        "etc/pip.conf",
        "home/.pip/pip.conf",
        "home/.config/pip/pip.conf",
        "venv/pip.conf",
    ]
    for number, file in enumerate(order):
        path = machine.write(file, setting(f"host{number}"))
        found = machine.index()
        assert (found.url, found.origin) == (f"https://host{number}.example.test/simple", str(path))
    machine.environ["PIP_CONFIG_FILE"] = str(machine.write("own.conf", setting("own")))
    assert machine.index().url == "https://own.example.test/simple"
    machine.environ["PIP_INDEX_URL"] = "https://variable.example.test/simple"
    assert machine.index().origin == "PIP_INDEX_URL"


def test_the_install_section_wins_over_global_in_any_file(machine: Machine) -> None:
    machine.write("etc/pip.conf", setting("install", "install"))
    machine.write("venv/pip.conf", setting("global"))
    assert machine.index().url == "https://install.example.test/simple"


def test_what_does_not_count(machine: Machine) -> None:
    """Other sections, empty values, missing named files; any file, with the null device."""
    machine.write("venv/pip.conf", setting("search", "search") + "[global]\nindex-url =\n")
    machine.environ |= {"PIP_INDEX_URL": "", "PIP_CONFIG_FILE": str(machine.root / "none")}
    assert machine.index().origin == "default"
    assert machine.index().url == PYPI_SIMPLE_ENDPOINT.rstrip("/")
    machine.write("venv/pip.conf", setting("venv"))
    machine.environ["PIP_CONFIG_FILE"] = os.devnull
    assert machine.index().origin == "default"


def test_xdg_folders(machine: Machine) -> None:
    first, second = machine.root / "first", machine.root / "second"
    machine.environ["XDG_CONFIG_DIRS"] = f"{first}{os.pathsep}{second}"
    machine.write("second/pip/pip.conf", setting("second"))
    machine.write("first/pip/pip.conf", setting("first"))
    assert machine.index().url == "https://first.example.test/simple"
    machine.environ["XDG_CONFIG_HOME"] = str(machine.root / "mine")
    machine.write("mine/pip/pip.conf", setting("mine"))
    assert machine.index().url == "https://mine.example.test/simple"


def test_underscores_percent_signs_and_netrc(machine: Machine) -> None:
    machine.write("venv/pip.conf", "[global]\nindex_url = https://me:a%40b@index.example.test/\n")
    assert machine.index().authorization == basic("me", "a@b")
    machine.write("venv/pip.conf", "[global]\nindex-url = https://index.example.test/\n")
    machine.write("home/.netrc", "machine index.example.test login you password word\n")
    assert machine.index().authorization == basic("you", "word")


def test_a_broken_file_is_named_and_not_quoted(machine: Machine) -> None:
    path = machine.write("venv/pip.conf", "index-url = https://me:s3cret@index.example.test/\n")
    with pytest.raises(ConfigError) as caught:
        machine.index()
    assert str(caught.value) == f"{path}: can't be read as pip's configuration"


def test_certificates(machine: Machine) -> None:
    assert machine.pip.certificates() is None
    machine.write("venv/pip.conf", "[global]\ncert = /path/of/bundle.pem\n")
    assert machine.pip.certificates() == Path("/path/of/bundle.pem")
    machine.environ["PIP_CERT"] = "/other.pem"
    assert machine.pip.certificates() == Path("/other.pem")


def test_extra_indexes_in_their_order_each_with_its_own_credentials(machine: Machine) -> None:
    assert machine.pip.extra_indexes() == ()
    path = machine.write(
        "venv/pip.conf",
        "[global]\nextra-index-url =\n    https://me:a%40b@one.example.test/simple/\n"
        "    https://two.example.test/simple\n",
    )
    machine.write("home/.netrc", "machine two.example.test login you password word\n")
    one, two = machine.pip.extra_indexes()
    assert (one.url, one.authorization) == ("https://one.example.test/simple", basic("me", "a@b"))
    assert (two.url, two.authorization) == (
        "https://two.example.test/simple", basic("you", "word"),
    )  # fmt: skip
    assert (one.origin, machine.index().origin) == (str(path), "default")


def test_one_list_of_extra_indexes_takes_the_place_of_another(machine: Machine) -> None:
    machine.write("venv/pip.conf", "[global]\nextra-index-url = https://file.example.test\n")
    machine.environ["PIP_EXTRA_INDEX_URL"] = "https://a.example.test https://b.example.test"
    assert [at.url for at in machine.pip.extra_indexes()] == [
        "https://a.example.test", "https://b.example.test",
    ]  # fmt: skip
    machine.environ["PIP_EXTRA_INDEX_URL"] = "https://a.example.test file:///srv/wheels"
    with pytest.raises(ConfigError, match=r"^PIP_EXTRA_INDEX_URL: "):
        machine.pip.extra_indexes()


def test_the_proxy(machine: Machine) -> None:
    assert machine.pip.route() == Route()
    path = machine.write("venv/pip.conf", "[global]\nproxy = me:word@proxy.example.test:3128\n")
    route = machine.pip.route()
    assert (route.proxy, route.origin) == ("http://me:word@proxy.example.test:3128", str(path))
    assert "word" not in repr(route)
    machine.environ["PIP_PROXY"] = "https://other.example.test"
    assert machine.pip.route() == Route("https://other.example.test", "PIP_PROXY")
