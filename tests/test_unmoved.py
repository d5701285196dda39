"""What the rebuild of the house must not move: refs, scores, verdicts, weights, stored rows.

``assets/unmoved.json`` holds what commit 1708091 gave, mostly as SHA-256 digests; the verdicts of
gates are later ones, by bounds. Where a change is
meant to move something, the failed test prints what to write there instead. Only ``ghostbust`` and
its command line are used, so that modules can move.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ghostbust
from ghostbust.cli.app import app
from ghostbust.config import Config

ASSETS = Path(__file__).parent / "assets"
CORPUS = ASSETS / "corpus"
OLD_HOME = ASSETS / "home-2fcb421"
KEPT: dict[str, Any] = json.loads((ASSETS / "unmoved.json").read_text("utf-8"))


def compare(section: str, found: dict[str, Any]) -> None:
    """Fails with the keys that differ from what is kept, and with what was found."""
    kept = KEPT.get(section, {})
    moved = sorted(key for key in kept.keys() | found.keys() if kept.get(key) != found.get(key))
    assert not moved, (
        f"{section}: {', '.join(moved)} moved. Where that is meant, write into unmoved.json:\n"
        f"{json.dumps({section: found}, indent=1)}"
    )


def digest(rows: Iterable[object]) -> str:
    """SHA-256 over one line for each row."""
    return hashlib.sha256("".join(f"{row!r}\n" for row in rows).encode()).hexdigest()


def printed(*args: object) -> str:
    """What a command prints; it must have nothing to object to."""
    result = CliRunner().invoke(app, [str(one) for one in args])
    assert result.exit_code == 0, result.output
    return result.stdout


# The refs of the corpus, and its scores


def snippets(file: Path) -> Iterator[tuple[str, str, set[str], dict[str, str]]]:
    """Id, text without marks, switches and options of each snippet of a corpus file.

    Reads the format without its module, which is about to move.
    """
    head, *parts = re.split(r"^={8} (.*)\n", file.read_text("utf-8"), flags=re.MULTILINE)
    defaults = " ".join(re.findall(r"^defaults: (.*)$", head, re.MULTILINE))
    for header, body in zip(parts[::2], parts[1::2], strict=True):
        name, _, said = header.partition(" ")
        said, _, prompt = f"{defaults} {said}".partition("prompt=")
        words = said.split()
        values = dict(word.split("=", 1) for word in words if "=" in word)
        text = re.sub(r"«(?:[a-z]+:)?[+*=!]?([^«»|\n]+)(?:\|[^«»\n]*)?»", r"\1", body.rstrip("\n"))
        if "crlf" in words:
            text = text.replace("\n", "\r\n")
        yield name, text, set(words), {**values, "prompt": prompt}


def refs_of(file: Path) -> Iterator[tuple[object, ...]]:
    """Every ref of a corpus file with all that is known of it, built-in ones too."""
    for name, text, switches, options in snippets(file):
        ecosystem = options.get("ecosystem")  # `extract` takes none that no registry is asked for
        refs = ghostbust.extract(
            text,
            language=options.get("language", "auto"),  # type: ignore[arg-type]
            expect_list="expect-list" in switches,
            truncated="truncated" in switches,
            prompt_text=options["prompt"],
            ecosystem=ecosystem if ecosystem != "conda" else None,  # type: ignore[arg-type]
            builtins=True,
        )
        for ref in refs:
            yield (
                name, str(ref.ecosystem), str(ref.kind), ref.raw, ref.start, ref.end, ref.line,
                ref.column, ref.name, ref.import_name, ref.builtin, sorted(map(str, ref.flags)),
                [(index.address, index.replaces) for index in ref.indexes],
            )  # fmt: skip


def test_refs_of_the_corpus() -> None:
    compare("refs", {file.name: digest(refs_of(file)) for file in sorted(CORPUS.glob("*.txt"))})


def test_scores_of_the_corpus() -> None:
    document = json.loads(printed("bench", "extraction", CORPUS, "--show", "--json"))
    found = {
        row["group"]: [row[key] for key in ("expected", "given", "found", "names", "flags")]
        for row in document["scores"]
        if row["kind"] == "all"
    }
    compare("scores", {**found, "document": digest([json.dumps(document, sort_keys=True)])})


# The verdicts of the audit


def table_rows(table: str) -> list[list[str]]:
    """The rows of a table that ships with ghostbust, wherever it lies there."""
    (path,) = Path(ghostbust.__file__).parent.rglob(table)
    lines = path.read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if line and line[0] != "#"]


def verdicts(home: Path, packages: Sequence[Any], ecosystem: Any = "pypi") -> dict[str, Any]:
    """How often each verdict was given, and a digest of all of them with their reasons."""
    checked = ghostbust.check(packages, ecosystem=ecosystem, registry="snapshot", home=home)
    rows = [
        (one.ref.raw, one.name, str(one.verdict), str(one.reason), one.source, list(one.nearest))
        for one in checked
    ]
    return {**Counter(sorted(str(one.verdict) for one in checked)), "sha256": digest(rows)}


def test_verdicts_of_the_audit(tmp_path: Path) -> None:
    """The cases of ``bench audit``, with the names of the shipped tables in the place of lists."""
    modules = sorted({row[0] for name in ("import_names", "import_facts")
                      for row in table_rows(f"{name}.tsv")})  # fmt: skip
    imports = ghostbust.extract("".join(f"import {one}\n" for one in modules), language="python")
    guesses = [replace(ref, name=ref.raw.lower().replace("_", "-")) for ref in imports]
    pypi, npm = (table_rows(f"registry-{one}.tsv")[1:] for one in ("pypi", "npm"))
    most = [row[0] for row in pypi[:1000]]
    spelled = [name.replace("-", "_").title() for name in most]
    commands = "".join(f"pip install {name}\n" for name in spelled)
    compare(
        "verdicts",
        {
            "imports": verdicts(tmp_path, imports),
            "guesses": verdicts(tmp_path, [ref for ref in guesses if "." not in ref.raw]),
            "pypi": verdicts(tmp_path, most),
            "spelled": verdicts(tmp_path, ghostbust.extract(commands, language="shell")),
            "npm": verdicts(tmp_path, [row[0] for row in npm[:1000]], "npm"),
            "suspects": verdicts(tmp_path, [row[0] for row in pypi if row[2]]),
            "decoys": verdicts(
                tmp_path, [row[0] for row in table_rows("registry-pypi-decoys.tsv")[1:]]
            ),
            # One letter less: absent names with the names nearest to them, and the odd real one.
            "misspelled": verdicts(tmp_path, [name[:-2] + name[-1] for name in most[:60]]),
        },
    )


# The weights of a seeded round


def machine() -> dict[str, str]:
    """On what weights are the same to the bit: kernels differ between processors and versions."""
    import torch

    cpu = Path("/proc/cpuinfo")
    first = cpu.read_text("utf-8").partition("\n\n")[0] if cpu.exists() else ""
    kind = re.findall(r"^(?:cpu family|model|model name)\s*: (.*)$", first, re.MULTILINE)
    return {
        "machine": platform.machine(),
        "processor": " ".join(kind),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        **{name: version(name) for name in ("torch", "transformers", "peft")},
    }


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Torch adds in one order, and computes in float32 also where the processor has bfloat16."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    yield
    torch.set_num_threads(threads)


def settings() -> Config:
    """The defaults, on fewer and shorter answers. The model's path is a part of every sample's id,
    by which answers are chosen: a relative one is the same everywhere."""
    return Config(
        model={"name": "./talking", "device": "cpu"},
        registry={"mode": "snapshot"},
        sampling={"max_new_tokens": 8},
        training={"max_answers": 48},
        gates={"humaneval_tasks": 0},
    )


@pytest.mark.usefixtures("one_thread")
def test_weights_of_a_seeded_round(
    talking_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep and a round by the defaults: the same bits on the same machine and versions.

    Elsewhere kernels add in another order, so each tensor's sum and norm are compared instead.
    Other kernels (``ATEN_CPU_CAPABILITY=default``) moved them by less than 1e-6.
    """
    from safetensors.torch import load_file

    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(talking_model_dir.parent)
    home = tmp_path / "home"
    ghostbust.sweep(limit=40, config=settings(), home=home, seed=3)
    done = ghostbust.unlearn(holdout=10, train_anyway=True, config=settings(), home=home, seed=3)
    weights = load_file(done.outcome.candidate.path / "adapter_model.safetensors")
    rows = [(name, weights[name].numpy().tobytes()) for name in sorted(weights)]
    found = {
        "machine": machine(),
        "sha256": digest(rows),
        "gates": {one.gate: str(one.verdict) for one in done.outcome.report.results},
        "sums": {name: float(weights[name].double().sum()) for name in sorted(weights)},
        "norms": {name: float(weights[name].double().norm()) for name in sorted(weights)},
    }
    kept = KEPT.get("weights", found)
    if kept["machine"] == found["machine"]:
        compare("weights", found)
    else:
        for key in ("sums", "norms"):
            assert found[key] == pytest.approx(kept[key], rel=1e-4, abs=1e-4), found


# A home of an older version


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """A home of 2fcb421 after a sweep, a round, an ingested log, a decision and a promotion.

    Rows that these don't write were added through that commit's store, so every table has some.
    The database is kept as SQL, with ``{HOME}`` where the folder's path stood.
    """
    home = tmp_path / "home"
    shutil.copytree(OLD_HOME, home)
    for file in (home / "deployed.json", home / "ghostbust.sql"):
        file.write_bytes(file.read_bytes().replace(b"{HOME}", str(home).encode()))
    with closing(sqlite3.connect(home / "ghostbust.db")) as database:
        database.executescript((home / "ghostbust.sql").read_bytes().decode())
    return home


def rows_of(home: Path) -> dict[str, list[dict[str, object]]]:
    """All rows by table, as SQLite itself reads them."""
    with closing(sqlite3.connect(home / "ghostbust.db")) as database:
        database.row_factory = sqlite3.Row
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            table: [dict(row) for row in database.execute(f'SELECT * FROM "{table}"')]
            for (table,) in tables
        }


def update(home: Path) -> None:
    """Has the database brought up to date, which only a command that writes does."""
    printed("jobs", "pause", "watch", "--home", home)
    printed("jobs", "resume", "watch", "--home", home)


def test_an_older_home_keeps_its_rows(old_home: Path) -> None:
    before = rows_of(old_home)
    assert [table for table, rows in before.items() if not rows] == []
    update(old_home)
    after = rows_of(old_home)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert [row for row in rows if row not in kept] == [], table


_OF_TODAY = ("day_ends", "budgets")


def figures(document: object) -> object:
    """The rows of a report's tables, without the sentences around them; other documents whole,
    but for what depends on the day."""
    if not isinstance(document, dict):
        return document
    if "parts" not in document:
        return {key: value for key, value in document.items() if key not in _OF_TODAY}
    return [[part["name"], [one["rows"] for one in part["tables"]]] for part in document["parts"]]


@pytest.mark.parametrize(
    "command",
    [
        "report --format json --since 2026-01-01 --until 2027-01-01",
        "report run 1 --format json --reveal",
        "report round 1 --format json",
        "names list --ignored --reveal --json",
        "names show zz-lantern-client --reveal --json",
        "adapters list --json",
        "adapters show round-0001-64c24339 --json",
        "prompts list --json",
        "jobs list --json",
    ],
)
def test_an_older_home_reads_as_before(command: str, old_home: Path) -> None:
    update(old_home)
    document = printed(*command.split(), "--home", old_home).replace(str(old_home), "{HOME}")
    found = digest([json.dumps(figures(json.loads(document)), sort_keys=True)])
    compare(command, {"sha256": found})
