"""A checked text can't vouch for its own names, whatever index it names for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT
from typer.testing import Result

from ghostbust.cli.sources import shown_address

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex

Run = Callable[..., Result]
ABSENT = "zz-no-such-name-9z"
URL = "https://u:secret@index.example.test/simple"
POETRY = "[tool.poetry.dependencies]\n"
PROJECT = f'[project]\nname = "mine"\ndependencies = ["{ABSENT}"]\n'


def results(result: Result) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(result.stdout)["results"]}


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("requirements.txt", f"--extra-index-url {URL}\n{ABSENT}\n", 1),
        ("requirements.txt", f"--find-links .\n{ABSENT}\n", 1),
        ("requirements.txt", f"-i {URL}\n{ABSENT}\n", 3),
        ("requirements.txt", f"--index-url={URL}\n{ABSENT}\n", 3),
        ("requirements.txt", f"--pre --index-url={URL}\n{ABSENT}\n", 3),
        ("requirements.txt", f"--no-index\n--find-links wheels\n{ABSENT}\n", 3),
        ("requirements.txt", f"-i {PYPI_SIMPLE_ENDPOINT}\n{ABSENT}\n", 1),
        ("pyproject.toml", PROJECT + f'[[tool.uv.index]]\nurl = "{URL}"\n', 1),
        ("pyproject.toml", PROJECT + f'[[tool.uv.index]]\nurl = "{URL}"\ndefault = true\n', 3),
        ("pyproject.toml", PROJECT + f'[tool.uv.sources]\n{ABSENT} = {{ workspace = true }}\n', 3),
        ("pyproject.toml", PROJECT + f'[tool.uv.sources]\n{ABSENT} = {{ git = "{URL}" }}\n', 3),
        ("pyproject.toml", PROJECT + f'[tool.uv.sources]\n{ABSENT} = {{ path = "../x" }}\n', 3),
        ("pyproject.toml", PROJECT + f'[tool.uv.sources]\n{ABSENT} = {{ workspace = false }}\n', 1),
        ("pyproject.toml", PROJECT + f'[tool.poetry.dependencies]\n{ABSENT} = {{ git = "x" }}', 3),
        ("pyproject.toml", PROJECT + f'[tool.poetry]\nname = "{ABSENT}"\n', 1),
        ("pyproject.toml", PROJECT + f'[[tool.poetry.source]]\nname = "x"\nurl = "{URL}"\n', 3),
        ("pyproject.toml", PROJECT + '[[tool.poetry.source]]\nname = "x"\nurl = "y"\n'
         'priority = "supplemental"\n', 1),
        ("pyproject.toml", PROJECT + '[[tool.pdm.source]]\nname = "x"\nurl = "y"\n', 1),
        ("pyproject.toml", f'{POETRY}{ABSENT} = {{ version = "1", git = "x" }}', 3),
        ("pyproject.toml", f'{POETRY}{ABSENT} = {{ version = "1", develop = true }}', 1),
        ("Pipfile", f'[[source]]\nname = "x"\nurl = "{URL}"\n[packages]\n{ABSENT} = "*"\n', 3),
        ("Pipfile", '[[source]]\nname = "pypi"\nurl = "y"\n[[source]]\nname = "x"\nurl = "z"\n'
         f'[packages]\n{ABSENT} = "*"\n', 1),
        ("environment.yml", f"dependencies:\n- pip:\n  - -i {URL}\n  - {ABSENT}\n", 3),
        ("Dockerfile", f"ENV PIP_INDEX_URL={URL}\nRUN pip install {ABSENT}\n", 3),
        ("Dockerfile", f"ENV PIP_EXTRA_INDEX_URL {URL}\nRUN pip install {ABSENT}\n", 1),
        ("Dockerfile", f"ENV UV_INDEX={URL}\nRUN uv pip install {ABSENT}\n", 1),
        ("build.sh", f"npm config set registry {URL}\npip install {ABSENT}\n", 1),
        ("answer.md", f"`pip install --extra-index-url {URL} {ABSENT}`\n", 1),
        ("answer.md", f"`pip install -i {URL} {ABSENT}`\n", 3),
    ],
)  # fmt: skip
def test_a_file_that_names_an_index(run: Run, file: str, text: str, code: int) -> None:
    Path(file).write_text(text)
    result = run("check", "-f", file, "--registry", "snapshot", "--json")
    told = results(result)[ABSENT]
    assert (result.exit_code, told["verdict"]) == (code, {1: "ABSENT", 3: "UNKNOWN"}[code])
    assert code == 1 or told["reason"] == "private-index"
    assert "secret" not in result.output


@pytest.mark.parametrize("option", ["-i", "--extra-index-url"])
def test_what_is_public_stays_as_it_is_and_the_index_is_said(run: Run, option: str) -> None:
    command = f"pip install {option} {URL} requests"
    result = run("check", "--command", command, "--registry", "snapshot", "--json")
    told = results(result)["requests"]
    assert (result.exit_code, told["verdict"]) == (0, "REAL")
    assert "https://index.example.test/simple is" in told["evidence"]


def test_npm_and_another_registry(run: Run, index: FakeIndex) -> None:
    command = f"npm i --registry {URL} left-pad @zz/none"
    result = run("check", "--command", command, "--registry", "auto", "--json")
    told = results(result)
    assert (result.exit_code, told["left-pad"]["verdict"]) == (3, "REAL")
    assert told["@zz/none"]["reason"] == "private-index"


@pytest.mark.parametrize("mode", ["auto", "live"])
def test_an_index_of_the_users_own_is_asked(run: Run, index: FakeIndex, mode: str) -> None:
    index.names.append(ABSENT)
    asked = ["check", "--registry", mode, "--json", "--command"]
    result = run(*asked, f"pip install -i {index.url}/ {ABSENT} zz-none")
    told = results(result)
    assert result.exit_code == 1
    assert (told[ABSENT]["verdict"], told[ABSENT]["source"]) == ("REAL", "live")
    assert (told["zz-none"]["verdict"], told["zz-none"]["source"]) == ("ABSENT", "live")
    assert run(*asked, f"pip install -i {index.url}x {ABSENT}").exit_code in (0, 3)


def test_nobody_asks_an_index_that_only_the_text_names(run: Run, other_index: FakeIndex) -> None:
    other_index.names.append(ABSENT)
    result = run("check", "--command", f"pip install -i {other_index.url} {ABSENT}")
    assert result.exit_code == 3
    assert other_index.asked == []


def test_a_snapshot_says_nothing_of_the_users_own_index(run: Run, index: FakeIndex) -> None:
    index.names.append(ABSENT)
    command = f"pip install -i {index.url} {ABSENT}"
    assert run("check", "--command", command, "--registry", "snapshot").exit_code == 3
    assert index.asked == []


def test_names_that_trusted_settings_vouch_for(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text(f'[check]\nallow = ["{ABSENT}"]\n')
    assert run("check", "--command", f"pip install -i {URL} {ABSENT}").exit_code == 0


def test_a_lock_file_with_another_registry_and_a_place_elsewhere(run: Run) -> None:
    packages = {
        "node_modules/left-pad": {"version": "1", "resolved": f"{URL}/left-pad-1.tgz"},
        "node_modules/@zz/none": {"version": "1", "resolved": f"{URL}/zz-none-1.tgz"},
        "node_modules/zz-git": {"version": "1", "resolved": f"git+{URL}/zz-git.git#1"},
        "node_modules/zz-lib": {"resolved": "lib", "link": True},
    }
    Path("package-lock.json").write_text(json.dumps({"packages": packages}))
    result = run("check", "package-lock.json", "--registry", "auto", "--json")
    told = results(result)
    assert result.exit_code == 3
    assert {name: one["reason"] for name, one in told.items()} == {
        "left-pad": "registered", "@zz/none": "private-index",
        "zz-git": "elsewhere", "zz-lib": "elsewhere",
    }  # fmt: skip
    assert "secret" not in result.output


def test_a_lock_file_without_addresses_is_judged_publicly(run: Run, index: FakeIndex) -> None:
    lock = {"packages": {"node_modules/@zz/none": {"version": "1"}}}
    Path("package-lock.json").write_text(json.dumps(lock))
    assert run("check", "-f", "package-lock.json", "--registry", "auto").exit_code == 1
    Path("uv.lock").write_text(
        f'[[package]]\nname = "{ABSENT}"\nsource = {{ registry = "{PYPI_SIMPLE_ENDPOINT}" }}\n'
    )
    assert run("check", "uv.lock", "--registry", "snapshot").exit_code == 1


def test_addresses_are_short_and_without_credentials() -> None:
    assert shown_address("git https://u:p@git.example.test/a") == "git https://git.example.test/a"
    assert shown_address("") == "another index"
    assert len(shown_address("x" * 999)) == 121
