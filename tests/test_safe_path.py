"""A module that lies in the current folder isn't run by what ghostbust starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ghostbust.loop.alarms import run_program
from ghostbust.safe_path import VARIABLE, for_users_program, keep_folder_out

LINE = (
    '{"messages": [{"role": "user", "content": "x"},'
    ' {"role": "assistant", "content": "pip install flask"}]}\n'
)
PLANTED = "open(__file__ + '.ran', 'w').close()\n"


def test_workers_of_a_command_import_nothing_from_a_checkout(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for module in ("multiprocessing", "signal"):
        (checkout / f"{module}.py").write_text(PLANTED, "utf-8")
    (checkout / "log.jsonl").write_text(LINE, "utf-8")
    before = sorted(checkout.iterdir())
    program = Path(sys.executable).with_name("ghostbust")
    done = subprocess.run(
        [program, "ingest", "log.jsonl", "--home", tmp_path / "home", "--registry", "snapshot",
         "--workers", "2"],
        cwd=checkout, env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(checkout.iterdir()) == before


@pytest.mark.parametrize(("own", "seen"), [(None, ""), ("1", "1")])
def test_a_program_of_the_settings_gets_the_path_that_the_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, seen: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, own or "zz")
    if own is None:
        monkeypatch.delenv(VARIABLE)
    keep_folder_out()
    assert os.environ[VARIABLE], "Python's own processes keep the folder out"
    code = f"import os, sys; open('seen', 'w').write(os.environ[{VARIABLE!r}])"
    assert not run_program([sys.executable, "-c", code], b"{}", timeout_s=60)
    assert (tmp_path / "seen").read_text() == seen
    assert for_users_program() == ({} if own else {VARIABLE: ""})


def test_a_clone_that_is_run_in_place_goes_on_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    keep_folder_out()
    assert VARIABLE not in os.environ
