"""The whole program, in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import ghostbust
from ghostbust.cli.app import COMMANDS, app
from ghostbust.cli.lazy import LazyCommand

if TYPE_CHECKING:
    from tests.cli.conftest import Run

HEAVY = ("torch", "transformers", "peft", "textual", "scipy", "tree_sitter", "pydantic", "httpx")
EVENT = {
    "session_id": "a", "transcript_path": "/a.jsonl", "cwd": "/", "hook_event_name": "PreToolUse",
    "tool_name": "Bash", "tool_input": {"command": "pip install requests"},
}  # fmt: skip
"""of Claude Code; to a command that reads texts, a text"""


def ghostbust_process(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ghostbust", *args],
        input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("check", "requests", "--registry", "snapshot"),
        ("extract", "-"),
        ("hook", "--registry", "snapshot"),
    ],
)
def test_light_commands_load_no_heavy_library(args: tuple[str, ...]) -> None:
    program = (
        "import sys\n"
        "from ghostbust.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        f"    loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "    sys.exit(f'{end.code} {loaded}')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *args],
        input=json.dumps(EVENT), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stderr.splitlines()[-1] == "0 []"


@pytest.mark.parametrize("name", [name for name, *_ in COMMANDS])
def test_the_list_says_of_each_command_what_its_own_help_says(name: str) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    listed = group.commands[name]
    assert isinstance(listed, LazyCommand)
    assert listed.loaded.name == name
    assert listed.help == (listed.loaded.help or "").splitlines()[0]


def test_the_list_of_commands_imports_none_of_them() -> None:
    program = (
        "import sys\n"
        "from ghostbust.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.startswith('ghostbust.')], file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    loaded = ast.literal_eval(ended.stderr)
    assert {f"ghostbust.cli.{where.partition(':')[0]}" for _, where, *_ in COMMANDS}.isdisjoint(
        loaded
    )


def test_what_libraries_log_stays_off_standard_error() -> None:
    program = (
        "import logging, sys\n"
        "from ghostbust.__main__ import main\n"
        "sys.argv = ['ghostbust', '--version']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    logging.getLogger('stamina').warning('retry_scheduled')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("set_before", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "x"}, "")],
)
def test_idle_threads_sleep_soon_unless_the_user_says_otherwise(
    set_before: dict[str, str], spins: str
) -> None:
    script = (
        "import os, sys\nsys.argv = ['ghostbust', '--version']\n"
        "from ghostbust.__main__ import main\n"
        "try: main()\nfinally: print(os.environ.get('GOMP_SPINCOUNT', ''))"
    )
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=kept | set_before
    )
    assert done.stdout.splitlines()[-1] == spins


def test_each_entry_point_runs() -> None:
    script = subprocess.run(
        [Path(sys.executable).with_name("ghostbust"), "--version"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    for ended in (script, ghostbust_process("--version")):
        assert (ended.returncode, ended.stdout) == (0, f"ghostbust {ghostbust.__version__}\n")


def test_text_that_standard_output_cannot_encode_is_no_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = ghostbust_process("check", "naïve@npm", "--registry", "snapshot")
    assert ended.returncode == 1
    assert "na\\xefve" in ended.stdout
    assert ended.stderr == ""


def test_an_interrupted_process_ends_with_one_line() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ghostbust", "extract", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stderr
        # More than a pipe holds: once it is written, the command is there and reads.
        process.stdin.write(b" " * (1 << 20))
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            # CPython may miss a signal that comes just before a read blocks: then once more.
            with suppress(subprocess.TimeoutExpired):
                process.wait(3)
                break
        assert process.poll() == 130
        said = process.stderr.read().decode()
    assert said == "ghostbust: interrupted; run the same command again\n"


@pytest.mark.parametrize("args", [(), ("registry",)])
def test_a_bare_group_shows_its_help_and_fails(run: Run, args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert "Usage: ghostbust" in result.stdout


def test_a_shell_completes_commands_of_groups_options_and_their_values(tmp_path: Path) -> None:
    script = tmp_path / "tab.sh"
    script.write_text(
        "ghostbust --install-completion >/dev/null\n"
        "for file in ~/.bash_completions/*; do . $file; done\n"
        'tab() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()\n'
        '_ghostbust_completion ghostbust; echo "${COMPREPLY[*]}"; }\n'
        "tab ghostbust che\ntab ghostbust names a\ntab ghostbust names list --rev\n"
        "tab ghostbust check --registry ''\n",
        "utf-8",
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "--norc", script], env=os.environ | {"HOME": str(tmp_path), "PATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "check", "accept allow", "--reveal", "snapshot live auto",
    ]  # fmt: skip
