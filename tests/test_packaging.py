"""What is installed is the package, whole, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import ghostbust

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
LINKS = {"loop": "../loop", "registries": "../registries"}


def packages_in_the_tree() -> set[str]:
    """Every folder with Python files below ghostbust/, the two links followed."""
    found = {"ghostbust"}
    for top in ("ghostbust", *LINKS):
        for path in (ROOT / top).rglob("*.py"):
            inner = path.parent.relative_to(ROOT)
            found.add(".".join(inner.parts if top == "ghostbust" else ("ghostbust", *inner.parts)))
    return found


@pytest.mark.parametrize(("name", "target"), LINKS.items())
def test_the_links_point_into_the_checkout(name: str, target: str) -> None:
    link = ROOT / "ghostbust" / name
    assert link.is_symlink()
    assert str(link.readlink()) == target
    assert link.resolve() == ROOT / name


def test_every_package_of_the_tree_is_listed_and_no_other() -> None:
    assert set(SETUPTOOLS["packages"]) == packages_in_the_tree()
    assert SETUPTOOLS["package-dir"] == {f"ghostbust.{name}": name for name in LINKS}


def test_every_package_has_a_docstring_that_says_what_it_is() -> None:
    for package in packages_in_the_tree():
        init = ROOT / Path(*package.split(".")) / "__init__.py"
        assert init.read_text("utf-8").startswith('"""'), f"{package} has no docstring"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built offline from a copy of the checkout, so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    unwanted = shutil.ignore_patterns(".*", "tests", "docs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=unwanted)
    # A project is built whose README is still to be written, too: its text isn't tested here.
    (source / PROJECT["project"]["readme"]).touch()
    command = [
        sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation",
        "--no-index", "--quiet", "--wheel-dir", str(folder),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_bears_the_packages_version(wheel: Path) -> None:
    assert wheel.name == f"ghostbust-{ghostbust.__version__}-py3-none-any.whl"


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"ghostbust", f"ghostbust-{ghostbust.__version__}.dist-info"}


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("ghostbust/")}
    wanted = set()
    for package in packages_in_the_tree():
        folder = Path(*package.split("."))
        for path in (ROOT / folder).iterdir():
            if path.is_file() and path.suffix != ".pyc":
                wanted.add(str(folder / path.name))
    assert names == wanted
    assert {
        "ghostbust/py.typed",
        "ghostbust/loop/round.py",
        "ghostbust/registries/judge.py",
        "ghostbust/data/fresh_tasks.jsonl",
        "ghostbust/data/seed_tasks.jsonl",
        "ghostbust/data/registry-pypi.marisa",
        "ghostbust/dashboard/dashboard.tcss",
    } <= names


FAKE_BUILDER = """#!/bin/sh
[ "$1" = build ] || exit "$INFO"
test -f "$7" && test -f "$8/pyproject.toml" && test ! -e "$8/.git" || exit 9
echo "$@" | sed "s#$8#SOURCE#g"
exit "$BUILT"
"""
"""stands for podman; answers `info` and `build` as its environment says"""


@pytest.mark.parametrize(
    ("info", "built", "code", "said"),
    [
        (
            0,
            0,
            0,
            "build --build-arg EXTRAS=[local] -t ghostbust -f SOURCE/docker/Containerfile SOURCE",
        ),
        (0, 3, 1, "build --build-arg"),
        (1, 0, 3, ""),
    ],
)
def test_the_image_is_built_where_something_builds_images(
    tmp_path: Path, info: int, built: int, code: int, said: str
) -> None:
    for name in ("sh", "dirname", "mktemp", "rm", "git", "tar", "sed"):
        found = shutil.which(name)
        assert found, f"no {name} here"
        (tmp_path / name).symlink_to(found)
    (tmp_path / "podman").write_text(FAKE_BUILDER, "utf-8")
    (tmp_path / "podman").chmod(0o755)
    ended = subprocess.run(
        [ROOT / "docker" / "build.sh", "[local]"],
        env={"PATH": str(tmp_path), "INFO": str(info), "BUILT": str(built)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    assert ended.stdout.startswith(said)
    assert len(ended.stderr.splitlines()) == (code == 3)
