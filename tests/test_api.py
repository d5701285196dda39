"""What `import ghostbust` offers: light, lazy, and the records of the loop."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ghostbust
from ghostbust.records import Ecosystem, Verdict

LIGHT = """
import sys
import ghostbust
heavy = {"torch", "transformers", "peft", "numpy", "scipy", "pydantic", "httpx", "typer"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert "sweep" in dir(ghostbust)
ghostbust.check("requests", *ghostbust.extract("pip install flask"), registry="snapshot")
assert not {"torch", "transformers", "peft"} & set(sys.modules)
"""


def test_importing_and_checking_load_no_model_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_everything_offered_is_there_and_nothing_else() -> None:
    assert all(callable(getattr(ghostbust, name)) for name in ghostbust.__all__[1:])
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ghostbust.nothing


def test_verdicts_come_in_the_order_of_the_packages() -> None:
    refs = ghostbust.extract("pip install zz-quux-sensorlib")
    found = ghostbust.check("Requests", *refs, "requests", registry="snapshot")
    assert [(one.name, one.verdict) for one in found] == [
        ("requests", Verdict.REAL),
        ("zz-quux-sensorlib", Verdict.ABSENT),
        ("requests", Verdict.REAL),
    ]


def test_names_belong_to_the_ecosystem_that_is_given() -> None:
    (found,) = ghostbust.check("left-pad", ecosystem="npm", registry="snapshot")
    assert (found.ecosystem, found.verdict) == (Ecosystem.NPM, Verdict.REAL)
    assert ghostbust.check() == []
