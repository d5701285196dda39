"""The commands of each page are run, in their order, in a home with two adapters and a ledger."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ghostbust.cli.app import app
from ghostbust.home import Home
from ghostbust.loop.promote import promote
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.command_lines import COMMANDS, ROOT, Command

NOT_RUN = {
    r"demo": "minutes on the embedded model; tests/cli/test_rounds.py runs a small one",
    r"round\b.*": "trains; tests/cli/test_rounds.py runs a small one",
    r"eval\b.*": "asks hundreds of prompts; tests/cli/test_eval.py runs small ones",
    r"bench .*": "minutes; tests/cli/test_bench_*.py run small ones",
    r"daemon\b.*": "ends by a signal; tests/cli/test_daemon.py sends one",
    r"guard serve\b.*": "ends by a signal; tests/cli/test_guard.py sends one",
    r"guard bench\b.*": "minutes on the embedded model; tests/cli/test_guard.py runs a small one",
    r"ingest .*--follow": "ends by a signal; tests/cli/test_ingest.py sends one",
    r"hook (un)?install .*": "writes the user's settings; tests/cli/test_hook.py",
    r"ingest -": "reads a real pipe; tests/cli/test_ingest.py has one",
    r"registry sync\b.*": "fetches a registry's whole listing; tests/servers/test_sync_pypi.py",
    r"registry recheck\b.*": "asks registries; tests/cli/test_registry.py has one",
    r"check .*--registry live": "asks the public registries; tests/servers has others",
    r"sweep .*--endpoint .*": "needs a model server; tests/servers has one",
    r"report adapters round-\S+ round-.*": "needs two adapters that were asked the same prompts;"
    " tests/cli/test_report.py",
}
"""arguments of commands that are parsed by test_docs.py but not run here, and why"""
SMALLER = {"sweep": ["--model", "{model}", "--limit", "2", "--samples", "1"]}
"""options that are put behind those of the docs, so that a run is short"""
EXIT_CODES = {
    r"check .*": {0, 1, 3},  # findings, and names that the snapshot of npm lacks
    r"sweep .*--fail-over .*": {0, 1, 3},
    r"adapters promote round-0001-.*": {2},  # what `ASKED` stands for
}
"""how commands may end that needn't end with 0"""
ASKED = "round-0001-aa"
"""the adapter of `fill_home`: asked what the base was asked"""
FILES = {
    "requirements.txt": "requests==2.32.3\nflask\n",
    "package.json": '{"dependencies": {"left-pad": "^1.3.0"}}\n',
    "answer.md": "Install it first:\n\n```sh\npip install requests\n```\n",
    "tasks.jsonl": '{"task": "Read a CSV file and print its sum."}\n',
    "trusted.toml": '[check]\nallow = ["billing-core"]\n',
    "reported.jsonl": '{"model": "(reported)", "completion": "pip install zz-quux-9"}\n',
    "gateway/log.jsonl": '{"prompt": "Which one?", "completion": "pip install requests"}\n',
}
"""what lies in the folder that the commands are called in"""
SETTINGS = """
[model]
name = "{model}"
device = "cpu"

[sampling]
max_new_tokens = 8

[registry]
mode = "snapshot"

[check]
private = ["@acme", "acme-*"]
allow = ["billing-core"]
"""


def line(command: Command) -> str:
    return " ".join(command.arguments or [])


def run_here(command: Command) -> bool:
    return bool(command.arguments) and not any(re.fullmatch(r, line(command)) for r in NOT_RUN)


@pytest.fixture(scope="session")
def adapter_folders(
    tmp_path_factory: pytest.TempPathFactory,
    talking_model_dir: Path,
    make_lora: Callable[..., Path],
) -> list[Path]:
    """Two adapters of the small model."""
    place = tmp_path_factory.mktemp("adapters")
    return [
        make_lora(place / f"round-{number:04d}-0a1b2c3d", talking_model_dir, seed=number)
        for number in (2, 3)
    ]


@pytest.fixture
def waiting(
    tmp_path: Path,
    talking_model_dir: Path,
    adapter_folders: list[Path],
    fill_home: Callable[[Home], str],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Makes the home, with one adapter that serves; the name of the one that waits for a person."""
    model, home = str(talking_model_dir), Home.open(tmp_path / "home")
    home.config.write_text(SETTINGS.format(model=model), "utf-8")
    fill_home(home)
    with Store.open(home.database) as store:
        for folder in adapter_folders:
            number = store.rounds.start(model=model, method="au-repair", seed=0, settings={})
            name = folder.name
            path = shutil.copytree(folder, home.adapters / name)
            passed = GateResult("volume", GateVerdict.PASS, "as it should", 1, 1, (0.9, 1.1), "")
            report = GateReport(name, (passed,))
            candidate = Candidate(name, path, model, "au-repair", 0, 5, 1.0, 2.0)
            store.rounds.add_candidate(number, candidate)
            store.rounds.add_gate_report(number, report)
            store.rounds.set_state(number, RoundState.WAITING, "every gate passed")
            if folder is adapter_folders[0]:
                promote(store, home, name, report, "made for a test")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for file, text in FILES.items():
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(text, "utf-8")
    monkeypatch.setenv("GHOSTBUST_HOME", str(home.path))
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    return name


def made_to_fit(words: list[str], name: str, model: Path) -> list[str]:
    """The arguments, with what is here in the place of the docs' examples."""
    fit = []
    for before, word in zip(["", *words], words, strict=False):
        if re.fullmatch(r"round-\d{4}-[0-9a-f]{8}", word):
            first = word.startswith("round-0001-") or words[:2] == ["report", "adapters"]
            word = ASKED if first else name
        if word.isdecimal() and before in ("run", "round"):
            word = "1"
        fit.append(Path(word).name if word.startswith("/") else word)
    return [*fit, *(small.format(model=model) for small in SMALLER.get(words[0], []))]


PAGES = sorted({command.page for command in COMMANDS if run_here(command)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_commands_run(page: Path, waiting: str, talking_model_dir: Path) -> None:
    for command in COMMANDS:
        if command.page != page or not run_here(command):
            continue
        words = made_to_fit(command.arguments or [], waiting, talking_model_dir)
        done = CliRunner().invoke(app, words, input=FILES["answer.md"])
        fine = [codes for rule, codes in EXIT_CODES.items() if re.fullmatch(rule, line(command))]
        assert done.exit_code in (fine[0] if fine else {0}), f"{command}\n{done.output}"


def test_what_isnt_run_is_still_there() -> None:
    lines = [line(command) for command in COMMANDS if command.arguments]
    rules = [*NOT_RUN, *EXIT_CODES]
    assert not [rule for rule in rules if not any(re.fullmatch(rule, one) for one in lines)]


def test_most_of_the_commands_are_run() -> None:
    ours = [command for command in COMMANDS if command.arguments]
    assert len([command for command in ours if run_here(command)]) > len(ours) / 2
