"""From nothing to the first blocked install: seconds, and how large what was installed is.

Makes a fresh environment, installs this checkout without extras by pip as it is set up here, puts
the hook into a new project's settings, and sends one event of Claude Code, recorded but for its
folder and its package, to the command that stands in those settings.

    python -m tests.lab.first_block
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
WANTED_S: Final = 60
WANTED_MB: Final = 100
INVENTED: Final = "zz-no-such-name-9z"
BLOCKED: Final = 2
"""exit code by which Claude Code doesn't run the tool"""


def event(folder: Path) -> dict[str, Any]:
    """What Claude Code sends before it runs a command."""
    return {
        "session_id": "abc123", "transcript_path": "/home/u/.claude/projects/x/abc123.jsonl",
        "cwd": str(folder), "permission_mode": "default", "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_use_id": "toolu_01ABC123",
        "tool_input": {"command": f"pip install {INVENTED}", "description": "Install"},
    }  # fmt: skip


def hook_command(project: Path) -> str:
    """The command that the project's settings call."""
    settings = json.loads((project / ".claude" / "settings.json").read_text("utf-8"))
    (entry,) = settings["hooks"]["PreToolUse"]
    return str(entry["hooks"][0]["command"])


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each distribution's files, the largest first."""
    site = next(folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages")
    found = {
        one.name: sum(
            path.stat().st_size for file in one.files or () if (path := site / file).is_file()
        )
        for one in distributions(path=[str(site)])
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


@contextmanager
def timed(what: str, took: dict[str, float]) -> Iterator[None]:
    """Notes how many seconds the block takes."""
    begun = time.perf_counter()
    yield
    took[what] = time.perf_counter() - begun


def main() -> int:
    """Prints the figures; 1 where the install isn't blocked."""
    parser = argparse.ArgumentParser(description="From nothing to the first blocked install.")
    parser.add_argument("--largest", type=int, default=15, help="distributions to list")
    largest = parser.parse_args().largest
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        folder, project = place / "env", place / "project"
        project.mkdir()
        programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GHOSTBUST"))}
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        environ |= {"PATH": path, "GHOSTBUST_HOME": str(place / "home")}
        with timed("make the environment", took):
            venv.create(folder, with_pip=True)
        with timed("install", took):
            install = (programs / "python", "-m", "pip", "install", "--quiet", ROOT)
            subprocess.run(install, env=environ, check=True)
        with timed("hook install", took):
            words = (programs / "ghostbust", "hook", "install", "--agent", "claude", "--project")
            subprocess.run(words, cwd=project, env=environ, check=True, capture_output=True)
        with timed("the event", took):
            answer = subprocess.run(
                hook_command(project), cwd=project, env=environ, shell=True, text=True,
                input=json.dumps(event(project)), capture_output=True, check=False,
            )  # fmt: skip
        by_name = sizes(folder)
    for what, seconds in took.items():
        print(f"{seconds:7.2f} s  {what}")
    print(f"{sum(took.values()):7.2f} s  in all; wanted are {WANTED_S}")
    pip = by_name.pop("pip", 0) + by_name.pop("setuptools", 0)
    print(f"{sum(by_name.values()) / 1e6:7.1f} MB installed, beside pip's {pip / 1e6:.1f};"
          f" wanted are {WANTED_MB}")  # fmt: skip
    for name, size in list(by_name.items())[:largest]:
        print(f"{size / 1e6:7.1f} MB  {name}")
    is_blocked = answer.returncode == BLOCKED and INVENTED in answer.stderr
    print(f"the install is {'blocked' if is_blocked else 'NOT blocked'}: {answer.stderr.strip()}")
    return 0 if is_blocked else 1


if __name__ == "__main__":
    sys.exit(main())
