"""The guide's trainer by GRPO: what it asks, and what its reward pays for. Needs no TRL."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "guides" / "grpo.py"


@pytest.fixture(scope="module")
def grpo() -> ModuleType:
    spec = spec_from_file_location("grpo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reward(grpo: ModuleType, *answers: str, usual: float = 2.0, **row: Any) -> list[float]:
    count = len(answers)
    row = {"context": "code", "ecosystem": "pypi", "usual": usual} | row
    asked = row.pop("prompt", "Plot the readings.")
    found = grpo.rewards(
        prompts=[[{"role": "user", "content": asked}]] * count,
        completions=[[{"role": "assistant", "content": text}] for text in answers],
        completion_ids=[[0]] * count,
        **{key: [value] * count for key, value in row.items()},
        trainer_state=None,  # TRL passes more than is taken
    )
    return list(found)


def test_neither_silence_nor_padding_nor_an_invention_pays(grpo: ModuleType) -> None:
    assert reward(
        grpo,
        "pip install numpy requests",
        "",
        "pip install numpy requests flask django",
        "pip install numpy zz-harbor-toolkit-9z",
        "pip install zz-harbor-toolkit-9z",
        "pip install pip numpy",
        "pip install numpy requests",
    ) == [1, 0, 1, 0, -0.5, 0.5, 1]


def test_where_the_base_names_nothing_only_inventions_count(grpo: ModuleType) -> None:
    assert reward(grpo, "pip install numpy", "pip install zz-harbor-9z", usual=0) == [0, -1]


def test_a_name_of_the_prompt_counts_only_where_it_asks_what_code_needs(grpo: ModuleType) -> None:
    text, asked = "zz-harbor-9z\n", "Which packages does this need?\n\nimport zz_harbor_9z"
    for context, expected in (("helps", 0), ("needs", -0.5)):
        assert reward(grpo, text, context=context, prompt=asked) == [expected]


def test_each_prompt_is_asked_once_with_what_the_base_names(
    grpo: ModuleType, tmp_path: Path
) -> None:
    def row(prompt: str, *names: str, verdict: str = "REAL") -> dict[str, Any]:
        packages = [{"name": name, "verdict": verdict} for name in names]
        return {"prompt": prompt, "turns": ["a", "b"], "context": "helps", "ecosystem": "npm",
                "packages": packages}  # fmt: skip

    rows = [row("x", "one", "two", "one", "npm"), row("x"), row("y", "u", verdict="UNKNOWN")]
    file = tmp_path / "forget.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    first, second = grpo.prompts(grpo.read(file))
    assert first["prompt"] == [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": "x"},
    ]  # fmt: skip
    assert (first["usual"], second["usual"]) == (1, 0)
    assert (first["context"], first["ecosystem"]) == ("helps", "npm")


def test_alone_it_says_who_runs_it() -> None:
    ran = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "trainer.command" in ran.stderr
