"""What of a folder is looked into."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from ghostbust.cli.gathering import counted, walk
from ghostbust.cli.sources import is_read
from ghostbust.extractors.checkout import LEFT_OUT


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, which is the current folder."""
    folder = tmp_path / "tree"
    for name in ("b.py", "a/z.py", "a/b/uv.lock", "requirements.txt", "x.png", "src/main.rs",
                 "LICENSE", "node_modules/m/package.json", "deep/.venv/x.py", "own/pyvenv.cfg",
                 "own/x.py", "docs/read.md"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("tree")
def test_files_come_in_a_fixed_order() -> None:
    found = walk(".")
    assert found.files == ["a/b/uv.lock", "a/z.py", "b.py", "docs/read.md", "requirements.txt"]
    assert found.left_out == ["node_modules", "own", "deep/.venv"]
    assert dict(found.others) == {".png": 1, ".rs": 1, "LICENSE": 1}
    assert found.skipped == []


def test_paths_are_shown_as_given(tree: Path) -> None:
    assert walk(str(tree)).files[2] == str(tree / "b.py")
    assert walk("../tree/a").files == ["../tree/a/b/uv.lock", "../tree/a/z.py"]


@pytest.mark.usefixtures("tree")
def test_patterns_leave_out_names_and_paths() -> None:
    assert walk(".", ["a/b", "*.md", "./requirements.txt"]).files == ["a/z.py", "b.py"]
    assert walk(".", ["a/"]).files[0] == "b.py"


def test_links_out_of_the_folder_are_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out.py").write_text("import zz")
    (tree / "out.py").symlink_to(tmp_path / "out.py")
    (tree / "in.py").symlink_to("b.py")
    (tree / "gone.py").symlink_to("nowhere.py")
    (tree / "loop").symlink_to(".")
    (tree / "up").symlink_to("..")
    os.mkfifo(tree / "pipe.py")
    found = walk(".")
    assert "in.py" in found.files
    assert not {"out.py", "gone.py", "pipe.py"} & set(found.files)
    assert {one.what: one.why for one in found.skipped} == {
        "gone.py": "no regular file", "out.py": "a link out of the folder",
        "pipe.py": "no regular file",
    }  # fmt: skip
    assert {"loop", "up"} <= set(found.left_out)


def test_a_deep_folder_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1_500):
        Path("d").mkdir()
        os.chdir("d")
    Path("x.py").write_text("")
    os.chdir(tmp_path)
    found = walk(".")
    Path(found.files[0]).unlink()
    os.removedirs(Path(found.files[0]).parent)  # pytest's own cleaning is recursive
    assert found.files == ["d/" * 1_500 + "x.py"]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("package.json", True), ("tsconfig.json", False), ("pnpm-lock.yaml", True), ("x.ts", True),
        ("Dockerfile.dev", True), (".github/workflows/ci.yml", True), ("README.md", True),
        ("setup.cfg", True), ("tox.ini", True), ("Cargo.toml", False), ("go.mod", False),
        ("data.csv", False), ("x.ipynb", True), ("pubspec.yaml", False), ("Makefile", True),
        ("pylock.dev.toml", True), ("mypy.toml", False),
    ],
)  # fmt: skip
def test_kinds_of_files(name: str, read: bool) -> None:
    assert is_read(name) is read


def test_other_kinds_are_counted() -> None:
    found = Counter({".png": 5, ".rs": 2, ".go": 2, ".c": 1, ".h": 1})
    assert list(counted(found)) == ["5 .png", "2 .go", "2 .rs", "2 more"]


def test_the_patterns_are_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")
    assert not [pattern for pattern in LEFT_OUT if f"`{pattern}`" not in text]
