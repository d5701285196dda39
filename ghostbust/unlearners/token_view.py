"""The tri-mask of a stored answer for a person to look at, without loading a model."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.models.embedded import FOLDER
from ghostbust.records import Answer
from ghostbust.unlearners.masks import MARKS, tri_mask

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
EMBEDDED = "smollm2"


def token_marks(answer: Answer, cache_dir: Path) -> list[tuple[int, int, int]] | None:
    """First and behind-last character of each token of the answer, and its mask value.

    The paper's tri-mask (``Masking.NAMES``): names only. None where the model's tokenizer isn't on
    this machine; nothing is downloaded.
    """
    path = _tokenizer_file(answer.sample.model, cache_dir)
    if path is None:
        return None
    encoded = _load(str(path)).encode(answer.sample.text, add_special_tokens=False)
    offsets = [(int(start), int(end)) for start, end in encoded.offsets]
    spans = [(one.ref.start, one.ref.end, MARKS[one.lookup.verdict]) for one in answer.judged]
    mask = tri_mask(offsets, spans)
    return [(start, end, mark) for (start, end), mark in zip(offsets, mask, strict=True)]


def _tokenizer_file(model: str, cache_dir: Path) -> Path | None:
    """Where the model's tokenizer lies on this machine; None where it doesn't."""
    if model == EMBEDDED:
        path = cache_dir / "models" / FOLDER / FILE
        return path if path.is_file() else None
    folder = Path(model)
    if folder.is_dir():
        return folder / FILE if (folder / FILE).is_file() else None
    if model.count("/") != 1 or "://" in model:
        return None  # no id of the hub
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, FILE)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


@lru_cache(maxsize=2)
def _load(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(path)
    return tokenizer
