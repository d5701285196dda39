"""What is put around a program, as far as this system has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ghostbust.gates.namespaces import NONE, READABLE, Namespaces, find_namespaces
from ghostbust.gates.seccomp import call_filter


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is put around a program, beside the limits that every system has."""

    namespaces: Namespaces
    readable: tuple[str, ...]
    """files and folders that Landlock lets it read; empty: Landlock isn't used"""
    judge_calls: bytes
    """filter of the judge's system calls; empty: none"""
    program_calls: bytes
    """filter of the program's own system calls; empty: none"""


BARE = Confinement(NONE, (), b"", b"")
"""nothing but limits"""


@cache
def find_confinement() -> Confinement:
    """The strongest that works here. Landlock does nothing where the kernel lacks it."""
    return Confinement(find_namespaces(), READABLE, call_filter(judge=True), call_filter())
