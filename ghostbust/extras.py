"""What a light install leaves out, and the line that says how to add it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from ghostbust.errors import UsageError

LOCAL: Final = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "gguf",
    "scipy",
    "huggingface_hub",
    "numpy",
)
"""the libraries of the extra ``local``, as they are imported: what runs and trains a model here"""
GUARD: Final = ("starlette", "uvicorn")
"""those of the extra ``guard``: what serves over HTTP"""


def has_local() -> bool:
    """Whether the libraries of the extra ``local`` are installed. Imports none of them."""
    return all(map(find_spec, LOCAL))


def need_local(what: str) -> None:
    """Raises UsageError where the extra ``local`` isn't installed; ``what`` needs it."""
    if not has_local():
        raise UsageError(f"{what} needs more libraries: pip install 'ghostbust[local]'")


def need_guard(what: str) -> None:
    """The same of the extra ``guard``."""
    if not all(map(find_spec, GUARD)):
        raise UsageError(f"{what} needs more libraries: pip install 'ghostbust[guard]'")
