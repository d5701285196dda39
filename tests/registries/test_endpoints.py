"""Addresses, and credentials that stay out of sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.errors import ConfigError
from ghostbust.registries.transport import basic, endpoint

SECRET = "s3cret"


def test_credentials_leave_the_address_and_never_show() -> None:
    found = endpoint(f"https://me:{SECRET}%21@index.example.test:8443/simple/", "PIP_INDEX_URL")
    assert found.url == "https://index.example.test:8443/simple"
    assert found.headers() == {"Authorization": basic("me", f"{SECRET}!")}
    assert SECRET not in repr(found) + str(found) + found.url
    assert found.headers()["Authorization"] not in repr(found)


def test_without_credentials_no_header() -> None:
    assert endpoint("http://127.0.0.1:1/", "default").headers() == {}


def test_netrc_serves_its_host_only(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine index.example.test login me password {SECRET}\n")
    known = endpoint("https://index.example.test/", "default", netrc_file=file)
    other = endpoint("https://other.example.test/", "default", netrc_file=file)
    missing = endpoint("https://index.example.test/", "default", netrc_file=tmp_path / "none")
    assert known.authorization == basic("me", SECRET)
    assert other.authorization is None
    assert missing.authorization is None


def test_the_address_comes_before_netrc_and_a_token_before_both(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine index.example.test login me password {SECRET}\n")
    address = "https://you:word@index.example.test/"
    assert endpoint(address, "x", netrc_file=file).authorization == basic("you", "word")
    told = endpoint(address, "x", netrc_file=file, authorization="Bearer t")
    assert told.authorization == "Bearer t"


def test_a_broken_netrc_is_named_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine index.example.test nonsense {SECRET}\n")
    with pytest.raises(ConfigError, match="netrc") as caught:
        endpoint("https://index.example.test/", "default", netrc_file=file)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "index.example.test/simple", f"ftp://me:{SECRET}@host.example.test/",
     f"https://me:{SECRET}@host.example.test:port/", f"https://me:{SECRET}@[bad/", "https:///x"],
)  # fmt: skip
def test_an_unusable_address_is_not_quoted(address: str) -> None:
    with pytest.raises(ConfigError, match=r"PIP_INDEX_URL: the registry's address") as caught:
        endpoint(address, "PIP_INDEX_URL")
    assert SECRET not in str(caught.value)
