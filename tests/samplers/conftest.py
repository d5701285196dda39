"""The tiny model in float32, so that results can be compared to the last token."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.models.load import LoadedModel, load_model


@pytest.fixture(scope="session")
def tiny(tiny_model_dir: Path) -> LoadedModel:
    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    loaded.model.float()  # type: ignore[no-untyped-call]
    return loaded
