"""``ghostbust ingest``: what it prints and exits with; as a process that is killed, or follows."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.reading import document

if TYPE_CHECKING:
    from tests.cli.conftest import Run

INVENTED = {"completion": "pip install zz-quux-sensorlib requests", "prompt": "Read it."}
CLEAN = {"completion": "pip install requests", "prompt": "Fetch it. " + "x" * 3000}
ROOT = Path(__file__).parents[2]


def write(path: Path, *records: object) -> Path:
    with path.open("a") as stream:
        stream.writelines(
            f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records
        )
    return path


@pytest.fixture
def ingest(run: Run, tmp_path: Path) -> Callable[..., Any]:
    def go(*args: object, **options: Any) -> Any:
        given = ("--home", tmp_path / "home", "--registry", "snapshot", "--workers", 0)
        return run("ingest", *args, *given, **options)

    return go


def test_the_report(ingest: Callable[..., Any], tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", INVENTED, CLEAN, "\x1b[31mno json", {"level": "info"})
    result = ingest(log)
    assert result.exit_code == 0
    assert "2 completions in 4 new lines; 1 of them invent a name" in result.stdout
    assert "zz-…(17)" in result.stdout
    assert "quux" not in result.stdout
    assert (
        f"skipped 2 records (1 malformed, 1 of an unknown format), first {log}, line 3:"
        in result.stderr
    )


def test_reports_and_the_dashboard_file_it_under_who_answered(
    ingest: Callable[..., Any], run: Run, tmp_path: Path
) -> None:
    log = write(tmp_path / "a.log", {**INVENTED, "model": "acme-1"}, {**CLEAN, "model": "acme-2"})
    told = document(ingest(log, "--model", "configured", "--json"))
    ids = {one["model"]: one["run"] for one in told["by_model"]}
    assert set(ids) == {"acme-1", "acme-2"}
    shown = [
        run("report", "--home", tmp_path / "home").stdout,
        run("report", "--format", "html", "--home", tmp_path / "home").stdout,
        run("dashboard", "--plain", "--home", tmp_path / "home").stdout,
    ]
    for text in shown:
        assert "acme-1" in text
        assert "acme-2" in text
        assert "configured" not in text
    assert "base of acme-1, ingest" in shown[1], "a line of the plot"
    one = run("report", "run", ids["acme-1"], "--home", tmp_path / "home").stdout
    assert one.startswith(f"# Run {ids['acme-1']}: base on acme-1")
    assert "acme-2" not in one


def test_json(ingest: Callable[..., Any], tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", INVENTED, CLEAN, "no json")
    told = document(ingest(log, "--json", "--reveal"))
    assert told["skipped"] == {
        "malformed": 1, "unknown": 0, "too_long": 0, "failed": 0,
        "first_file": str(tmp_path / "a.log"), "first_line": 3,
    }  # fmt: skip
    assert (told["answers"], told["volume"], told["absent"]) == (2, 1.0, 1)
    assert [(row["name"], row["answers"]) for row in told["invented"]] == [("zz-quux-sensorlib", 1)]
    again = document(ingest(log, "--json"))
    assert (again["run"], again["lines"], again["rate"]) == (None, 0, None)


def test_escape_codes_never_reach_a_terminal(ingest: Callable[..., Any], tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07"
    folder = tmp_path / f"logs{evil}"
    folder.mkdir()
    lines = [
        {**INVENTED, "model": evil}, {**INVENTED, "model": "b"},
        {"completion": f"npm install 'left{evil}pad' node_modules"}, f"{evil}",
    ]  # fmt: skip
    result = ingest(write(folder / "a.log", *lines).parent, "--reveal")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert "\\x1b" in result.stdout
    assert "\\x1b" in result.stderr


def test_exit_codes(ingest: Callable[..., Any], tmp_path: Path) -> None:
    assert ingest(tmp_path / "gone").exit_code == 2
    assert ingest().exit_code == 2
    assert ingest(write(tmp_path / "bad.log", "no json", "either")).exit_code == 2
    (tmp_path / "empty.log").touch()
    assert ingest(tmp_path / "empty.log").exit_code == 0
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00")
    result = ingest(tmp_path / "cut.gz")
    assert (result.exit_code, "can't be unpacked" in result.stderr) == (2, True)


def command(home: Path, *args: object) -> list[str]:
    fixed = ["--home", home, "--registry", "snapshot", "--workers", 1, "--json", "--quiet"]
    return [sys.executable, "-m", "ghostbust", "ingest", *map(str, [*args, *fixed])]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a real process, which doesn't outlive the test."""
    begun: list[subprocess.Popen[str]] = []

    def go(*args: str, stdin: int | None = None) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "GHOSTBUST_INGEST__POLL_S": "0.05"}
        pipe = subprocess.PIPE
        begun.append(
            subprocess.Popen(
                args, env=environment, text=True, stdin=stdin, stdout=pipe, stderr=pipe
            )
        )
        return begun[-1]

    yield go
    for process in begun:
        process.kill()
        process.communicate()


def counted(home: Path) -> tuple[int, int, int]:
    """Answers and invented names counted in all runs, and rows of samples, as of now."""
    database = home / "ghostbust.db"
    if not database.exists():
        return 0, 0, 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        answers, absent = connection.execute(
            "SELECT coalesce(sum(answers), 0), coalesce(sum(absent), 0) FROM ingest_counts"
        ).fetchone()
        (samples,) = connection.execute("SELECT count(*) FROM samples").fetchone()
    except sqlite3.OperationalError:
        return 0, 0, 0  # the tables aren't made yet
    finally:
        connection.close()
    return answers, absent, samples


def wait_for(home: Path, answers: int) -> None:
    for _ in range(600):
        if counted(home)[0] >= answers:
            return
        time.sleep(0.05)
    pytest.fail(f"only {counted(home)} were counted")


def test_killed_in_the_middle_and_started_again_no_line_is_lost_or_counted_twice(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    home, log = tmp_path / "home", tmp_path / "app.log"
    lines = [INVENTED if n % 7 == 0 else CLEAN for n in range(600)]
    half = json.dumps(INVENTED)
    for kill in range(2):
        write(log, *lines)
        with log.open("a") as stream:
            stream.write(half[:20])
        process = start(*command(home, log, "--follow"))
        wait_for(home, kill * 601 + 100)
        process.kill()
        process.communicate()
        with log.open("a") as stream:
            stream.write(f"{half[20:]}\n")
    done = start(*command(home, log))
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    invented = 2 * (1 + sum(line is INVENTED for line in lines))
    assert counted(home) == (2 * 601, invented, invented)
    told = json.loads(out)
    assert (told["answers"], told["absent"]) == (2 * 601, invented)


def test_followed_through_a_rotation_until_sigterm(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    home, log = tmp_path / "home", tmp_path / "app.log"
    write(log, *[INVENTED] * 3)
    process = start(*command(home, log, "--follow"))
    wait_for(home, 3)
    log.rename(tmp_path / "app.log.1")
    write(tmp_path / "app.log.1", INVENTED)
    write(log, *[CLEAN] * 5)
    wait_for(home, 9)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    told = json.loads(out)
    assert (told["completions"], told["absent"], told["answers"]) == (9, 4, 9)
    assert counted(home) == (9, 4, 4)


def test_standard_input_is_read_to_its_end(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start(*command(tmp_path / "home", "-"), stdin=subprocess.PIPE)
    said = "\n".join([json.dumps(INVENTED), "no json", json.dumps(INVENTED)])
    out, _ = process.communicate(said, timeout=30)
    told = json.loads(out)
    assert (process.returncode, told["answers"], told["inventing"]) == (0, 2, 2)
    assert told["skipped"]["first_file"] == "-"


def test_ctrl_c_says_how_to_go_on(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    process = start(*command(home, "-"), stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(f"{json.dumps(INVENTED)}\n")
    process.stdin.flush()
    wait_for(home, 1)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert process.stderr is not None
    assert process.stderr.read().startswith("ghostbust: interrupted; what was read is kept")
    assert process.returncode == 130
