"""Nothing in the tree says where a registry lives, or where the tree itself does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packageurl.contrib import purl2url
from pypi_simple import PYPI_SIMPLE_ENDPOINT

ROOT = Path(__file__).parents[1]


def registry_hosts() -> set[str]:
    """The host names of the public registries, which only the libraries may know."""
    npm = purl2url.get_download_url("pkg:npm/left-pad@1.0.0")  # type: ignore[no-untyped-call]
    hosts = {urlsplit(url).hostname for url in (PYPI_SIMPLE_ENDPOINT, npm)}
    return {host for host in hosts if host}


def machine_paths() -> set[str]:
    """Folders that mean something on this machine only."""
    own = {str(ROOT), sys.prefix, str(Path.home())}
    return {path for path in own if path.count("/") > 1}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file that git tracks, and every new one that it wouldn't ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("this isn't a git checkout, so what belongs to it isn't known")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def places(files: list[Path], words: set[str]) -> Iterator[str]:
    """File and word, for each file that holds one of the words, in any case."""
    for path in files:
        content = path.read_bytes().lower()
        for word in words:
            if word.lower().encode() in content:
                yield f"{path.relative_to(ROOT)}: {word}"


def test_the_search_finds_what_is_there() -> None:
    file = ROOT / "pyproject.toml"
    assert list(places([file], {"GhostBust"})) == ["pyproject.toml: GhostBust"]
    assert len(registry_hosts()) == 2


def test_no_file_names_a_registrys_host(tracked: list[Path]) -> None:
    assert len(tracked) > 100
    assert not list(places(tracked, registry_hosts()))


def test_no_file_names_a_folder_of_this_machine(tracked: list[Path]) -> None:
    assert not list(places(tracked, machine_paths()))
