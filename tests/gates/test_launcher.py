from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ghostbust.gates import launcher
from ghostbust.gates.namespaces import ENVIRONMENT, INTERPRETER


def _launch(folder: Path, solution: str, check: str, token: str = "t0ken") -> str:
    """What the launcher reports for a program."""
    texts = (solution.encode(), check.encode())
    header = f"{1 << 30} 5 {1 << 20} 100000 {len(texts[0])} {len(texts[1])}\n".encode()
    job = folder / "job"
    job.write_bytes(header + texts[0] + texts[1] + token.encode())
    with job.open("rb") as lines:
        done = subprocess.run(
            [*INTERPRETER, launcher.__file__],
            stdin=lines,
            capture_output=True,
            env=ENVIRONMENT,
            cwd=folder,
            check=False,
        )
    assert done.stderr == b""
    return done.stdout.decode()


def test_reports_the_token_after_the_check(tmp_path: Path) -> None:
    assert _launch(tmp_path, "x = 1\n", "assert x == 1\n") == "t0ken"


@pytest.mark.parametrize(
    ("solution", "check", "report"),
    [
        ("x = 1\n", "assert x == 2\n", "AssertionError"),
        ("def f(:\n", "", "SyntaxError"),
        ("raise SystemExit(0)\n", "", "SystemExit"),
        ("import os\nos._exit(0)\n", "", ""),
    ],
)
def test_reports_what_ended_the_program_otherwise(
    tmp_path: Path, solution: str, check: str, report: str
) -> None:
    assert _launch(tmp_path, solution, check) == report


def test_nothing_the_program_prints_reaches_the_report(tmp_path: Path) -> None:
    printing = "import os, sys\nprint('t0ken')\nos.write(1, b'x')\nsys.stderr.write('x')\n"
    assert _launch(tmp_path, printing, "assert False\n") == "AssertionError"


def test_no_variable_holds_the_token_while_the_program_runs(tmp_path: Path) -> None:
    walk = (
        "import sys\n"
        "frame, found = sys._getframe(), []\n"
        "while frame:\n"
        "    found += [v for v in frame.f_locals.values() if v in ('s3cret', b's3cret')]\n"
        "    frame = frame.f_back\n"
    )
    check = "assert not found, found\n"
    assert _launch(tmp_path, walk, check, token="s3cret") == "s3cret"


def test_the_program_is_not_compiled_under_the_launchers_future_imports(tmp_path: Path) -> None:
    solution = "def f(x: int) -> int: return x\n"
    assert _launch(tmp_path, solution, "assert f.__annotations__['x'] is int\n") == "t0ken"


def test_dataclasses_work_in_the_program(tmp_path: Path) -> None:
    solution = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass P:\n    x: int\n"
    )
    assert _launch(tmp_path, solution, "assert P(1) == P(1)\n") == "t0ken"


def test_the_guard_lets_read_and_write_inside_the_folder(tmp_path: Path) -> None:
    guard = launcher._guard(str(tmp_path))
    guard("open", ("/elsewhere/data", "r", os.O_RDONLY))
    guard("open", (str(tmp_path / "note"), "w", os.O_WRONLY | os.O_CREAT))
    guard("open", (os.devnull, "w", os.O_WRONLY))
    guard("open", (5, "w", os.O_WRONLY))
    guard("import", ("json", None, None, None, None))


@pytest.mark.parametrize("place", ["/elsewhere/note", "{folder}/../note", "{folder}-2/note"])
def test_the_guard_denies_writing_elsewhere(tmp_path: Path, place: str) -> None:
    guard = launcher._guard(str(tmp_path))
    with pytest.raises(PermissionError, match="its own folder only"):
        guard("open", (place.replace("{folder}", str(tmp_path)), "w", os.O_WRONLY | os.O_CREAT))


@pytest.mark.parametrize("event", ["os.fork", "subprocess.Popen", "socket.connect", "os.remove"])
def test_the_guard_denies_what_no_task_needs(tmp_path: Path, event: str) -> None:
    with pytest.raises(PermissionError, match=event):
        launcher._guard(str(tmp_path))(event, ())
