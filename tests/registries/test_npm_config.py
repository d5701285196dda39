"""Where npm's configuration says that the registries are."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ghostbust.errors import ConfigError
from ghostbust.registries.endpoints import Route, basic
from ghostbust.registries.names import public_npm
from ghostbust.registries.npm_config import NpmEndpoints, NpmSettings


class Machine:
    """A made-up machine: a home, a project, an installation, variables."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"npm_config_globalconfig": str(root / "etc" / "npmrc")}
        for folder in ("home", "project", "etc"):
            (root / folder).mkdir()

    def write(self, file: str, text: str) -> None:
        (self.root / file).write_text(text)

    @property
    def npm(self) -> NpmSettings:
        return NpmSettings(self.root / "project", self.environ, self.root / "home")

    def endpoints(self) -> NpmEndpoints:
        return self.npm.endpoints()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_sources_in_npms_order(machine: Machine) -> None:
    assert (machine.endpoints().default.origin, machine.endpoints().default.url) == (
        "default", public_npm(),
    )  # fmt: skip
    for file in ("etc/npmrc", "home/.npmrc", "project/.npmrc"):
        host = file.partition("/")[0]
        machine.write(file, f"registry = https://{host}.example.test/npm/\n")
        assert machine.endpoints().default.url == f"https://{host}.example.test/npm"
    machine.environ["NPM_CONFIG_REGISTRY"] = "https://variable.example.test"
    assert machine.endpoints().default.origin == "NPM_CONFIG_REGISTRY"


def test_another_user_file_and_the_last_line_of_a_file_win(machine: Machine) -> None:
    machine.write("own", "; comment\n#registry=https://no.example.test\nregistry=https://a.example.test\n"
                  'registry="https://b.example.test"\n')  # fmt: skip
    machine.environ["NPM_CONFIG_USERCONFIG"] = str(machine.root / "own")
    assert machine.endpoints().default.url == "https://b.example.test"


def test_scopes(machine: Machine) -> None:
    machine.write("project/.npmrc", "@own:registry=https://own.example.test/\n")
    found = machine.endpoints()
    assert found.of("@own/thing").url == "https://own.example.test"
    assert found.of("@other/thing") == found.of("react") == found.default


def test_variables_in_values(machine: Machine) -> None:
    machine.environ |= {"HOST": "index.example.test"}
    machine.write(
        "home/.npmrc", "registry=https://${HOST}/${NONE?}\n//${HOST}/:_authToken=${NONE}\n"
    )
    found = machine.endpoints().default
    assert found.url == "https://index.example.test"
    assert found.authorization == "Bearer ${NONE}"


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        ("//index.example.test/deep/npm/:_authToken=t0ken", "Bearer t0ken"),
        ("//index.example.test/:_authToken=t0ken", "Bearer t0ken"),
        ("//index.example.test/:_authToken=no\n//index.example.test/deep/:_authToken=t0ken",
         "Bearer t0ken"),
        ("//index.example.test/deep/:_auth=YTpi", "Basic YTpi"),
        ("//index.example.test/:username=me\n//index.example.test/:_password="
         + base64.b64encode(b"word").decode(), basic("me", "word")),
        ("//other.example.test/:_authToken=t0ken", None),
        ("//index.example.test/deeper/:_authToken=t0ken", None),
        ("//index.example.test/:username=me", None),
    ],
)  # fmt: skip
def test_credentials(machine: Machine, lines: str, header: str | None) -> None:
    machine.write("home/.npmrc", f"registry=https://index.example.test/deep/npm/\n{lines}\n")
    found = machine.endpoints().default
    assert found.authorization == header
    assert "t0ken" not in repr(machine.endpoints())


def test_what_cannot_be_used_is_named_and_not_quoted(machine: Machine) -> None:
    machine.write(
        "home/.npmrc",
        "registry=https://index.example.test\n"
        "//index.example.test/:username=me\n//index.example.test/:_password=s3cret!\n",
    )
    with pytest.raises(ConfigError, match="base64") as caught:
        machine.endpoints()
    assert "s3cret" not in str(caught.value)
    (machine.root / "home" / ".npmrc").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"\.npmrc: can't be read"):
        machine.endpoints()


def test_the_installation_is_found_by_its_prefix(machine: Machine) -> None:
    del machine.environ["npm_config_globalconfig"]
    machine.environ["npm_config_prefix"] = str(machine.root)
    machine.write("etc/npmrc", "registry=https://prefix.example.test\n")
    assert machine.endpoints().default.url == "https://prefix.example.test"


def test_proxies(machine: Machine) -> None:
    assert machine.npm.route() == Route()
    machine.write("home/.npmrc", "proxy = http://one.example.test\nhttps-proxy = null\n")
    origin = str(machine.root / "home" / ".npmrc")
    assert machine.npm.route() == Route("http://one.example.test", origin)
    machine.write("project/.npmrc", "https-proxy = http://two.example.test\nproxy = false\n")
    assert machine.npm.route().proxy == "http://two.example.test"


def test_hosts_without_a_proxy(machine: Machine) -> None:
    machine.environ["NO_PROXY"] = "a.example.test,.b.example.test"
    assert machine.npm.route().direct == (), "the environment's proxies have it already"
    machine.environ["npm_config_proxy"] = "http://one.example.test"
    assert machine.npm.route().direct == ("a.example.test", "b.example.test")
    machine.write("project/.npmrc", "noproxy[] = c.example.test\nnoproxy[] = d.example.test\n")
    assert machine.npm.route().direct == ("c.example.test", "d.example.test")


def test_certificates_in_the_settings(machine: Machine) -> None:
    assert machine.npm.authority() == ""
    machine.write("home/.npmrc", 'ca="-----BEGIN\\nab=\\n-----END"\n')
    assert machine.npm.authority() == "-----BEGIN\nab=\n-----END"
    machine.write("project/.npmrc", 'ca[]="one"\n; between\nca[]="two"\n')
    assert machine.npm.authority() == "one\ntwo"
