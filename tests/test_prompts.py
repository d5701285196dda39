"""Tasks, their wordings, their side of the split, and what is for evaluation only."""

from __future__ import annotations

import importlib.util
import json
from importlib import resources
from pathlib import Path

import pytest

from ghostbust import prompts
from ghostbust.errors import DataError, UsageError
from ghostbust.extractors.extract import extract
from ghostbust.prompts import (
    CODE_LIMIT,
    FORMS,
    FRESH,
    WINDOW,
    Task,
    family_of_both,
    fingerprints,
    first_prompts,
    fresh_tasks,
    is_reserved,
    is_reserved_text,
    name_side,
    of_external_suite,
    of_suite,
    prompts_of,
    read_tasks,
    seed_tasks,
    side_of,
    split,
    suite_family,
)
from ghostbust.records import PROMPTED, Answer, Context, Ecosystem, Prompt, Sample, Side, content_id

TASKS = [Task(f"task-{n}", f"do {n}", "domain") for n in range(2000)]


def test_the_shipped_tasks_come_in_a_fixed_mixed_order() -> None:
    tasks = seed_tasks()
    assert tasks == seed_tasks()
    assert len({task.id for task in tasks}) == len(tasks) > 100
    assert [task.id for task in tasks] != sorted(task.id for task in tasks)
    assert len({task.domain for task in tasks[:20]}) > 8  # any head is a fair subset
    assert not any(task.private for task in tasks)


@pytest.mark.parametrize("ecosystem", PROMPTED)
def test_the_fresh_tasks_come_in_a_fixed_mixed_order(ecosystem: Ecosystem) -> None:
    tasks = fresh_tasks(ecosystem)
    assert tasks == fresh_tasks(ecosystem)
    assert len({task.id for task in tasks}) == len(tasks) == 150
    assert [task.id for task in tasks] != sorted(task.id for task in tasks)
    assert len({task.domain for task in tasks[:20]}) > 8  # any head is a fair subset
    assert {task.ecosystem for task in tasks} == {ecosystem}
    assert not any(task.private for task in tasks)


def test_fresh_tasks_that_were_changed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "FRESH_SHA256", "0" * 64)
    prompts._fresh.cache_clear()
    with pytest.raises(DataError, match="isn't the file that was frozen"):
        fresh_tasks()


def test_a_task_is_always_asked_in_the_same_words() -> None:
    task = Task("t", "plot a chart", "charts", Ecosystem.NPM, private=True)
    asked = task.prompt(Context.HELPS)
    assert asked == task.prompt(Context.HELPS)
    assert asked == Prompt(
        asked.text, Context.HELPS, Ecosystem.NPM, "t", domain="charts", private=True
    )
    assert "plot a chart" in asked.text
    assert "JavaScript" in asked.text
    assert "Python" not in asked.text


@pytest.mark.parametrize("context", list(Context))
def test_every_wording_is_used(context: Context) -> None:
    heads = {task.prompt(context, code="x").text[:20] for task in TASKS[:100]}
    assert heads == {
        form.format(
            language="Python", registry="PyPI", install="pip install", task="", code=""
        )[:20]
        for form in FORMS[context]
    }  # fmt: skip


@pytest.mark.parametrize("ecosystem", PROMPTED)
@pytest.mark.parametrize("context", list(Context))
def test_no_form_leaves_a_gap(context: Context, ecosystem: Ecosystem) -> None:
    for number in range(40):
        task = Task(str(number), "{braces} stay", ecosystem=ecosystem)
        text = task.prompt(context, code="x = {}").text
        assert ("{braces} stay" in text) is (context is not Context.NEEDS)
        assert ("x = {}" in text) is (context is Context.NEEDS)


@pytest.mark.parametrize("name", ["third_party_packages", "third-party-package"])
def test_no_form_says_the_phrase_that_came_back_as_a_name(name: str) -> None:
    for form in (*FORMS[Context.CODE], *FORMS[Context.HELPS], *FORMS[Context.NEEDS]):
        [ref] = extract(f"```\npip install {name}\n```", prompt_text=form)
        assert ref.flags == frozenset()


def test_needs_quotes_the_code_and_not_too_much_of_it() -> None:
    code = "import numpy\n" + "x" * 2 * CODE_LIMIT
    text = TASKS[0].prompt(Context.NEEDS, code=code).text
    assert code[:CODE_LIMIT] in text
    assert code[: CODE_LIMIT + 1] not in text


def test_first_prompts_need_no_answer() -> None:
    prompts = list(first_prompts(TASKS[:2]))
    assert [(p.family, p.context) for p in prompts] == [
        ("task-0", Context.CODE), ("task-0", Context.HELPS),
        ("task-1", Context.CODE), ("task-1", Context.HELPS),
    ]  # fmt: skip


def test_the_split_is_by_family_stable_and_a_larger_share_only_adds_to_the_holdout() -> None:
    train, holdout = split(TASKS, 0.25)
    assert len(train) + len(holdout) == len(TASKS)
    assert {t.id for t in train}.isdisjoint(t.id for t in holdout)
    assert 0.2 < len(holdout) / len(TASKS) < 0.3
    assert split(TASKS[::-1], 0.25) == (train[::-1], holdout[::-1])
    few = split(TASKS[:50], 0.25)
    assert set(few[0]) <= set(train)
    assert set(few[1]) <= set(holdout)
    assert set(split(TASKS, 0.1)[1]) < set(holdout) < set(split(TASKS, 0.3)[1])
    assert split(TASKS, 0.0)[1] == split(TASKS, 1.0)[0] == []


def test_a_familys_side_never_changes() -> None:
    """Another draw than that of 2026-11-24 would let trained families into the holdout."""
    sides = [side_of(f"web-scraping-0{number}", 0.5) for number in range(1, 7)]
    assert sides == [Side.TRAIN, Side.HOLDOUT, Side.HOLDOUT, Side.TRAIN, Side.TRAIN, Side.TRAIN]


def test_lines_of_text_are_private_tasks(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("plot a chart\n\n  größe 🎉  \n", "utf-8")
    first, second = read_tasks(path)
    assert first == Task(content_id("plot a chart"), "plot a chart", private=True)
    assert second.text == "größe 🎉"
    assert {task.ecosystem for task in read_tasks(path, Ecosystem.NPM)} == {Ecosystem.NPM}


def test_json_lines_may_say_more(tmp_path: Path) -> None:
    rows = [
        {"task": "a", "id": "mine", "domain": "charts"},
        {"prompt": "b", "language": "TypeScript"},
        {"text": "c", "id": 7},
        {"task": "", "prompt": "d"},
    ]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert read_tasks(path) == [
        Task("mine", "a", "charts", private=True),
        Task(content_id("b"), "b", "", Ecosystem.NPM, private=True),
        Task("7", "c", private=True),
        Task(content_id("d"), "d", private=True),
    ]


def test_a_line_ends_at_a_newline_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes('\ufeff{"task": "a\u2028b\x85c"}\r\nd\x0ce\n'.encode())
    assert [task.text for task in read_tasks(path)] == ["a\u2028b\x85c", "d\x0ce"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'fine\n\n{"task": "a"', r"prompts\.jsonl, line 3: not valid JSON"),
        (b"fine\n\n{}", r'prompts\.jsonl, line 3: needs a "task", "prompt" or "text"'),
        (b'fine\n\n{"task": 7}', r'line 3: needs a "task", "prompt" or "text"'),
        (b'fine\n\n{"task": ["a"]}\n', r'line 3: needs a "task", "prompt" or "text"'),
        (b"", "holds no prompts"),
        (b"\n \n", "holds no prompts"),
        ("größe".encode("latin-1"), "can't read the prompts"),
        (None, "can't read the prompts"),
    ],
)
def test_what_holds_no_tasks(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_tasks(path)
    with pytest.raises(UsageError, match="can't read the prompts"):
        read_tasks(tmp_path / "none")


def test_the_prompts_of_answers_come_once_in_order() -> None:
    prompts = [TASKS[n].prompt(Context.HELPS) for n in (3, 1, 3, 2, 1)]
    answers = [
        Answer(Sample(prompt, "", "fake", None, 0, number, 0.7, False, 1), ())
        for number, prompt in enumerate(prompts)
    ]
    assert prompts_of(answers) == (prompts[0], prompts[1], prompts[3])


def test_external_suites_are_held_out_whatever_the_share() -> None:
    families = [suite_family("garak", str(number)) for number in range(50)]
    assert {side_of(family, 0.0) for family in families} == {Side.HOLDOUT}
    assert side_of("garak", 0.0) is Side.TRAIN


def test_a_file_with_texts_that_are_for_evaluation_only_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "one two three four five six seven eight"
    monkeypatch.setattr(prompts, "_known", lambda: frozenset(fingerprints(words)))
    path = tmp_path / "prompts.jsonl"
    path.write_text(json.dumps({"prompt": f"Use it.\n{words}"}) + "\nSort a list.\n")
    with pytest.raises(UsageError, match=r"1 of 2 prompts hold tasks .*'Use it. one two") as caught:
        read_tasks(path)
    assert "\n" not in str(caught.value)


def test_the_side_of_a_name_is_drawn_from_it_and_a_larger_share_holds_out_more() -> None:
    names = [f"name-{n}" for n in range(2000)]

    def held_out(share: float, ecosystem: Ecosystem = Ecosystem.PYPI) -> set[str]:
        return {name for name in names if name_side(ecosystem, name, share) is Side.HOLDOUT}

    assert held_out(0) == set()
    assert 150 < len(held_out(0.1)) < 250
    assert held_out(0.1) < held_out(0.3)
    assert held_out(0.1) != held_out(0.1, Ecosystem.NPM)


def test_what_descends_from_two_is_held_out_where_one_of_them_is() -> None:
    for share in (0.1, 0.25, 0.7):
        for one, other in zip(TASKS[:100], TASKS[100:200], strict=True):
            both = {side_of(one.id, share), side_of(other.id, share)}
            family = family_of_both(one.id, other.id)
            assert family == family_of_both(other.id, one.id)
            assert side_of(family, share) is (Side.TRAIN if both == {Side.TRAIN} else Side.HOLDOUT)
    suite = suite_family("garak", "x")
    assert family_of_both(TASKS[0].id, suite) == suite


# What is for evaluation only

OWN = (
    "Read the log of a lift that stops at every floor twice and say which floor is the slowest of "
    "all"
)


@pytest.fixture
def own_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of our own takes the place of the suite's."""
    monkeypatch.setattr(prompts, "_known", lambda: frozenset(fingerprints(OWN)))


@pytest.mark.usefixtures("own_reserved")
@pytest.mark.parametrize(
    "text",
    [
        OWN,
        OWN.upper(),
        OWN.replace(" ", "\n"),
        f"Write Python code for this task.\n\nTask: {OWN}",
        "Please: " + OWN.replace("log", "log,").replace("twice", "twice -") + " Thank you.",
        " ".join(OWN.split()[1:]),  # from the second fingerprint on
        " ".join(OWN.split()[:15]),
    ],
)
def test_a_tasks_words_are_known_in_any_dress_and_seven_of_them_are_not(text: str) -> None:
    assert is_reserved_text(text)
    for other in ("", "Read the log", " ".join(OWN.split()[3:10]), "A lift stops at every floor."):
        assert not is_reserved_text(other)


def test_fingerprints_follow_one_another() -> None:
    words = OWN.split()
    assert len(fingerprints(OWN)) == len(words) // WINDOW
    assert fingerprints(OWN)[1] == fingerprints(" ".join(words[8:16]))[0]
    assert fingerprints("seven words are too few for it") == []


def test_a_suites_family_is_reserved_whatever_it_asks() -> None:
    family = suite_family("garak", "42")
    assert of_suite(family)
    assert is_reserved(Prompt("Sort a list.", Context.CODE, Ecosystem.PYPI, family))
    assert not is_reserved(Prompt("Sort a list.", Context.CODE, Ecosystem.PYPI, "42"))


def test_fresh_tasks_never_train_by_their_family_nor_by_their_words(tmp_path: Path) -> None:
    for task in (*fresh_tasks(), *fresh_tasks(Ecosystem.NPM)):
        assert task.id.startswith(suite_family(FRESH, ""))
        assert of_suite(task.id)
        assert side_of(task.id, holdout_share=0.0) is Side.HOLDOUT
        assert all(is_reserved(prompt) for prompt in first_prompts([task]))
        words = task.text.split()
        assert is_reserved_text(" ".join(words[-WINDOW:])), "any eight words in a row"
        asked = f"Hello. Please do this:\n{task.text.upper()} Thank you."
        assert is_reserved(Prompt(asked, Context.CODE, task.ecosystem, "own"))
    file = tmp_path / "own.jsonl"
    file.write_text(f"Sort a list.\n{fresh_tasks()[0].text}\n", "utf-8")
    with pytest.raises(UsageError, match="1 of 2 prompts hold tasks of LibHalluBench or ghostbust"):
        read_tasks(file)


def test_an_external_suite_is_one_that_others_wrote() -> None:
    assert of_external_suite(suite_family("garak", "42"))
    assert not of_external_suite(fresh_tasks()[0].id)
    assert not of_external_suite("42")


@pytest.mark.usefixtures("own_reserved")
def test_earlier_turns_count_as_well() -> None:
    turned = Prompt("Now the file.", Context.NEEDS, Ecosystem.PYPI, "42", turns=(OWN, "import x"))
    assert is_reserved(turned)


def test_the_shipped_tasks_are_not_reserved() -> None:
    assert [task.id for task in seed_tasks() if is_reserved_text(task.text)] == []


def test_the_shipped_file_holds_distinct_sorted_fingerprints() -> None:
    text = resources.files("ghostbust.data").joinpath("reserved_libhallubench.tsv").read_text()
    head, *lines = text.splitlines()
    assert head == "fingerprint"
    assert lines == sorted(set(lines))
    assert {len(line) for line in lines} == {16}


def test_every_prompt_of_the_installed_suite_is_known_by_its_words() -> None:
    """But those of one task, which has seven words."""
    spec = importlib.util.find_spec("libhallubench")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package libhallubench isn't installed")
    data = Path(spec.submodule_search_locations[0]) / "data"
    files = sorted(data.glob("libhallubench-*.jsonl"))
    found = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    assert len(found) == 4173
    missed = {row["seed_id"] for row in found if not is_reserved_text(row["prompt"])}
    assert len(missed) == 1
