"""The model card of an adapter says what the store holds, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ghostbust.adapters import Manifest
from ghostbust.home import Home
from ghostbust.reports.card import model_card
from ghostbust.store.store import Store

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def card_of(tmp_path: Path, model: str, kind: str = "peft") -> tuple[dict[str, Any], str]:
    manifest = Manifest("round-0009-aa", model, {}, "0.2", {})
    with Store.open(Home.open(tmp_path / "home").database) as store:
        _, metadata, text = model_card(store, manifest, kind, NOW).split("---\n", 2)
    return yaml.safe_load(metadata), text


def test_an_adapter_that_no_gate_measured_has_no_figure(tmp_path: Path) -> None:
    metadata, text = card_of(tmp_path, "acme/coder-1")
    assert "No gate measured it" in text
    assert metadata == {
        "base_model": "acme/coder-1",
        "base_model_relation": "adapter",
        "library_name": "peft",
        "tags": ["ghostbust", "lora", "package-hallucination", "unlearning"],
    }, "no licence: that is the base's"


@pytest.mark.parametrize("model", ["/srv/secret/coder", "a: b\n- c", "x'\"/y z"])
def test_a_base_that_isnt_of_the_hub_is_no_base_model(tmp_path: Path, model: str) -> None:
    metadata, text = card_of(tmp_path, model)
    assert "base_model" not in metadata
    assert "secret" not in text


def test_what_loads_it(tmp_path: Path) -> None:
    merged, _ = card_of(tmp_path, "acme/coder-1", "merged")
    assert (merged["library_name"], merged["base_model_relation"]) == ("transformers", "finetune")
    assert "lora" not in merged["tags"]
    assert "library_name" not in card_of(tmp_path, "acme/coder-1", "gguf-lora")[0]
