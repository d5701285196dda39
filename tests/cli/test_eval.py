"""``ghostbust eval`` on a small model: sections, tables, plots, and every way it can't start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import Result

from ghostbust.adapters import MANIFEST
from ghostbust.cli.eval import (
    NEED_ADAPTERS,
    NEED_WEIGHTS,
    SUITE_PROMPTS,
    SectionName,
    choose_sections,
    need_subjects,
    read_suites,
    shown_tables,
)
from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import Estimate, Table
from ghostbust.prompts import fresh_tasks, seed_tasks, side_of, split
from ghostbust.records import Context, Ecosystem, Side
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Run

Eval = Callable[..., Result]

SETTINGS = "[sampling]\nmax_new_tokens = 8\nsamples_per_prompt = 2\n\n[model]\ndevice = 'cpu'\n"
KEYS = {
    "model", "adapters", "seed", "registry", "tasks", "fresh", "guard", "coding_tasks", "suites",
    "samples", "temperatures", "sections", "plots", "wall_s",
}  # fmt: skip


@pytest.fixture(scope="session")
def adapter_dir(
    talking_model_dir: Path,
    make_lora: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A plain LoRA adapter of the small model, as other programs write them, that changes it."""
    folder = tmp_path_factory.mktemp("adapters") / "own"
    (make_lora(folder, talking_model_dir, size=0.3) / MANIFEST).unlink()
    return folder


@pytest.fixture
def evaluate(run: Run, talking_model_dir: Path, home: Path) -> Eval:
    """Runs an evaluation of the small model on twelve held-out tasks unless told otherwise."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")

    def invoke(*args: object, limit: int | None = 12) -> Result:
        most = [] if limit is None else ["--limit", limit]
        model = ["--model", talking_model_dir]
        return run("eval", *model, "--registry", "snapshot", *most, *args)

    return invoke


def rows(told: dict[str, Any], title: str) -> list[dict[str, Any]]:
    """The rows of one table of the behaviour section."""
    (found,) = [t for t in told["sections"]["behaviour"] if t["title"] == title]
    return list(found["rows"])


def test_an_adapter_stands_beside_the_base_and_the_base_again(
    evaluate: Eval, adapter_dir: Path, home: Path, tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    told = document(evaluate("--json", "--adapter", adapter_dir, "--plot", plots, "--seed", 3))
    assert set(told) == KEYS
    (name,) = told["adapters"]
    assert name.startswith("own-")
    assert (told["tasks"], told["temperatures"], told["seed"]) == (12, [0.0, 0.7], 3)
    assert [(r["temperature"], r["model"]) for r in rows(told, "summary")] == [
        (0.0, "base"), (0.0, name), (0.7, "base"), (0.7, "base again"), (0.7, name),
    ]  # fmt: skip
    contexts = {row["context"] for row in rows(told, "rates")}
    assert contexts == {"all", "code", "needs", "helps"}
    for row in rows(told, "rates"):
        assert row["rate"]["low"] <= row["rate"]["value"] <= row["rate"]["high"]
        assert (row["drop"] is None) == (row["model"] == "base")
    assert {row["model"] for row in rows(told, "which names")} == {"base", "base again", name}
    assert {file.name for file in plots.iterdir()} == {Path(p).name for p in told["plots"]}
    with Store.open(home / "ghostbust.db") as store:
        runs = store.runs.recent()
        families = {a.sample.prompt.family for a in store.answers.read()}
    assert {run.spec.kind for run in runs} == {RunKind.EVAL}
    assert len({run.spec.seed for run in runs if run.spec.settings["temperature"]}) == 3
    assert {side_of(family, 0.25) for family in families} == {Side.HOLDOUT}


def test_under_the_guard_nothing_that_it_knows_is_invented(
    evaluate: Eval, adapter_dir: Path, home: Path
) -> None:
    asked = ("--json", "--adapter", adapter_dir, "--temperature", 0.7)
    told = document(evaluate(*asked, "--guard"))
    (name,) = told["adapters"]
    assert told["guard"]
    whole = {row["model"]: row for row in rows(told, "rates") if row["context"] == "all"}
    assert list(whole) == ["base", "base again", "guard", name, f"{name} + guard"]
    assert whole["base"]["rate"]["value"] > 0.1
    assert whole["guard"]["rate"]["value"] < whole["base"]["rate"]["value"] / 2
    with Store.open(home / "ghostbust.db") as store:
        runs = len(store.runs.recent())
    document(evaluate(*asked))
    with Store.open(home / "ghostbust.db") as store:
        assert len(store.runs.recent()) == runs, "guarded answers are nobody else's"


def test_people_get_tables_with_notes(evaluate: Eval) -> None:
    result = evaluate()
    assert result.exit_code == 0, result.stderr
    for word in ("summary", "supported", "objections", "which names", "is the base with"):
        assert word in result.stdout
    assert "zz-harbor-toolkit" not in result.stdout
    assert "the base alone" in result.stderr


def test_what_the_store_has_is_not_sampled_again(
    evaluate: Eval, adapter_dir: Path, home: Path
) -> None:
    first = document(evaluate("--json"))
    with Store.open(home / "ghostbust.db") as store:
        runs = len(store.runs.recent())
    again = document(evaluate("--json"))
    second = document(evaluate("--json", "--adapter", adapter_dir))
    with Store.open(home / "ghostbust.db") as store:
        assert len(store.runs.recent()) == runs + 2  # the adapter's, at two temperatures
    del first["wall_s"], again["wall_s"]
    assert first == again
    base = [row for row in rows(second, "rates") if row["model"] == "base"]
    assert base == [row for row in rows(first, "rates") if row["model"] == "base"]


def test_own_prompts_are_held_out_by_family_unless_all_are_asked(
    evaluate: Eval, tmp_path: Path
) -> None:
    train, holdout = split(seed_tasks(), 0.25)
    file = tmp_path / "own.jsonl"
    lines = [json.dumps({"id": t.id, "task": t.text}) for t in (*train[:4], *holdout[:2])]
    file.write_text("\n".join(lines), "utf-8")
    asked = ("--json", "--temperature", 0, "--prompts", file)
    assert document(evaluate(*asked, limit=None))["tasks"] == 2
    assert document(evaluate(*asked, "--all", limit=None))["tasks"] == 6
    file.write_text("\n".join(lines[:4]), "utf-8")
    said = one_line(evaluate("--prompts", file), 2)
    assert "none of the tasks is held out" in said


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--adapter", "nobody"), 2, "there is no adapter 'nobody'"),
        (("--adapter", "base"), 2, "the base is always compared"),
        (("--model", "no/such-model"), 2, "can't load the model 'no/such-model'"),
        (("--prompts", "gone.jsonl"), 2, "can't read the prompts in"),
        (("--section", "beauty"), 2, "beauty"),
        (("--endpoint", "http://127.0.0.1:9/v1"), 3, ""),
        (("--endpoint", "http://127.0.0.1:9/v1", "--section", "utility"), 2, "a model server"),
        (("--section", "locality"), 2, "none serves and none was named"),
        (("--section", "suites"), 2, "--suite NAME go together"),
        (("--section", "behaviour", "--suite", "garak"), 2, "--suite NAME go together"),
        (("--suite", "humanity"), 2, "there is no suite 'humanity'"),
        (("--suite", "fresh=tasks.jsonl"), 2, "--suite fresh takes no path"),
        (("--suite", "fresh", "--prompts", "own.jsonl"), 2, "--suite fresh has tasks of its own"),
        (("--suite", "fresh", "--section", "suites"), 2, "fresh is no external suite"),
    ],
)
def test_what_can_not_start_is_one_line(
    evaluate: Eval, args: tuple[str, ...], code: int, said: str
) -> None:
    assert said in one_line(evaluate(*args), code)


def test_plots_that_can_not_be_written_are_one_line(evaluate: Eval, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    result = evaluate("--plot", tmp_path / "file", "--temperature", 0, limit=2)
    assert "can't write plots to" in one_line(result, 2)


def test_every_section_has_its_tables_and_plots(
    evaluate: Eval, adapter_dir: Path, home: Path, tmp_path: Path
) -> None:
    coding = {"text": "Add.", "code": "def add(x):\n  return x + 1", "task_id": 0,
              "test_list": ["assert add(1) == 2"]}  # fmt: skip
    (tmp_path / "mbpp.jsonl").write_text(json.dumps(coding), "utf-8")
    gates = f"[gates]\nhumaneval_tasks = 0\nmax_new_tokens = 4\nmbpp = '{tmp_path}/mbpp.jsonl'\n"
    (home / "ghostbust.toml").write_text(SETTINGS + gates, "utf-8")
    (tmp_path / "suite.jsonl").write_text('"Fold a boat."\n"Fold a hat."\n"Fold a kite."\n')
    suite = f"packagehallucination={tmp_path / 'suite.jsonl'}"
    names = ("utility", "behaviour", "locality", "persistence", "suites")
    asked = [option for name in names for option in ("--section", name)]
    told = document(
        evaluate(
            "--json", *asked, "--suite", suite, "--adapter", adapter_dir, "--temperature", 0,
            "--plot", tmp_path / "plots", limit=1,
        )
    )  # fmt: skip
    assert set(told) == KEYS
    assert (told["tasks"], told["coding_tasks"], told["suites"]) == (1, 1, {suite: 1})
    assert tuple(told["sections"]) == names
    titles = {table["title"] for tables in told["sections"].values() for table in tables}
    assert {"coding tasks", "gates", "summary", "KL to the base", "what is left", suite} <= titles
    for section in set(names) - {"behaviour"}:
        for table in told["sections"][section]:
            assert told["adapters"][0] in {row["model"] for row in table["rows"]}
    frontier, locality = ((tmp_path / "plots" / f"{name}.svg").read_text("utf-8")
                          for name in ("frontier-0", "locality"))  # fmt: skip
    assert "log-likelihood" in frontier
    assert told["adapters"][0] in locality


def test_what_an_adapter_gives_away_is_counted_for_each_model(
    evaluate: Eval, adapter_dir: Path, tmp_path: Path
) -> None:
    asked = ("--section", "attack", "--temperature", 0.7, "--all", "--guard")
    none = evaluate("--json", *asked, "--adapter", adapter_dir, limit=2)
    assert none.exit_code == 2
    assert "no list of what it forgot" in none.stderr
    listing = tmp_path / "with-list"
    shutil.copytree(adapter_dir, listing)
    (listing / "forgotten.json").write_text(json.dumps(["0123456789abcdef"]), "utf-8")
    told = document(evaluate("--json", *asked, "--adapter", listing, limit=2))
    (table,) = told["sections"]["attack"]
    (name,) = told["adapters"]
    models = ["base", "base again", "guard", name, f"{name}, turned round"]
    assert [row["model"] for row in table["rows"]] == models
    assert {(row["of the list"], row["answers"] > 0) for row in table["rows"]} == {(0, True)}


def test_the_relevance_of_names_is_measured_in_each_context(
    evaluate: Eval, adapter_dir: Path
) -> None:
    asked = ("--section", "relevance", "--temperature", 0.7, "--adapter", adapter_dir)
    told = document(evaluate("--json", *asked, limit=3))
    (table,) = told["sections"]["relevance"]
    (name,) = told["adapters"]
    assert [(row["context"], row["model"]) for row in table["rows"]] == [
        (context, model)
        for context in ("code", "needs", "helps")
        for model in ("base", "base again", name)
    ]
    for row in table["rows"]:
        assert (row["share of the base's"] is None) == (row["model"] == "base")
    assert any(row["names"] and row["lift"]["value"] for row in table["rows"])
    assert "two tasks" in one_line(evaluate(*asked, limit=1), 2)


def test_the_base_alone_is_set_against_itself_and_put_to_suites(
    evaluate: Eval, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.jsonl").write_text('"Fold a boat."\n', "utf-8")
    suite = f"packagehallucination={tmp_path}/one.jsonl"
    one_temperature = ("--temperature", 0.5, "--temperature", 0.5, "--samples", 1)
    told = document(evaluate("--json", "--suite", suite, *one_temperature, "--ecosystem", "npm"))
    assert (told["temperatures"], told["samples"]) == ([0.5], 1)
    (table,) = told["sections"]["suites"]
    assert [(row["variant"], row["model"], row["answers"]) for row in table["rows"]] == [
        ("all prompts", "base", 1)
    ]


def test_the_fresh_tasks_are_asked_in_place_of_the_held_out_ones(
    evaluate: Eval, home: Path
) -> None:
    asked = ("--json", "--suite", "fresh", "--ecosystem", "npm", "--temperature", 0)
    told = document(evaluate(*asked, limit=4))
    assert (told["fresh"], told["tasks"], told["suites"]) == (True, 4, {})
    assert set(told["sections"]) == {"behaviour"}
    with Store.open(home / "ghostbust.db") as store:
        prompts = [answer.sample.prompt for answer in store.answers.read()]
    wanted = {task.id for task in fresh_tasks(Ecosystem.NPM)}
    assert len({prompt.family for prompt in prompts}) == 4
    assert {prompt.family for prompt in prompts} <= wanted
    assert {prompt.context for prompt in prompts} == set(Context)


SERVER = "http://127.0.0.1:9/v1"


def test_a_section_is_measured_once_and_a_suite_alone_is_one() -> None:
    asked = [SectionName.UTILITY, SectionName.BEHAVIOUR, SectionName.UTILITY]
    assert choose_sections(asked, None, None) == ("utility", "behaviour")
    assert choose_sections(None, None, SERVER) == ("behaviour",)
    assert choose_sections(None, ["garak"], SERVER) == ("suites",)
    assert choose_sections(None, ["fresh"], SERVER) == ("behaviour",)
    assert choose_sections(None, ["garak", "fresh"], SERVER) == ("behaviour", "suites")


@pytest.mark.parametrize("name", NEED_WEIGHTS)
def test_a_model_server_does_not_tell_what_some_sections_need(name: SectionName) -> None:
    assert choose_sections([name], None, None) == (name,)
    with pytest.raises(UsageError, match=f"--section {name} needs .* a model server doesn't tell"):
        choose_sections([name], None, SERVER)


@pytest.mark.parametrize("name", SectionName)
def test_some_sections_say_nothing_of_the_base_alone(name: SectionName) -> None:
    need_subjects([name], ["an adapter"], ["a task"])
    if name in NEED_ADAPTERS:
        with pytest.raises(UsageError, match=f"--section {name} compares adapters with the base"):
            need_subjects([name], [], ["a task"])
    else:
        need_subjects([name], [], ["a task"])


def test_persistence_asks_held_out_tasks_alone() -> None:
    with pytest.raises(UsageError, match="asks held-out tasks only"):
        need_subjects([SectionName.PERSISTENCE], ["an adapter"], [])


def test_a_suite_is_cut_to_the_limit_by_the_seed(tmp_path: Path) -> None:
    file = tmp_path / "a=b.jsonl"
    file.write_text("".join(f'"Fold boat {n}."\n' for n in range(SUITE_PROMPTS + 9)), "utf-8")
    asked = [f"packagehallucination={file}"] * 2
    fresh, suites = read_suites(asked, 5, 0)
    assert not fresh
    assert len(suites[asked[0]]) == 5
    assert read_suites([*asked, "fresh"], 5, 0) == (True, suites)
    assert suites != read_suites(asked, 5, 1)[1]
    assert len(read_suites(asked, None, 0)[1][asked[0]]) == SUITE_PROMPTS
    assert read_suites(None, None, 0) == (False, {})


def printed(one: Table, width: int) -> list[list[str]]:
    """The words of each line that has any."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(*shown_tables(one, width), sep="")
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    return [line.split() for line in lines if line.split() and "─" not in line]


FIGURE = Estimate(0.5, 0.25, 0.75)
ROWS: tuple[dict[str, object], ...] = (
    {"model": "base", "context": "all", "rate": FIGURE, "names": 9},
    {"model": "a-1", "context": "all", "rate": FIGURE, "drop": FIGURE, "names": 8},
    {"model": "a-1", "context": "code", "rate": FIGURE, "drop": FIGURE, "names": 7},
)


def test_a_wide_table_is_one_whose_first_key_is_not_repeated() -> None:
    figure = ["0.500", "(0.250..0.750)"]
    assert printed(Table("title", ROWS), 80) == [
        ["title"],
        ["model", "context", "rate", "names", "drop"],
        ["base", "all", *figure, "9", "–"],
        ["a-1", "all", *figure, "8", *figure],
        ["code", *figure, "7", *figure],
    ]


def test_a_narrow_table_goes_on_below_with_the_keys_and_breaks_before_the_interval() -> None:
    lines = printed(Table("title", ROWS), 42)
    assert lines[:4] == [
        ["title"],
        ["model", "context", "rate", "names"],
        ["base", "all", "0.500", "9"],
        ["(0.250..0.750)"],
    ]
    below = lines.index(["model", "context", "drop"])
    assert lines[below + 1 :] == [
        ["base", "all", "–"],
        ["a-1", "all", "0.500", "(0.250..0.750)"],
        ["code", "0.500", "(0.250..0.750)"],
    ]


def test_long_texts_and_names_are_broken_and_never_cut() -> None:
    name, text = "round" * 8, "more tasks would tell, " * 4
    rows: tuple[dict[str, object], ...] = ({"model": name, "verdict": "PASS", "reason": text},)
    lines = printed(Table("gates", rows), 64)
    begins = [line[0] for line in lines if line[0].startswith("round")]
    assert "".join(begins) == name
    assert [word for line in lines for word in line].count("tell,") == 4


def test_a_table_of_keys_alone_or_of_nothing_is_shown() -> None:
    assert printed(Table("title", ({"model": "base"},)), 30)[1:] == [["model"], ["base"]]
    assert shown_tables(Table("title", ()), 30) == []
