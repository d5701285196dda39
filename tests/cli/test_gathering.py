"""What ``check`` is given, told apart, and followed to what it names."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.cli.gathering import Gathered, counted, gather, is_path, walk
from ghostbust.cli.sources import is_read
from ghostbust.extractors.checkout import LEFT_OUT

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ABSENT = "zz-no-such-name-9z"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(**files: str) -> None:
    """Files by their names, ``__`` for a dot and ``_`` for the separator of folders."""
    for name, text in files.items():
        path = Path(name.replace("__", ".").replace("_", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def named(gathered: Gathered) -> list[str | None]:
    return [ref.name for source in gathered.sources for ref in source.refs]


def unseen(gathered: Gathered) -> dict[str, str]:
    return {one.what: one.why for one in gathered.skipped}


def test_what_is_written_like_a_path_and_what_like_a_package() -> None:
    paths = [
        ".", "..", "./requests", "src/app", "/abs", "package.json", "requirements-dev.txt",
        "Pipfile", "Dockerfile", "uv.lock", "pylock.toml", "answer.md", "x.ipynb",
        "pyproject.toml", "a.csv",
    ]  # fmt: skip
    packages = [
        "requests", "@types/node", "pkg:npm/left-pad", "left-pad@npm", "zope.interface",
        "discord.py", "ruamel.yaml", "requests[socks]>=2", "x @ https://x.example.test/a.whl",
        "package.json@npm", "git+https://git.example.test/a", "socket.io",
    ]  # fmt: skip
    assert [word for word in paths + packages if is_path(word)] == paths


@pytest.mark.parametrize("name", [ABSENT, "discord.py"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_file_of_its_name_hides_no_package(name: str, is_folder: bool) -> None:
    Path(name).mkdir() if is_folder else Path(name).write_text("import requests")
    gathered = gather([name], [])
    assert [ref.raw for source in gathered.sources for ref in source.refs] == [name]
    assert gathered.notes == [f"{name}: checked as a package; -f {name} checks the file"]


def test_a_dependency_file_without_f_is_read_and_not_looked_up(run: Run) -> None:
    Path("package.json").write_text('{"dependencies": {"left-pad": "^1"}}')
    result = run("check", "package.json", "--registry", "snapshot", "--json")
    assert [one["name"] for one in json.loads(result.stdout)["results"]] == ["left-pad"]
    Path("package.json").unlink()
    assert run("check", "package.json", "--registry", "snapshot").exit_code == 2


def test_a_folder_is_read_with_and_without_f(run: Run) -> None:
    write(requirements__txt=f"{ABSENT}\n", a_package__json='{"dependencies": {"left-pad": "1"}}')
    for arguments in (["."], ["-f", "."], [str(Path.cwd())]):
        result = run("check", *arguments, "--registry", "snapshot", "--json")
        found = json.loads(result.stdout)["results"]
        assert [one["name"] for one in found] == ["left-pad", ABSENT]
        assert result.exit_code == 1
    assert found[1]["file"] == str(Path.cwd() / "requirements.txt")
    left_out = ["--exclude", "requirements.txt"]
    assert run("check", ".", *left_out, "--registry", "snapshot").exit_code == 0


def test_what_is_empty_was_not_looked_at(run: Run) -> None:
    Path("empty").mkdir()
    assert run("check", "./empty", "--registry", "snapshot").exit_code == 4
    assert run("check", "-", "--registry", "snapshot", stdin="").exit_code == 4


def test_in_a_folder_one_broken_file_stops_nothing(run: Run) -> None:
    write(a_package__json="{", requirements__txt="requests\n", b_x__png="x", c____init____py="")
    Path("bin.py").write_bytes(b"\0\1")
    result = run("check", ".", "--registry", "snapshot")
    assert result.exit_code == 4
    assert "not looked at: a/package.json: isn't valid JSON" in result.stdout
    assert "not looked at: bin.py: it isn't text" in result.stdout
    assert "1 .png" in result.stderr
    assert run("check", "-f", "a/package.json", "--registry", "snapshot").exit_code == 2


def test_named_files_are_followed_relative_to_the_file_that_names_them() -> None:
    write(requirements__txt="-r reqs/base.txt\na1\n-cconstraints.txt\n--requirement=more.in\n",
          reqs_base__txt="b1\n-r ../requirements.txt\n--requirem 'deep.txt'\n",
          reqs_deep__txt="c1\n", constraints__txt="d1<2\n", more__in="e1\n")  # fmt: skip
    gathered = gather([], ["requirements.txt"])
    assert named(gathered) == ["a1", "b1", "c1", "d1", "e1"]
    assert gathered.skipped == []
    assert [source.path for source in gathered.sources][:3] == [
        "requirements.txt", "reqs/base.txt", "reqs/deep.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("order", [["requirements.txt"], ["."]])
def test_a_named_file_is_read_as_requirements_in_a_folder_too(order: list[str]) -> None:
    write(a__txt="zz-one\n", requirements__txt="-r a.txt\n-r z.txt\n", z__txt="zz-two\n")
    assert {"zz-one", "zz-two"} <= set(named(gather([], order)))


@pytest.mark.parametrize(
    "command",
    ["pip install -r base.txt", "uv pip install --requirements base.txt",
     "pip install -cbase.txt x", "pip install --requirement=base.txt",
     "sh -c 'pip install -r base.txt'"],
)  # fmt: skip
def test_commands_are_followed(command: str) -> None:
    write(base__txt=f"{ABSENT}\n")
    assert ABSENT in named(gather([], [], command))


@pytest.mark.parametrize("file", ["Dockerfile", "run.sh", ".github/workflows/ci.yml"])
def test_scripts_are_followed_where_the_file_is_there(file: str) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    (Path(file).parent / "base.txt").write_text("b1\n")
    Path(file).write_text("RUN pip install -r base.txt -r /app/none.txt\n")
    gathered = gather([], [file])
    assert (named(gathered), gathered.skipped) == (["b1"], [])


def test_what_environment_files_name_is_followed() -> None:
    write(environment__yml="dependencies:\n- pip:\n  - -r base.txt\n", base__txt="b1\n")
    assert named(gather([], ["environment.yml"])) == ["b1"]


def test_what_cannot_be_followed_is_said(tmp_path: Path) -> None:
    os.mkfifo("pipe.txt")
    (tmp_path / "secret").write_text("user hunter2\n")
    write(requirements__txt="-r gone.txt\n-r https://u:pw@x.example.test/r.txt\n-r pipe.txt\n"
          "-r ../secret\n-r /dev/zero\n")  # fmt: skip
    told = unseen(gather([], ["requirements.txt"]))
    assert told == {
        "gone.txt": "named in requirements.txt, line 1, no such file",
        "https://x.example.test/r.txt": "named in requirements.txt, line 2, not fetched",
        "pipe.txt": "named in requirements.txt, line 3, no such file",
        "../secret": "named in requirements.txt, line 4, no requirements file",
        "/dev/zero": "named in requirements.txt, line 5, no such file",
    }


def test_a_long_row_of_files_ends() -> None:
    for number in range(40):
        Path(f"r{number}.txt").write_text(f"-r r{number + 1}.txt\nn{number}\n")
    gathered = gather([], ["r0.txt"])
    assert len(named(gathered)) == 21
    assert unseen(gathered) == {"r21.txt": "named in r20.txt, line 1, too deep"}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("gem install rails", "gem install"),
        ("sudo gem install rails", "gem install"),
        ("go get example.test/x", "go get"),
        ("brew install jq && pip install requests", "brew install"),
        ("apt-get -y install curl", "apt-get install"),
        ("bash -c 'go install x'", "go install"),
        ("npm ci", "npm ci"),
        ("poetry install", "poetry install"),
        ("npm install", "npm install"),
        ("pip install .", "pip install ."),
        ("pip install -e ./lib requests", "pip install ./lib"),
        ("pip install requests git+https://u:pw@git.example.test/a",
         "pip install git+https://git.example.test/a"),
        ("pip install requests x.whl", "pip install x.whl"),
        ("pip install $NAMES", "pip install $NAMES"),
        ("ls -la", "ls -la"),
        (" ", "the command"),
    ],
)  # fmt: skip
def test_a_command_that_installs_what_is_not_looked_at(run: Run, command: str, what: str) -> None:
    result = run("check", "--command", command, "--registry", "snapshot", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 4
    assert what in [one["what"] for one in told["not_looked_at"]]


@pytest.mark.parametrize(
    "command",
    ["pip install requests >log 2>/dev/null", "pip install 'requests>=2' 2>&1 | tee log",
     "python -m venv v && . v/bin/activate && pip install requests", "npx left-pad a b c",
     "cd app && uv add requests", "docker build . && pip install --upgrade pip"],
)  # fmt: skip
def test_a_command_that_is_looked_at(run: Run, command: str) -> None:
    assert run("check", "--command", command, "--registry", "snapshot").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [("requirements.txt", b""), ("x.sh", b" \n"), ("answer.md", b"\x89PNG\r\n\0\0"),
     ("x.txt", b"caf\xe9 \xfc\xfc"), ("go.mod", b"module x"), ("main.go", b"use x;"),
     ("Gemfile", b"gem 'rails'"), ("pom.xml", b"<project/>")],
)  # fmt: skip
def test_a_file_that_is_not_looked_at(run: Run, name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    result = run("check", "-f", name, "--registry", "snapshot")
    assert result.exit_code == 4
    assert f"not looked at: {name}: " in result.stdout


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_requirements_that_powershell_wrote(run: Run, encoding: str) -> None:
    text = f"requests\r\n{ABSENT}\r\n"
    text = "\ufeff" + text if encoding.endswith("be") else text
    Path("requirements.txt").write_bytes(text.encode(encoding))
    assert run("check", "-f", "requirements.txt", "--registry", "snapshot").exit_code == 1


@pytest.mark.parametrize("shape", ["sarif", "github", "table"])
def test_what_is_not_looked_at_is_in_every_format(run: Run, shape: str) -> None:
    result = run("check", "--command", "gem install x\x1b[0m", "--format", shape, "--registry",
                 "snapshot")  # fmt: skip
    assert result.exit_code == 4
    assert "gem install: packages of gem aren't looked up" in result.stdout
    assert "\x1b" not in result.stdout


def test_many_things_that_are_not_looked_at_are_counted(run: Run) -> None:
    Path("requirements.txt").write_text("".join(f"-r gone{n}.txt\n" for n in range(30)))
    result = run("check", "-f", "requirements.txt", "--registry", "snapshot")
    assert result.stdout.count("not looked at: gone") == 20
    assert "not looked at: 10 more" in result.stdout


def test_a_package_json_that_says_it_is_a_notebook_is_none(run: Run) -> None:
    Path("package.json").write_text('{"cells": [], "dependencies": {"@zz/none": "1"}}')
    assert run("check", "package.json", "--registry", "live").exit_code == 1


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, which is the current folder."""
    folder = tmp_path / "tree"
    for name in ("b.py", "a/z.py", "a/b/uv.lock", "requirements.txt", "x.png", "src/main.go",
                 "LICENSE", "node_modules/m/package.json", "deep/.venv/x.py", "own/pyvenv.cfg",
                 "own/x.py", "docs/read.md"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    monkeypatch.chdir(folder)
    return folder


def test_files_come_in_a_fixed_order_and_are_shown_as_given(tree: Path) -> None:
    assert walk(str(tree)).files[2] == str(tree / "b.py")
    assert walk("../tree/a").files == ["../tree/a/b/uv.lock", "../tree/a/z.py"]
    found = walk(".")
    assert found.files == ["a/b/uv.lock", "a/z.py", "b.py", "docs/read.md", "requirements.txt"]
    assert found.left_out == ["node_modules", "own", "deep/.venv"]
    assert dict(found.others) == {".png": 1, ".go": 1, "LICENSE": 1}
    assert found.skipped == []


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


def test_kinds_of_files() -> None:
    read = [
        "package.json", "pnpm-lock.yaml", "x.ts", "Dockerfile.dev", ".github/workflows/ci.yml",
        "README.md", "setup.cfg", "tox.ini", "x.ipynb", "Makefile", "pylock.dev.toml", "Cargo.toml",
    ]  # fmt: skip
    others = ["tsconfig.json", "go.mod", "data.csv", "pubspec.yaml", "mypy.toml"]
    assert [name for name in read + others if is_read(name)] == read


def test_other_kinds_are_counted() -> None:
    found = Counter({".png": 5, ".rs": 2, ".go": 2, ".c": 1, ".h": 1})
    assert list(counted(found)) == ["5 .png", "2 .go", "2 .rs", "2 more"]


def test_the_patterns_are_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")
    assert not [pattern for pattern in LEFT_OUT if f"`{pattern}`" not in text]
