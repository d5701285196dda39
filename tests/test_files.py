"""Files appear whole or not at all: after errors, after a kill, for whom. What isn't imported."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ghostbust.errors import HomeError, UsageError
from ghostbust.files import (
    PRIVATE,
    SAFE_PATH,
    SHARED,
    clear_unfinished,
    for_users_program,
    keep_folder_out,
    sha256_of,
    whole_file,
    whole_folder,
    write_whole,
)
from ghostbust.loop.alarms import run_program


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_there_stays_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", "utf-8")

    def fail(aside: Path) -> None:
        aside.write_text("half", "utf-8")
        assert path.read_text("utf-8") == "old"
        raise RuntimeError

    with pytest.raises(RuntimeError), whole_file(path) as aside:
        fail(aside)
    assert path.read_text("utf-8") == "old"
    write_whole(path, "grün")
    assert path.read_bytes() == "grün".encode()
    write_whole(path, b"\xff")
    assert path.read_bytes() == b"\xff"
    assert names(tmp_path) == ["file"]


def test_a_folder_appears_when_all_is_written(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with whole_folder(out) as aside:
        (aside / "in").mkdir()
        (aside / "in" / "file").write_text("x", "utf-8")
        (aside / "link").symlink_to("nowhere")
        assert not out.exists()
    assert names(out) == ["in", "link"]
    assert names(tmp_path / "deep") == ["out"]


def test_nothing_is_left_of_a_folder_that_failed(tmp_path: Path) -> None:
    def fill(aside: Path) -> None:
        (aside / "file").write_text("x", "utf-8")
        raise RuntimeError

    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as aside:
        fill(aside)
    assert names(tmp_path) == []


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with (
        pytest.raises(HomeError, match="can't write"),
        whole_folder(tmp_path / "out", error=HomeError),
    ):
        pass
    assert names(tmp_path / "out") == ["mine"]
    assert names(tmp_path) == ["out"]


def test_who_may_read_it(tmp_path: Path) -> None:
    """Also where the file that is replaced was for everybody."""
    (tmp_path / "own").touch(0o644)
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "own", "x")
        write_whole(tmp_path / "shared", "x", mode=SHARED)
        with whole_folder(tmp_path / "own folder", private=True), whole_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"own": PRIVATE, "shared": 0o644, "own folder": 0o700, "folder": 0o755}


def test_errors_are_one_line_or_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^can't write .*/none/file: No such file or directory$"):
        write_whole(tmp_path / "none" / "file", "x", error=UsageError)
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "file", "x")
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match="can't write"),
        whole_folder(tmp_path / "file" / "out", error=UsageError),
    ):
        pass


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(HomeError, match="No space left"), whole_file(path, error=HomeError):
        full()
    assert path.read_text("utf-8") == "old"
    assert names(tmp_path) == ["file"]


def test_a_link_in_the_place_of_what_is_written_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine", "utf-8")
    (tmp_path / ".file.part").symlink_to(tmp_path / "victim")
    write_whole(tmp_path / "file", "x")
    assert (tmp_path / "victim").read_text("utf-8") == "mine"
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine").touch()
    (tmp_path / ".out.part").symlink_to(tmp_path / "kept")
    with pytest.raises(FileExistsError), whole_folder(tmp_path / "out"):
        pass
    assert names(tmp_path / "kept") == ["mine"]


def test_all_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut may leave an empty file under the name: the order of the system's calls."""
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def note_sync(handle: int) -> None:
        calls.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        sync(handle)

    def note_replace(self: Path, target: Path) -> Path:
        calls.append(f"replace {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_whole(tmp_path / "file", "x")
    assert calls == ["sync .file.part", "replace file", f"sync {tmp_path.name}"]
    calls.clear()
    with whole_folder(tmp_path / "out") as aside:
        (aside / "in").mkdir()
        (aside / "in" / "file").touch()
    assert calls[2:] == ["sync .out.part", "replace out", f"sync {tmp_path.name}"]
    assert sorted(calls[:2]) == ["sync file", "sync in"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_removed(tmp_path: Path, kind: str) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        f"from ghostbust.files import whole_{kind}\n"
        f"with whole_{kind}(Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "x"
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == [".x.part"]
    if kind == "file":
        write_whole(path, "new")
    else:
        with whole_folder(path):
            pass
    assert names(tmp_path) == ["x"]


def test_what_is_unfinished_is_cleared_by_name_or_all(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine").touch()
    for name in (".a.part", ".b.part", "c.part", ".d"):
        (tmp_path / name).touch()
    (tmp_path / ".e.part").mkdir()
    (tmp_path / ".f.part").symlink_to(tmp_path / "kept")
    clear_unfinished(tmp_path, "a")
    assert names(tmp_path) == [".b.part", ".d", ".e.part", ".f.part", "c.part", "kept"]
    clear_unfinished(tmp_path)
    assert names(tmp_path) == [".d", "c.part", "kept"]
    assert names(tmp_path / "kept") == ["mine"]


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    expected = hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert sha256_of(tmp_path / "file") == expected
    with (tmp_path / "file").open("rb") as file:
        assert sha256_of(file) == expected
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "none")


# A module that lies in the current folder isn't run by what ghostbust starts

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
    monkeypatch.setenv(SAFE_PATH, own or "zz")
    if own is None:
        monkeypatch.delenv(SAFE_PATH)
    keep_folder_out()
    assert os.environ[SAFE_PATH], "Python's own processes keep the folder out"
    code = f"import os, sys; open('seen', 'w').write(os.environ[{SAFE_PATH!r}])"
    assert not run_program([sys.executable, "-c", code], b"{}", timeout_s=60)
    assert (tmp_path / "seen").read_text() == seen
    assert for_users_program() == ({} if own else {SAFE_PATH: ""})


def test_a_clone_that_is_run_in_place_goes_on_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SAFE_PATH, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    keep_folder_out()
    assert SAFE_PATH not in os.environ
