"""Keeps child processes from importing from the current folder, except programs of the settings.

Python puts the current folder first on the path of whatever is started with ``-m`` or ``-c``, as
worker processes and helpers of the standard library are: a ``json.py`` there would run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "PYTHONSAFEPATH"
_OURS: Final = "ghostbust"
"""any text switches it on; this one marks that `keep_folder_out` did"""


def keep_folder_out() -> None:
    """Makes Python processes started from here leave the current folder out of their path.

    Unless this process itself imports from there, as ``python -m ghostbust`` in a clone does.
    """
    if not {"", str(Path.cwd())} & set(sys.path):
        os.environ.setdefault(VARIABLE, _OURS)


def for_users_program() -> Mapping[str, str]:
    """The variables that undo it, for a program that the user's settings name."""
    return {VARIABLE: ""} if os.environ.get(VARIABLE) == _OURS else {}
