from __future__ import annotations

import os
from pathlib import Path

import pytest

from ghostbust.gates.inside import program


def test_the_guard_lets_read_and_write_inside_the_folder(tmp_path: Path) -> None:
    guard = program.guard(str(tmp_path))
    guard("open", ("/elsewhere/data", "r", os.O_RDONLY))
    guard("open", (str(tmp_path / "note"), "w", os.O_WRONLY | os.O_CREAT))
    guard("open", (os.devnull, "w", os.O_WRONLY))
    guard("open", (5, "w", os.O_WRONLY))
    guard("import", ("json", None, None, None, None))


@pytest.mark.parametrize("place", ["/elsewhere/note", "{folder}/../note", "{folder}-2/note"])
def test_the_guard_denies_writing_elsewhere(tmp_path: Path, place: str) -> None:
    guard = program.guard(str(tmp_path))
    with pytest.raises(PermissionError, match="its own folder only"):
        guard("open", (place.replace("{folder}", str(tmp_path)), "w", os.O_WRONLY | os.O_CREAT))


@pytest.mark.parametrize("event", ["os.fork", "subprocess.Popen", "socket.connect", "os.remove"])
def test_the_guard_denies_what_no_task_needs(tmp_path: Path, event: str) -> None:
    with pytest.raises(PermissionError, match=event):
        program.guard(str(tmp_path))(event, ())
