"""The verdict on each place: whole sources, named indexes, the checkout's own code, vouching."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from ghostbust.cli.commands import source_of_command
from ghostbust.cli.judging import (
    Vouching,
    is_vouching_ignored,
    judge_sources,
    trusted_vouching,
)
from ghostbust.cli.source_text import SourceText, shown_address, source_of_name
from ghostbust.errors import ConfigError
from ghostbust.extractors.extract import extract
from ghostbust.home import Home
from ghostbust.records import Ecosystem, PackageRef, RefKind, Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.names import manifest_ref
from ghostbust.results import CheckedList, Summary
from ghostbust.text import Place
from tests.cli.reading import document

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex, Run

Results = Callable[..., dict[str, Any]]
Reasons = Callable[..., dict[str, str]]
PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM
ABSENT = "zz-no-such-name-9z"
MODULE = "zz_no_such_name_9z"
URL = "https://u:secret@index.example.test/simple"
POETRY = "[tool.poetry.dependencies]\n"
PROJECT = f'[project]\nname = "mine"\ndependencies = ["{ABSENT}"]\n'


def found(*sources: SourceText, vouching: Vouching | None = None) -> CheckedList:
    with default_judge(Mode.SNAPSHOT) as judge:
        return CheckedList(judge_sources(judge, vouching or Vouching(), sources), "snapshot")


def answer(text: str) -> SourceText:
    return SourceText(extract(text), text, "answer.md")


@pytest.fixture
def results(run: Run) -> Results:
    """What ``check`` finds, by name; the command ends with this code, and shows no secret."""

    def check(*words: object, code: int = 0, mode: str = "snapshot") -> dict[str, Any]:
        result = run("check", *words, "--registry", mode, "--json")
        assert "secret" not in result.output
        return {one["name"]: one for one in document(result, code)["results"]}

    return check


def test_every_place_is_found_with_its_line() -> None:
    text = f"`pip install {ABSENT}`\nand again:\n`pip install requests {ABSENT}`\n"
    checked = found(source_of_name("flask"), answer(text), source_of_command("pip install six"))
    assert [(one.name, one.line) for one in checked] == [
        ("flask", None), (ABSENT, 1), ("requests", 3), (ABSENT, 3), ("six", None),
    ]  # fmt: skip
    assert checked[1].place == Place("answer.md", 1, 14, 1, 14 + len(ABSENT))
    assert [one.name for one in checked.distinct()] == ["flask", ABSENT, "requests", "six"]


def test_what_is_vouched_for_is_not_judged_and_absent_names_have_nearest_ones() -> None:
    vouching = Vouching.of([ABSENT], [])
    allowed, real, absent = found(
        *map(source_of_name, (ABSENT, "requests", "reqeusts")), vouching=vouching
    )
    assert (allowed.reason, real.reason) == ("allowed", "registered")
    assert (real.nearest, absent.nearest[0]) == ((), "requests")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("```python\nimport numpy, yaml, google.cloud.invented, numpy\n```\n", (4, 3, 1, 1 / 3)),
        ('```js\nimport _ from "lodash";\n```\n', (2, 0, 0, None)),
    ],
)
def test_the_summary_counts_names_and_unmapped_python_imports(
    text: str, counts: tuple[object, ...]
) -> None:
    names = found(answer(text), source_of_name(ABSENT)).distinct()
    counted = Summary.of(names)
    assert (counted.names, counted.imports, counted.unmapped, counted.unmapped_share) == counts
    assert counted.invented == 1
    assert counted.unknown_share == counted.unmapped / counted.names
    nothing = Summary.of([])
    assert (nothing.names, nothing.unknown_share, nothing.unmapped_share) == (0, None, None)


def test_conda_packages_are_unknown_and_no_reason_to_try_again() -> None:
    (one,) = found(answer("`conda install scipy`\n"))
    assert (one.verdict, one.reason, one.unanswered) == (Verdict.UNKNOWN, "not-asked", False)


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
def test_a_file_that_names_an_index(results: Results, file: str, text: str, code: int) -> None:
    Path(file).write_text(text)
    told = results("-f", file, code=code)[ABSENT]
    assert told["verdict"] == {1: "ABSENT", 3: "UNKNOWN"}[code]
    assert code == 1 or told["reason"] == "private-index"


@pytest.mark.parametrize("option", ["-i", "--extra-index-url"])
def test_what_is_public_stays_as_it_is_and_the_index_is_said(results: Results, option: str) -> None:
    told = results("--command", f"pip install {option} {URL} requests")["requests"]
    assert told["verdict"] == "REAL"
    assert "https://index.example.test/simple is" in told["evidence"]


def test_npm_and_another_registry(results: Results, index: FakeIndex) -> None:
    command = f"npm i --registry {URL} left-pad @zz/none"
    told = results("--command", command, mode="auto", code=3)
    assert told["left-pad"]["verdict"] == "REAL"
    assert told["@zz/none"]["reason"] == "private-index"


@pytest.mark.parametrize("mode", ["auto", "live"])
def test_an_index_of_the_users_own_is_asked(
    run: Run, results: Results, index: FakeIndex, mode: str
) -> None:
    index.names.append(ABSENT)
    command = f"pip install -i {index.url}/ {ABSENT} zz-none"
    told = results("--command", command, mode=mode, code=1)
    assert (told[ABSENT]["verdict"], told[ABSENT]["source"]) == ("REAL", "live")
    assert (told["zz-none"]["verdict"], told["zz-none"]["source"]) == ("ABSENT", "live")
    another = run("check", "--command", f"pip install -i {index.url}x {ABSENT}", "--registry", mode)
    assert another.exit_code in (0, 3)


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


def test_a_lock_file_with_another_registry_and_a_place_elsewhere(results: Results) -> None:
    packages = {
        "node_modules/left-pad": {"version": "1", "resolved": f"{URL}/left-pad-1.tgz"},
        "node_modules/@zz/none": {"version": "1", "resolved": f"{URL}/zz-none-1.tgz"},
        "node_modules/zz-git": {"version": "1", "resolved": f"git+{URL}/zz-git.git#1"},
        "node_modules/zz-lib": {"resolved": "lib", "link": True},
    }
    Path("package-lock.json").write_text(json.dumps({"packages": packages}))
    told = results("package-lock.json", mode="auto", code=3)
    assert {name: one["reason"] for name, one in told.items()} == {
        "left-pad": "registered", "@zz/none": "private-index",
        "zz-git": "elsewhere", "zz-lib": "elsewhere",
    }  # fmt: skip


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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with a package, a tool and a workspace of npm."""
    write(tmp_path / "repo/.git/HEAD", "")
    for name in ("src/zz_own/__init__.py", "tools/zz_generate.py", "app.py"):
        write(tmp_path / "repo" / name, "")
    write(tmp_path / "repo/packages/ui/package.json", '{"name": "@zz-own/ui"}')
    return tmp_path / "repo"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.fixture
def reasons(results: Results) -> Reasons:
    """The reason of each name that ``check`` finds, which ends with this code."""
    return lambda *words, **how: {k: one["reason"] for k, one in results(*words, **how).items()}


def test_a_checkouts_own_code_is_not_accused(
    run: Run, results: Results, reasons: Reasons, checkout: Path
) -> None:
    write(
        checkout / "tests/test_it.py",
        "import zz_own.part\nimport zz_generate\nimport app\nimport requests\n",
    )
    write(checkout / "web/main.ts", "import { Button } from '@zz-own/ui';\n")
    write(checkout / "web/package.json", '{"dependencies": {"@zz-own/ui": "workspace:*"}}')
    assert reasons(checkout) == {
        "zz-own": "local-module", "zz-generate": "local-module",
        "app": "local-module",  # somebody has registered that name
        "requests": "registered", "@zz-own/ui": "local-module",
    }  # fmt: skip
    assert document(run("check", checkout, "--json", "--registry", "snapshot"))["own"] == 4
    evidence = {name: one["evidence"] for name, one in results(checkout).items()}
    assert "src/zz_own/__init__.py" in evidence["zz-own"]
    assert "tools/zz_generate.py" in evidence["zz-generate"]
    assert "packages/ui/package.json" in evidence["@zz-own/ui"]


def test_a_single_file_knows_its_checkout_too(reasons: Reasons, checkout: Path) -> None:
    write(checkout / "tests/test_it.py", "import zz_own\nimport zz_generate\n")
    assert reasons("-f", checkout / "tests/test_it.py")


def test_an_install_line_is_judged_whatever_lies_in_the_checkout(
    reasons: Reasons, checkout: Path
) -> None:
    write(checkout / "setup.sh", "pip install zz-generate\n")
    assert reasons(checkout, code=1) == {"zz-generate": "not-registered"}


def test_an_answer_from_elsewhere_gains_nothing_from_a_checkout(
    reasons: Reasons, checkout: Path
) -> None:
    write(checkout.parent / "answer.md", "```python\nimport zz_generate\n```\n")
    assert reasons(checkout.parent / "answer.md", code=1)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f"import {MODULE}  # ghostbust: ignore[generated by the build]"),
        ("requirements.txt", f"{ABSENT}==1  # ghostbust:ignore[only on our index]"),
        ("a.md", f"`pip install {ABSENT}` <!-- ghostbust: ignore[an example] -->"),
    ],
)
def test_a_comment_keeps_its_line_from_being_judged(
    reasons: Reasons, tmp_path: Path, name: str, line: str
) -> None:
    write(tmp_path / name, f"{line}\n")
    assert reasons("-f", tmp_path / name) == {ABSENT: "ignored"}
    assert reasons("-f", tmp_path / name, "--no-comments", code=1)


@pytest.mark.parametrize(
    "text",
    [
        *(f"import {MODULE}  # {one}\n" for one in ("ghostbust: ignore", "ghostbust: ignore[]")),
        f"# ghostbust: ignore[above]\nimport {MODULE}\n",
    ],
)
def test_a_comment_must_say_why_and_stand_in_the_line(
    reasons: Reasons, tmp_path: Path, text: str
) -> None:
    write(tmp_path / "a.py", text)
    assert reasons("-f", tmp_path / "a.py", code=1)


def test_only_problems_are_printed_with_their_places(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "b/z.py", f"import requests\nimport   {MODULE}\n")
    write(tmp_path / "a.py", f"import {MODULE}\n")
    result = run("check", str(tmp_path), "--registry", "snapshot")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'a.py'}:1:8: ABSENT {ABSENT} (pypi, not-registered): ")
    assert lines[1].startswith(f"{tmp_path / 'b/z.py'}:2:10: ABSENT {ABSENT} ")
    assert lines[2] == "2 names: 1 REAL, 1 ABSENT"
    shown = run("check", str(tmp_path), "--registry", "snapshot", "--all").stdout
    assert f"{tmp_path / 'b/z.py'}:1:8: REAL requests (pypi, registered): " in shown


VOUCHING = Vouching.of(
    ["acme-core", "left-pad@npm", "pkg:npm/%40acme/ui"], ["@acme", "@other/*", "acme_int_*"]
)
TEXT = '[check]\nallow = ["ours"]\n'


@pytest.mark.parametrize(
    ("ecosystem", "name", "reason"),
    [
        (PYPI, "Acme.Core", "allowed"),
        (NPM, "acme-core", None),
        (NPM, "left-pad", "allowed"),
        (NPM, "@acme/ui", "allowed"),
        (NPM, "@acme/else", "private-scope"),
        (NPM, "@other/x", "private-scope"),
        (NPM, "@acmecorp/x", None),
        (PYPI, "acme-int-tools", "private-scope"),
        (PYPI, "acme-integration", None),
        (NPM, "acme-int-tools", None),
    ],
)
def test_lookup(ecosystem: Ecosystem, name: str, reason: str | None) -> None:
    found = VOUCHING.lookup(manifest_ref(ecosystem, name))
    assert (found and found.reason) == reason
    assert found is None or (found.verdict, found.source) == (Verdict.UNKNOWN, "rule")


def test_an_import_without_a_distribution_goes_by_its_own_name() -> None:
    ref = PackageRef(PYPI, RefKind.IMPORT, "acme_core", 0, 9, None, "acme_core")
    found = VOUCHING.lookup(ref)
    assert found is not None
    assert found.reason == "allowed"


@pytest.mark.parametrize("text", ["two words", "x @ https://files.example.test/x.whl", ""])
def test_no_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"check\.allow"):
        Vouching.of([text], [])


@pytest.mark.parametrize("text", ["*", "@", "@a/b", "acme", "@*", "-*", ""])
def test_no_scope(text: str) -> None:
    with pytest.raises(ConfigError, match=r"check\.private"):
        Vouching.of([], [text])


def test_the_homes_settings_and_a_given_file_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert trusted_vouching(None, Home(tmp_path / "none")) == Vouching()
    (tmp_path / "given.toml").write_text(TEXT)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ghostbust.toml").write_text('[check]\nprivate = ["@ours"]\n')
    assert trusted_vouching(tmp_path / "given.toml", Home(tmp_path)).allowed == {(PYPI, "ours")}
    assert trusted_vouching(None, Home(tmp_path / "home")).scopes == ((NPM, "@ours/"),)


def test_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTBUST_CHECK__ALLOW", '["ours"]')
    assert trusted_vouching(None, Home(tmp_path)).allowed == {(PYPI, "ours")}


def test_the_current_folders_settings_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_vouching_ignored(None)
    (tmp_path / "ghostbust.toml").write_text(TEXT)
    monkeypatch.setenv("GHOSTBUST_CHECK__PRIVATE", '["@ours"]')  # so that settings are read at all
    assert trusted_vouching(None, Home(tmp_path / "none")) == Vouching(scopes=((NPM, "@ours/"),))
    assert is_vouching_ignored(None)
    assert not is_vouching_ignored(tmp_path / "ghostbust.toml")
    assert trusted_vouching(tmp_path / "ghostbust.toml", Home(tmp_path)).allowed == {(PYPI, "ours")}
