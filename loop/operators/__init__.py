"""Operators: small named ways to make a new prompt of one that paid off.

An operator that needs no model works on the text alone: it costs nothing and never writes
nonsense. The model under watch is asked only for what rules can't do.
"""

from __future__ import annotations

from typing import Final

from ghostbust.loop.operators.by_model import BY_MODEL
from ghostbust.loop.operators.by_rule import BY_RULE
from ghostbust.loop.operators.combining import COMBINING
from ghostbust.loop.operators.interface import AGAIN, SEED, Operator

OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator for operator in (*BY_RULE, *COMBINING, *BY_MODEL)
}
"""every operator by its name"""

__all__ = ["AGAIN", "OPERATORS", "SEED", "Operator"]
