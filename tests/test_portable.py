"""Without the modules that only POSIX has: what must import, and what must run.

The parts of psutil and filelock for this system need them, those for Windows don't:
they come first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = ("fcntl", "resource", "termios", "pwd", "grp")
BLOCK = f"import filelock, psutil, sys; sys.modules.update(dict.fromkeys({BLOCKED}))\n"
IMPORT = """
import importlib, pkgutil, ghostbust.cli
rooms = (*pkgutil.iter_modules(ghostbust.cli.__path__, "ghostbust.cli."),)
for name in (*(one.name for one in rooms), *sys.argv[1:]):
    importlib.import_module(name)
"""
LOOPS = (
    "ghostbust.loop.sweep", "ghostbust.loop.ingest.run", "ghostbust.loop.daemon.run",
    "ghostbust.loop.alarms", "ghostbust.operations.companions", "ghostbust.dashboard.app",
    "ghostbust.reports.writers", "ghostbust.store.store", "ghostbust.models.fetch",
)  # fmt: skip


def run(tmp_path: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    (tmp_path / "sitecustomize.py").write_text(BLOCK, "utf-8")
    environ = os.environ | {
        "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path),
        "GHOSTBUST_HOME": str(tmp_path / "home"), "PYTHONWARNDEFAULTENCODING": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *words], env=environ, cwd=tmp_path, input=given,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_every_commands_module_imports(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", f"import sys{IMPORT}", *LOOPS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_check_and_extract_run(tmp_path: Path, ends: str) -> None:
    listed = tmp_path / "requirements.txt"
    listed.write_bytes(f"requests>=2{ends}zz-quux-sensorlib{ends}".encode())
    here = ("-m", "ghostbust")
    done = run(tmp_path, *here, "check", "-f", listed.name, "--registry", "snapshot", "--json")
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("Warning") == 0
    found = {one["name"]: one["verdict"] for one in json.loads(done.stdout)["results"]}
    assert found == {"requests": "REAL", "zz-quux-sensorlib": "ABSENT"}
    answer = tmp_path / "answer.md"
    answer.write_bytes(f"```sh{ends}pip install flask numpy{ends}```{ends}".encode())
    done = run(tmp_path, *here, "extract", answer.name, "--json")
    assert done.returncode == 0, done.stderr
    assert "flask" in done.stdout
    assert "numpy" in done.stdout


def test_the_hook_answers(tmp_path: Path) -> None:
    event = {
        "hook_event_name": "PreToolUse", "tool_name": "Bash", "cwd": str(tmp_path),
        "tool_input": {"command": "pip install zz-quux-sensorlib"},
    }  # fmt: skip
    words = ("-m", "ghostbust", "hook", "--agent", "claude", "--registry", "snapshot")
    done = run(tmp_path, *words, given=json.dumps(event))
    assert done.returncode == 2, done.stderr
    assert "zz-quux-sensorlib" in done.stderr
