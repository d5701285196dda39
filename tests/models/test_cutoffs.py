"""The table of cutoffs: dated, sourced, and never of a model that may know more."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import pytest

from ghostbust.models.load import known_cutoff


@pytest.mark.parametrize(
    ("model", "day"),
    [
        ("smollm2", date(2024, 11, 1)),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", date(2024, 11, 1)),
        ("qwen/qwen2.5-coder-0.5b-instruct", date(2024, 11, 12)),
        ("meta-llama/Llama-3.1-8B-Instruct", date(2023, 12, 31)),
        ("somebody/Qwen2.5-Coder-0.5B-tuned", None),
        ("Qwen/Qwen3-Coder-Next", None),
        ("bigcode/starcoder3", None),
        ("bigcode/starcoder2-15b-instruct-v0.1", None),
        ("deepseek-ai/DeepSeek-Coder-V2-Instruct-0724", None),
        ("/models/smollm2", None),
        ("", None),
    ],
)
def test_known_models(model: str, day: date | None) -> None:
    assert known_cutoff(model) == day


def test_every_row_has_a_day_its_basis_and_a_source() -> None:
    head, *lines = (files("ghostbust.data") / "model_cutoffs.tsv").read_text().splitlines()
    assert head.split("\t") == ["model", "cutoff", "basis", "source"]
    rows = [line.split("\t") for line in lines]
    assert len({row[0].lower() for row in rows}) == len(rows) > 15
    for model, day, basis, source in rows:
        assert date(2022, 1, 1) < date.fromisoformat(day) < date(2026, 11, 24), model
        assert basis in ("stated", "published")
        assert day[:4] in source
