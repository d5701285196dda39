"""`ghostbust check`: verdicts, exit codes, and what is printed."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ghostbust.records import Ecosystem
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex, Run


ABSENT = "zz-no-such-name-9z"


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["requests"], 0),
        (["requests", "time", "left-pad@npm"], 0),
        ([ABSENT], 1),
        (["requests", "bs4"], 1),
        (["reqeusts"], 1),
        (["zz-no-such-name-9z@npm"], 3),  # the npm snapshot isn't complete, nobody else is asked
        (["zz-no-such-name-9z@npm", ABSENT], 1),
        (["no name"], 2),
        (["left-pad@gem"], 2),
        ([], 2),
        (["\x1b[31m"], 2),
    ],
)
def test_exit_codes_of_the_snapshot(run: Run, names: list[str], code: int) -> None:
    result = run("check", *names, "--registry", "snapshot")
    assert result.exit_code == code
    assert "\x1b" not in result.output
    assert ("nearest: requests" in result.stdout) is ("reqeusts" in names)


def test_the_document(run: Run) -> None:
    result = run("check", "Requests", "reqeusts", "@types/node@npm", "bs4", "--json",
                 "--registry", "snapshot")  # fmt: skip
    told = json.loads(result.stdout)
    assert result.stderr == ""
    assert (told["registry"], told["invented"], told["unknown"]) == ("snapshot", 2, 0)
    real, absent, scoped, decoy = told["results"]
    assert real == {
        "ecosystem": "pypi",
        "name": "requests",
        "purl": "pkg:pypi/requests",
        "verdict": "REAL",
        "reason": "registered",
        "evidence": real["evidence"],
        "source": "snapshot:2026-11-23",
        "looked_up_at": "2026-11-23T00:00:00+00:00",
        "nearest": [],
        "file": None,
        "line": None,
        "column": None,
    }
    assert told["unknown_share"] == 0
    assert (absent["verdict"], absent["nearest"][0]) == ("ABSENT", "requests")
    assert scoped["purl"] == "pkg:npm/%40types/node"
    assert (decoy["verdict"], decoy["reason"]) == ("SUSPECT", "decoy")
    assert "beautifulsoup4" in decoy["evidence"]


def test_a_hostile_name_does_not_reach_the_terminal(run: Run) -> None:
    result = run("check", "\x1b]0;owned\x07[bold]x@npm", "--registry", "snapshot")
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
    assert "\\x1b]0;owned\\x07[bold]x" in result.stdout


@pytest.fixture
def project(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of every `run`, with three files that name packages."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.txt").write_text(f"# ours\nrequests\n{ABSENT}==1\n")
    (folder / "package.json").write_text('{"dependencies": {"left-pad": "^1"}}')
    (folder / "answer.md").write_text("Hi!\n\n`pip install flask`\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("six -f requirements.txt package.json answer.md", f"six requests {ABSENT} left-pad flask"),
        ("six --file requirements.txt package.json -f answer.md",
         f"six requests {ABSENT} left-pad flask"),
        ("six -f requirements.txt --quiet --file=package.json -f answer.md",
         f"six requests {ABSENT} left-pad flask"),
        ("requests -f requirements.txt", f"requests {ABSENT}"),  # each name once
        ("-f answer.md --quiet -- six", "six flask"),
        ("-f answer.md -", "flask typed"),
    ],
)  # fmt: skip
def test_names_and_files_in_the_order_given(run: Run, words: str, names: str) -> None:
    """One ``-f`` takes several files; names stand before it, or behind two dashes."""
    result = run("check", "--json", "--registry", "snapshot", *words.split(), stdin="typed")
    assert [entry["name"] for entry in json.loads(result.stdout)["results"]] == names.split()


@pytest.mark.usefixtures("project")
def test_a_name_behind_f_is_a_file(run: Run) -> None:
    said = one_line(run("check", "-f", "answer.md", "six", "--registry", "snapshot"))
    assert "six: can't be read" in said


@pytest.mark.usefixtures("project")
def test_sarif_and_github(run: Run) -> None:
    checked = ("check", "-f", "requirements.txt", "--registry", "snapshot", "--format")
    log = document(run(*checked, "sarif"), 1)
    (found,) = log["runs"][0]["results"]
    location = found["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "requirements.txt"
    assert (location["region"]["startLine"], location["region"]["startColumn"]) == (3, 1)
    result = run(*checked, "github")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    assert line.startswith("::error title=Package doesn't exist,file=requirements.txt,line=3,")
    both = run(*checked, "github", "--sarif", "found.sarif")
    assert (both.exit_code, both.stdout) == (1, result.stdout)
    assert json.loads(Path("found.sarif").read_text("utf-8")) == log
    assert "no/found.sarif" in one_line(
        run(*checked, "github", "--sarif", "requirements.txt/no/found.sarif")
    )


def test_format_json_is_json(run: Run) -> None:
    said = [
        run("check", "requests", "--registry", "snapshot", *option).stdout
        for option in (["--json"], ["--format", "json"], ["--json", "--format", "json"])
    ]
    assert said[0] == said[1] == said[2]
    result = run("check", "requests", "--json", "--format", "sarif")
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_counts_stand_below_the_table(run: Run) -> None:
    stdin = "```python\nimport numpy, google.cloud.invented\n```\n"
    result = run("check", "-", "--registry", "snapshot", stdin=stdin)
    assert result.stdout.splitlines()[-1] == (
        "2 names: 1 REAL, 1 UNKNOWN (50.0%); 1 of 2 imports can't be tied to a distribution"
    )


@pytest.mark.usefixtures("project")
def test_a_checked_folder_cannot_vouch_for_its_own_names(run: Run, home: Path) -> None:
    settings = f'[check]\nallow = ["{ABSENT}"]\n'
    Path("ghostbust.toml").write_text(settings)
    command = ["check", "-f", "requirements.txt", "--registry", "snapshot"]
    result = run(*command)
    assert result.exit_code == 1
    assert "./ghostbust.toml is ignored here" in result.stderr
    home.mkdir()
    (home / "ghostbust.toml").write_text(settings)
    assert run(*command).exit_code == 0
    (home / "ghostbust.toml").unlink()
    assert run(*command, "--config", "ghostbust.toml").exit_code == 0


def test_names_of_a_private_scope_are_asked_of_nobody(run: Run, home: Path, index: Any) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text('[check]\nprivate = ["@acme", "acme-*"]\n')
    told = document(run("check", "@acme/ui", "acme-core", "--registry", "live", "--json"))
    assert index.asked == []
    assert [entry["reason"] for entry in told["results"]] == ["private-scope"] * 2


def test_a_verdict_comes_before_an_unknown_on_the_same_name(run: Run, tmp_path: Path) -> None:
    answer = tmp_path / "answer.md"
    answer.write_text(
        f"```sh\npip install -i https://index.example.test/simple {ABSENT}\n"
        f"pip install {ABSENT}\n```\n"
    )
    told = json.loads(run("check", "-f", answer, "--json", "--registry", "snapshot").stdout)
    assert [entry["verdict"] for entry in told["results"]] == ["ABSENT"]


@pytest.mark.parametrize(
    "text", ["import zz_no_such\n", f"Just run `pip install {ABSENT}`.\n", f"{ABSENT}\n"]
)
def test_standard_input(run: Run, text: str) -> None:
    assert run("check", "-", "--registry", "snapshot", stdin=text).exit_code == 1


def test_nothing_named_is_said_and_no_failure(run: Run) -> None:
    result = run("check", "-", "--registry", "snapshot", "--json", stdin="Hello there, you.\n")
    assert (result.exit_code, json.loads(result.stdout)["results"]) == (0, [])
    assert "nothing to check" in result.stderr
    result = run("check", "-", "--registry", "snapshot", "--quiet", stdin="Hello there, you.\n")
    assert (result.stdout, result.stderr) == ("", "")


def test_live(run: Run, home: Path, index: Any) -> None:
    assert run("check", "requests", ABSENT).exit_code == 1
    assert index.asked == [], "a complete snapshot knows both"
    told = document(run("check", "requests", ABSENT, "--registry", "live", "--json"), 1)
    assert not home.exists()
    assert [entry["verdict"] for entry in told["results"]] == ["REAL", "ABSENT"]
    assert [entry["source"] for entry in told["results"]] == ["live", "live"]
    assert "/simple/requests/" in [path for path, _headers in index.asked]


def test_a_registry_that_cannot_be_asked_is_three(run: Run, index: Any) -> None:
    index.status = 403
    told = document(run("check", "requests", "--registry", "live", "--json"), 3)
    assert told["unknown"] == 1
    assert told["results"][0]["reason"] == "unreachable"
    assert run("check", "zz-some-name@npm", ABSENT).exit_code == 1, "a finding weighs more"


def test_the_store_of_a_home_is_the_cache(run: Run, home: Path, index: Any) -> None:
    home.mkdir()
    Store.open(home / "ghostbust.db").close()
    assert run("check", "requests", "--registry", "live").exit_code == 0
    with Store.open(home / "ghostbust.db") as store:
        kept = store.lookups.get_lookup(Ecosystem.PYPI, "requests")
    assert kept is not None
    asked = len(index.asked)
    assert run("check", "requests", "--registry", "live").exit_code == 0
    assert len(index.asked) == asked


def test_a_store_that_is_damaged_or_cannot_be_written_is_no_obstacle(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "ghostbust.db").write_bytes(b"not a database, but long enough to be read as one")
    assert run("check", "requests", "--registry", "live").exit_code == 0
    (home / "ghostbust.db").unlink()
    Store.open(home / "ghostbust.db").close()
    (home / "ghostbust.db").chmod(stat.S_IRUSR)
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert run("check", "requests", "--registry", "live").exit_code == 0
    finally:
        home.chmod(stat.S_IRWXU)


def test_a_damaged_snapshot_is_one_line(run: Run, home: Path) -> None:
    (home / "registry").mkdir(parents=True)
    (home / "registry" / "registry-pypi.json").write_text("{}")
    assert "ghostbust registry build" in one_line(run("check", "requests"))


@pytest.mark.parametrize("trusted", [False, True])
def test_what_is_checked_cant_say_who_is_asked(
    run: Run, index: FakeIndex, other_index: FakeIndex, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, trusted: bool,
) -> None:  # fmt: skip
    host = other_index.url.removeprefix("http:")
    mine = f"registry={other_index.url}\n{host}/:_authToken=${{CI_TOKEN}}\n"
    Path(".npmrc").write_text(mine, "utf-8")
    (tmp_path / "npmrc").write_text(f"registry={index.url}\n", "utf-8")
    monkeypatch.delenv("npm_config_registry")
    monkeypatch.setenv("CI_TOKEN", "very-secret")
    config = ".npmrc" if trusted else str(tmp_path / "npmrc")
    monkeypatch.setenv("npm_config_userconfig", config)
    done = run("check", "@acme/zz-none@npm", "--registry", "live")
    assert done.exit_code == 1, done.output
    assert ("./.npmrc is ignored here" in done.stderr) is not trusted
    asked, left_alone = (other_index, index) if trusted else (index, other_index)
    assert asked.asked
    assert not left_alone.asked
    tokens = [httpx.Headers(headers).get("authorization") for _, headers in asked.asked]
    assert tokens == (["Bearer very-secret"] if trusted else [None]) * len(tokens)
