"""The whole program, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import ghostbust
from tests.cli.conftest import Run  # noqa: TID252

HEAVY = ("torch", "transformers", "peft", "textual", "scipy")


def ghostbust_process(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ghostbust", *args],
        input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "args", [("--help",), ("check", "requests", "--registry", "snapshot"), ("extract", "-")]
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
        input="", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stderr.splitlines()[-1] == "0 []"


def test_version() -> None:
    ended = ghostbust_process("--version")
    assert (ended.returncode, ended.stdout) == (0, f"ghostbust {ghostbust.__version__}\n")


def test_json_of_a_real_process_is_pure() -> None:
    ended = ghostbust_process(
        "check", "requests", "zz-no-such-name-9z", "--registry", "snapshot", "--json"
    )
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["invented"] == 1


def test_wrong_usage_of_a_real_process() -> None:
    ended = ghostbust_process("chek")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "Did you mean 'check'" in ended.stderr


def test_text_that_standard_output_cannot_encode_is_no_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = ghostbust_process("check", "naïve", "--registry", "snapshot")
    assert ended.returncode in (1, 2)
    assert "unexpected" not in ended.stderr


@pytest.mark.parametrize("args", [(), ("registry",)])
def test_a_bare_group_shows_its_help_and_fails(run: Run, args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert "Usage: ghostbust" in result.stdout
