"""The docs agree with the program: links, commands, options, settings, and what commands print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from ghostbust.cli import edge
from ghostbust.cli.app import app
from ghostbust.cli.lazy import LazyCommand
from ghostbust.config import load_config
from ghostbust.errors import ConfigError, GhostbustError
from ghostbust.home import Home
from ghostbust.store.rounds import RoundState
from tests.command_lines import (
    COMMANDS,
    KEYED,
    PAGES,
    ROOT,
    SCRIPTS,
    SESSION,
    Block,
    blocks,
    mentions,
)
from tests.lab.results_picture import PICTURE, picture

DOCS = ROOT / "docs"
_FENCED = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1$", re.M | re.S)


def places(page: Path) -> Iterator[tuple[Path, str]]:
    """The files that a page links to, with the anchor in them, which may be empty.

    Addresses of the web, and examples in code, are left out.
    """
    text = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text("utf-8")))
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if "://" not in target:
            yield (page.parent / target).resolve() if target else page, anchor


def links(page: Path) -> Iterator[Path]:
    """The files that a page links to."""
    return (target for target, _ in places(page))


def anchors(page: Path) -> set[str]:
    """What a page's headings can be linked as, as code hosts make it."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    linked = {(page.name, *place) for page in PAGES for place in places(page)}
    assert not [place for place in linked if not place[1].exists()]
    # What stands behind the name of a picture says for which colours of the site it is.
    into = [place for place in linked if place[2] and place[1].suffix == ".md"]
    assert not [place for place in into if place[2] not in anchors(place[1])]


def test_the_table_of_contents_has_every_page() -> None:
    index = DOCS / "index.md"
    unlisted = set(PAGES) - {ROOT / "README.md", index} - set(links(index))
    assert not unlisted


def test_the_line_tells_every_state_of_a_round() -> None:
    text = (DOCS / "concepts" / "line.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z`, -]+`) \|", text, re.M)
    told = {word for row in rows for word in re.findall(r"`([a-z-]+)`", row)}
    assert told == {str(state) for state in RoundState}


ROOT_COMMAND = get_command(app)


def loaded(command: Any) -> Any:
    """The command itself where one only stands for it until it is called."""
    return command.loaded if isinstance(command, LazyCommand) else command


LABELS = {"", SESSION, *SCRIPTS, *KEYED, "text", "toml", "json", "python", "pycon", "dockerfile"}
FORMER = {
    "audit", "daemon", "dashboard", "engine", "faults", "ingest", "truth", "unattended", "unseen",
}  # fmt: skip
"""commands of `bench` that the log calls by this name; they are programs of tests/lab now"""
NOT_OURS = {
    "pip": "installs",
    "uv": "installs what pip can't",
    "printf": "the system's own",
    "pytest": "this suite",
    ".": "the shell's own",
    "cd": "the shell's own",
    "mkdir": "the system's own",
    "vllm": "a model server",
    "python": "makes an environment, or a model server",
    "llama-server": "a model server",
    "tar": "unpacks a model server's source",
    "cmake": "builds a model server",
    "datasette": "reads an exported ledger",
    "zcat": "reads a log",
    "cp": "the system's own",
    "tee": "the system's own",
    "timeout": "the system's own",
    "useradd": "the system's own",
    "systemctl": "the system's own",
    "docker": "runs an image",
    "docker/build.sh": "builds an image",
    "some-model": "stands for any program that prints answers",
}
"""programs of others that the docs call, and what for; ghostbust's tests don't run them"""


def refusal(arguments: list[str]) -> str | None:
    """Why the program wouldn't take these arguments; None where it would. Nothing is run."""
    command: Any = ROOT_COMMAND
    context: Any = None
    name: str | None = "ghostbust"
    try:
        while True:
            context = command.make_context(name, list(arguments), parent=context)
            if not isinstance(command, TyperGroup):
                return None
            rest = [*context._protected_args, *context.args]
            if not rest:
                return None
            name, command, arguments = command.resolve_command(context, rest)
            command = loaded(command)
    except typer.Exit:  # --help and --version end here
        return None
    except typer.TyperException as exc:
        return exc.format_message()


def test_no_block_hides_a_command() -> None:
    for block in (one for page in PAGES for one in blocks(page)):
        assert block.label in LABELS, f"{block.page}, line {block.line}"
        if block.label not in (SESSION, *SCRIPTS, *KEYED, "dockerfile"):
            hidden = re.findall(r"^(?:\$ .*|(?:.*\W)?ghostbust [a-z]+( .*)?)$", block.text, re.M)
            assert not hidden, f"{block.page}, line {block.line}: label it sh or console"


def test_every_command_is_taken_as_written() -> None:
    refused = {str(one): refusal(one.arguments) for one in COMMANDS if one.arguments is not None}
    assert len(refused) > 50
    assert not {command: why for command, why in refused.items() if why}


def test_what_there_isnt_is_refused() -> None:
    for wrong in ("chekc a", "check --colour", "report --format pdf", "round x"):
        assert refusal(wrong.split()) is not None


def test_commands_in_running_text_exist_with_their_options() -> None:
    for page, words in ((one, words) for one in PAGES for words in mentions(one)):
        if page.name == "log.md" and words[0] == "bench" and words[1] in FORMER:
            continue
        found: Any = ROOT_COMMAND
        for word in words:
            inner = getattr(found, "commands", {})
            if word in inner:
                found = loaded(inner[word])
            else:
                assert not inner or not word.islower() or word.startswith("-"), words
        options = {name for one in found.params for name in (*one.opts, *one.secondary_opts)}
        asked = {word.strip("[]") for word in words if word.lstrip("[").startswith("--")}
        assert asked <= options | {"--help"}, words


def test_programs_of_others_are_named_and_no_more_than_those() -> None:
    others = {command.words[0] for command in COMMANDS if command.arguments is None}
    assert others == set(NOT_OURS)


def test_settings_in_the_docs_are_read_as_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "ghostbust.toml"
    for block in (one for page in PAGES for one in blocks(page) if one.label == "toml"):
        file.write_text(block.text, "utf-8")
        try:
            load_config(file, Home(tmp_path / "home"))
        except ConfigError as exc:
            pytest.fail(f"{block.page}, line {block.line}: {exc}")


def test_commands_are_split_as_a_shell_does() -> None:
    text = (
        "$ export A=1\n$ A=1 ghostbust check -f a.txt > b | cat\nghostbust not this\n"
        "$ ghostbust \\\n    names list  # all\n$ cat > x <<'E'\nghostbust nor this\nE\n"
    )
    found = [command.words for command in Block(ROOT / "x.md", 1, SESSION, text).commands()]
    assert found == [
        ("ghostbust", "check", "-f", "a.txt"),
        ("cat",),
        ("ghostbust", "names", "list"),
        ("cat",),
    ]
    unit = Block(ROOT / "x.md", 1, "ini", "[Unit]\nExecStart=/opt/bin/ghostbust daemon\n")
    assert [command.arguments for command in unit.commands()] == [["daemon"]]


CLI_TEXT = (DOCS / "reference" / "cli.md").read_text("utf-8")
CLI_SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", CLI_TEXT, re.M | re.S))


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command and group that a user can call, with its full name."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(loaded(inner), f"{path} {name}")


EVERY_COMMAND = dict(commands(ROOT_COMMAND, "ghostbust"))


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(CLI_SECTIONS) == set(EVERY_COMMAND)


def test_every_option_stands_in_its_commands_table() -> None:
    documented, there = set(), set()
    for name, command in EVERY_COMMAND.items():
        # Taken from the first column of the section's table: | `--file`, `-f` | … |
        rows = re.findall(r"^\| (`[^|]+`) \|", CLI_SECTIONS.get(name, ""), re.M)
        documented |= {(name, word) for row in rows for word in re.findall(r"`([^`]+)`", row)}
        for one in command.params:
            if one.param_type_name == "option":
                words = {*one.opts, *one.secondary_opts} - {"--help"}
            else:
                words = {re.sub(r"[^A-Z_]", "", one.metavar or one.name.upper())}
            there |= {(name, word) for word in words}
    assert documented == there


def test_every_exit_code_is_there() -> None:
    def codes(kind: type[GhostbustError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(child) for child in kind.__subclasses__()))

    there = codes(GhostbustError) | {0, edge.NOT_LOOKED_AT, edge.BUG, edge.INTERRUPTED}
    there |= {edge.READER_LEFT}
    table = CLI_TEXT.partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} == there


README = [*blocks(ROOT / "README.md")]
TUTORIAL = [*blocks(ROOT / "docs" / "tutorial.md")]
ANSWER = next(block.text for block in TUTORIAL if "pip install requests" in block.text)
PRIVATE = [*blocks(ROOT / "docs" / "guides" / "private-registries.md")]


def shown(wanted: str, among: list[Block]) -> Iterator[str]:
    """The lines that a page shows below a command, without empty ones."""
    text = next(b.text for b in among if b.label == SESSION and b.text.startswith(f"$ {wanted}\n"))
    return (line for line in text.splitlines()[1:] if line)


def printed(output: str) -> list[str]:
    """The lines that a command prints, as a page shows them: without white space behind."""
    return [line for line in map(str.rstrip, output.splitlines()) if line]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tutorial's answer, and a home with the guide's names to vouch for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("GHOSTBUST_HOME", str(tmp_path / "home"))
    (tmp_path / "answer.md").write_text(ANSWER, "utf-8")
    (tmp_path / "home").mkdir()
    vouched = next(block.text for block in PRIVATE if block.text.startswith("[check]"))
    (tmp_path / "home" / "ghostbust.toml").write_text(vouched, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "among", "code"),
    [
        ("ghostbust check requests fastapi-redis-lightning --registry snapshot", README, 1),
        ("ghostbust extract answer.md", TUTORIAL, 0),
        ("ghostbust check -f answer.md", TUTORIAL, 1),
        ("ghostbust check acme-core billing-core @acme/ui@npm requests", PRIVATE, 0),
    ],
)
def test_it_prints_what_the_page_shows(
    folder: Path, wanted: str, among: list[Block], code: int
) -> None:
    done = CliRunner().invoke(app, wanted.split()[1:])
    assert done.exit_code == code
    assert printed(done.output) == list(shown(wanted, among))


def test_the_readmes_picture_is_that_of_its_table() -> None:
    assert PICTURE.read_text("utf-8") == picture(), "python -m tests.lab.results_picture"
