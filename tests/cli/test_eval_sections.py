"""Which sections can be measured with which options, and what they are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.eval import (
    NEED_ADAPTERS,
    NEED_WEIGHTS,
    SUITE_PROMPTS,
    SectionName,
    choose_sections,
    need_subjects,
    read_suites,
)
from ghostbust.errors import UsageError

SERVER = "http://127.0.0.1:9/v1"


def test_a_section_is_measured_once_and_a_suite_alone_is_one() -> None:
    asked = [SectionName.UTILITY, SectionName.BEHAVIOUR, SectionName.UTILITY]
    assert choose_sections(asked, None, None) == ("utility", "behaviour")
    assert choose_sections(None, None, SERVER) == ("behaviour",)
    assert choose_sections(None, ["garak"], SERVER) == ("suites",)


@pytest.mark.parametrize(
    ("asked", "suites"), [([SectionName.SUITES], []), ([SectionName.BEHAVIOUR], ["garak"])]
)
def test_suites_and_their_section_go_together(asked: list[SectionName], suites: list[str]) -> None:
    with pytest.raises(UsageError, match="go together"):
        choose_sections(asked, suites, None)


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
    (found,) = read_suites(asked, 5, 0).values()
    assert len(found) == 5
    assert read_suites(asked, 5, 0) == {asked[0]: found} != read_suites(asked, 5, 1)
    assert len(read_suites(asked, None, 0)[asked[0]]) == SUITE_PROMPTS
    assert read_suites(None, None, 0) == {}
