"""Every command line in the docs is one that ghostbust takes; test_docs_runs.py runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from ghostbust.cli.app import app
from ghostbust.config import load_config
from ghostbust.home import Home
from tests.command_lines import (
    COMMANDS,
    KEYED,
    PAGES,
    ROOT,
    SCRIPTS,
    SESSION,
    Block,
    Command,
    blocks,
    mentions,
)

ROOT_COMMAND = get_command(app)
OURS = [command for command in COMMANDS if command.arguments is not None]
LABELS = {"", SESSION, *SCRIPTS, *KEYED, "toml", "json", "python", "pycon", "dockerfile"}
NOT_OURS = {
    "pip": "installs",
    "uv": "installs what pip can't",
    "printf": "the system's own",
    "echo": "the shell's own",
    "exit": "the shell's own",
    "grep": "the system's own",
    "jq": "reads what an agent says of a command",
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
    "true": "the system's own",
    "tee": "the system's own",
    "useradd": "the system's own",
    "systemctl": "the system's own",
    "some-model": "stands for any program that prints answers",
}
"""programs of others that the docs call, and what for; ghostbust's tests don't run them"""
FORMER = {
    "audit", "daemon", "dashboard", "engine", "faults", "ingest", "truth", "unattended", "unseen",
}  # fmt: skip
"""commands of `bench` that the log calls by this name; they are programs of tests/lab now"""


def by_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


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
    except typer.Exit:  # --help and --version end here
        return None
    except typer.TyperException as exc:
        return exc.format_message()


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_no_block_hides_a_command(page: Path) -> None:
    for block in blocks(page):
        assert block.label in LABELS, f"line {block.line}"
        if block.label not in (SESSION, *SCRIPTS, *KEYED, "dockerfile"):
            hidden = re.findall(r"^(?:\$ .*|(?:.*\W)?ghostbust [a-z]+( .*)?)$", block.text, re.M)
            assert not hidden, f"line {block.line}: label it sh or console"


@pytest.mark.parametrize("command", OURS, ids=str)
def test_it_is_taken_as_written(command: Command) -> None:
    assert command.arguments is not None
    assert refusal(command.arguments) is None


@pytest.mark.parametrize(
    "wrong", ["chekc a", "check --colour", "report --format pdf", "round x", "adapters promot x"]
)
def test_what_there_isnt_is_refused(wrong: str) -> None:
    assert refusal(wrong.split()) is not None


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_commands_in_running_text_exist_with_their_options(page: Path) -> None:
    for words in mentions(page):
        if page.name == "log.md" and words[0] == "bench" and words[1] in FORMER:
            continue
        found: Any = ROOT_COMMAND
        for word in words:
            inner = getattr(found, "commands", {})
            if word in inner:
                found = inner[word]
            else:
                assert not inner or not word.islower() or word.startswith("-"), words
        options = {name for one in found.params for name in (*one.opts, *one.secondary_opts)}
        asked = {word.strip("[]") for word in words if word.lstrip("[").startswith("--")}
        assert asked <= options | {"--help"}, words


def test_programs_of_others_are_named_and_no_more_than_those() -> None:
    others = {command.words[0] for command in COMMANDS if command.arguments is None}
    assert others == set(NOT_OURS)


SETTINGS = [block for page in PAGES for block in blocks(page) if block.label == "toml"]


@pytest.mark.parametrize("block", SETTINGS, ids=lambda block: f"{by_page(block.page)}:{block.line}")
def test_settings_in_the_docs_are_read_as_settings(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "ghostbust.toml"
    file.write_text(block.text, "utf-8")
    load_config(file, Home(tmp_path / "home"))


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
