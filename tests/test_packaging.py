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
