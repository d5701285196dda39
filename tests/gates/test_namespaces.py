from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ghostbust.gates.confinement import (
    BUBBLEWRAP,
    ENVIRONMENT,
    INTERPRETER,
    NONE,
    PACKAGES,
    READABLE,
    UNSHARE,
    find_namespaces,
)


def _command(folder: Path, name: str, text: str) -> None:
    script = folder / name
    script.write_text(text)
    script.chmod(0o755)


def test_nothing_is_found_where_there_is_no_command(tmp_path: Path) -> None:
    assert find_namespaces(str(tmp_path)) is NONE


def test_a_command_that_fails_is_not_taken(tmp_path: Path) -> None:
    _command(tmp_path, "bwrap", "#!/bin/sh\nexit 1\n")
    assert find_namespaces(str(tmp_path)) is NONE


def test_a_command_that_runs_but_does_not_isolate_is_not_taken(tmp_path: Path) -> None:
    until_dashes = '#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n'
    _command(tmp_path, "unshare", until_dashes)
    assert find_namespaces(str(tmp_path)) is NONE


def test_a_file_that_is_no_program_is_not_taken(tmp_path: Path) -> None:
    _command(tmp_path, "unshare", "not a program")
    assert find_namespaces(str(tmp_path)) is NONE


def test_what_is_found_has_a_full_path_and_isolates(tmp_path: Path) -> None:
    found = find_namespaces()
    if found is NONE:
        pytest.skip("neither bubblewrap nor unshare works here")
    assert found.name in (BUBBLEWRAP.name, UNSHARE.name)
    assert Path(found.command[0]).is_absolute()
    # Asks for a route, sends nothing; the address is kept for documentation (RFC 5737).
    look = "from socket import *; socket(AF_INET, SOCK_DGRAM).connect(('192.0.2.1', 9))"
    done = subprocess.run(
        [*found.around(str(tmp_path)), *INTERPRETER, "-c", look],
        env=ENVIRONMENT,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unreachable" in done.stderr


def test_what_is_readable_leaves_installed_packages_out() -> None:
    names = {path for path in READABLE if path.endswith("/")}
    whole = [Path(path) for path in READABLE if path not in names]
    assert not any(Path(one).is_relative_to(path) for one in PACKAGES for path in whole)
    assert not any(path.is_relative_to(one) for one in PACKAGES for path in whole)
    assert any(Path(os.__file__).resolve().is_relative_to(path) for path in whole)


def test_the_private_folder_is_put_into_the_command() -> None:
    command = BUBBLEWRAP.around("/private", 4096)
    assert command.count("/private") == 2
    assert command[command.index("--size") + 1] == "4096"
    assert not any("{" in part for part in command)
