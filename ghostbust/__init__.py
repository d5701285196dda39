"""Finds the packages a deployed code model invents and trains them away.

``import ghostbust`` loads no model library: torch, transformers and peft are
imported by the parts that need them, when they are used. What is offered here keeps to semantic
versioning (docs/reference/api.md); every other module may change with any version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghostbust.api import check, evaluate, extract, sweep, unlearn

__version__ = "0.1.0"
__all__ = ["__version__", "check", "evaluate", "extract", "sweep", "unlearn"]


def __getattr__(name: str) -> object:
    """Imports the offered functions when they are first asked for."""
    if name in __all__:
        from ghostbust import api

        return getattr(api, name)
    raise AttributeError(f"module 'ghostbust' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Also what wasn't asked for yet."""
    return sorted({*globals(), *__all__})
