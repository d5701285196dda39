"""Which children import from the current folder: none of ours, only programs of the settings.

Python puts the current folder first on the path of whatever is started with ``-m`` or ``-c``, as
worker processes and helpers of the standard library are: a ``json.py`` there would be run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "PYTHONSAFEPATH"
_OURS: Final = "ghostbust"
"""any text switches it on; this one says that it was `keep_folder_out`"""


def keep_folder_out() -> None:
    """Has Python processes started from here leave the current folder out of their path.

    Not where this process itself imports from there, as ``python -m ghostbust`` in a clone does.
    """
    if not {"", str(Path.cwd())} & set(sys.path):
        os.environ.setdefault(VARIABLE, _OURS)


def for_users_program() -> Mapping[str, str]:
    """The variables that take it back, for a program that the user's settings name."""
    return {VARIABLE: ""} if os.environ.get(VARIABLE) == _OURS else {}
