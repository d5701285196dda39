"""What pre-commit and GitHub read of this repository, run by pre-commit and as GitHub would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
BAD = "zz-quux-sensorlib"
FILES = {
    "requirements-dev.txt": f"requests\n{BAD}\n",
    "sub/package.json": '{"name": "x"}\n',
    "app.py": "import own_part, requests, zz_quux_in_code\n",
    "own_part.py": "",
    "crate/Cargo.toml": '[package]\nname = "mine"\n[dependencies]\nzz-quux-crate = "1"\n',
    "crate/src/main.rs": "use zz_quux_crate::thing;\n",
    "notes.txt": "pip install zz-not-looked-at\n",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of processes that see nothing of this machine's settings, and ask nobody."""
    return os.environ | {
        "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "GHOSTBUST_HOME": str(tmp_path / "home"), "GHOSTBUST_REGISTRY__MODE": "snapshot",
        "GIT_CONFIG_GLOBAL": os.devnull, "NO_COLOR": "1",
    }  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with `FILES`, all of them staged."""
    folder = tmp_path / "checkout"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("hook", "found"),
    [
        ("ghostbust", {f"requirements-dev.txt: {BAD}", "crate/Cargo.toml: zz-quux-crate"}),
        ("ghostbust-code", {"app.py: zz-quux-in-code", "crate/src/main.rs: zz-quux-crate"}),
    ],
)
def test_pre_commit_runs_the_hook_on_its_files(
    checkout: Path, environment: dict[str, str], hook: str, found: set[str]
) -> None:
    """As declared, but for the installing: this interpreter runs it."""
    pytest.importorskip("pre_commit", reason="pre-commit isn't installed")
    (hooked,) = (one for one in HOOKS if one["id"] == hook)
    program = f"{sys.executable} -m {hooked['entry']}"
    config = {
        "repos": [{"repo": "local", "hooks": [hooked | {"language": "system", "entry": program}]}]
    }
    (checkout / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files"],
        cwd=checkout, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout + ended.stderr
    # Without a snapshot of crates nobody says more of one than UNKNOWN.
    said = re.findall(r"^(\S+?):\d+:\d+: (?:ABSENT|UNKNOWN) (\S+)", ended.stdout, re.M)
    assert {f"{file}: {name}" for file, name in said} == found


def test_an_empty_module_stops_no_commit(checkout: Path, environment: dict[str, str]) -> None:
    (hooked,) = (one for one in HOOKS if one["id"] == "ghostbust-code")
    command = [sys.executable, "-m", *hooked["entry"].split(), *hooked["args"], "own_part.py"]
    ended = subprocess.run(command, cwd=checkout, env=environment, timeout=60, check=False)
    assert ended.returncode == 0


def test_pre_commit_takes_the_manifest(environment: dict[str, str]) -> None:
    pytest.importorskip("pre_commit", reason="pre-commit isn't installed")
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"],
        cwd=ROOT, env=environment, timeout=60, check=True,
    )  # fmt: skip


ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def expressions(value: Any) -> Iterator[str]:
    """What stands in ``${{ … }}`` anywhere in a document."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from expressions(inner)
    elif isinstance(value, str):
        yield from re.findall(r"\$\{\{ (.*?) \}\}", value)


def test_the_action_names_only_what_there_is_and_no_script_holds_an_input() -> None:
    steps = ACTION["runs"]["steps"]
    named = {"steps.python.outputs.python-path", "github.action_path"}
    named |= {f"inputs.{name}" for name in ACTION["inputs"]}
    assert {one for step in steps for one in expressions(step)} == named
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]


def ran_check(
    checkout: Path, environment: dict[str, str], **inputs: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """The action's step that checks, run as GitHub runs a step, and its outputs."""
    (step,) = (one for one in ACTION["runs"]["steps"] if one.get("id") == "check")
    given = {f"inputs.{name}": one["default"] for name, one in ACTION["inputs"].items()}
    given |= {f"inputs.{name}": value for name, value in inputs.items()}
    given["steps.python.outputs.python-path"] = sys.executable
    own = {name: given[value[4:-3]] for name, value in step["env"].items()}
    place = checkout.parent
    own |= {"RUNNER_TEMP": str(place), "GITHUB_OUTPUT": str(place / "outputs")}
    script = place / "step.sh"
    script.write_text(step["run"], "utf-8")
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
        cwd=checkout, env=environment | own, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    lines = (place / "outputs").read_text("utf-8").splitlines()
    return ended, dict(line.split("=", 1) for line in lines)


def test_the_action_annotates_and_writes_sarif(checkout: Path, environment: dict[str, str]) -> None:
    (checkout / "ghostbust.py").write_text("raise SystemExit('the checked folder ran')\n", "utf-8")
    ended, outputs = ran_check(
        checkout, environment, paths="requirements-dev.txt\napp.py\n", sarif="found.sarif",
        options="--exclude\nno such file",
    )  # fmt: skip
    assert (ended.returncode, outputs) == (1, {"exit-code": "1", "sarif": "found.sarif"}), ended
    assert re.findall(r"^::error .*file=([^,]+),line=(\d+)", ended.stdout, re.M) == [
        ("requirements-dev.txt", "2"), ("app.py", "1"),
    ]  # fmt: skip
    log = json.loads((checkout / "found.sarif").read_text("utf-8"))
    assert len(log["runs"][0]["results"]) == 2


def test_the_action_passes_where_all_is_well_and_checks_the_folder_by_default(
    checkout: Path, environment: dict[str, str]
) -> None:
    ended, outputs = ran_check(
        checkout, environment, options="--exclude\n*.txt\n--exclude\napp.py\n--exclude\ncrate"
    )
    assert (ended.returncode, outputs) == (0, {"exit-code": "0"}), ended


def test_the_action_writes_no_sarif_of_what_it_could_not_read(
    checkout: Path, environment: dict[str, str]
) -> None:
    ended, outputs = ran_check(checkout, environment, paths="no.txt", sarif="found.sarif")
    assert (ended.returncode, outputs) == (2, {"exit-code": "2"})
    assert not (checkout / "found.sarif").exists()
