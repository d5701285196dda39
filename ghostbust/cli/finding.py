"""What a check of ``ghostbust doctor`` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    """something is missing, old or slow, and ghostbust works all the same"""
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    level: Level
    said: str
    todo: str = ""
    """what to do about it; empty where nothing is to be done, or where ``said`` has it"""


Check = Callable[[], Finding]
