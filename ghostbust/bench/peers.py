"""Public programs that do a part of the same work, each with the script that times it.

They are run in an interpreter of their own, which the user names: ghostbust needs none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_TIMED = """
import json, time
from importlib.metadata import version
def quickest(work):
    took = []
    for _ in range(5):
        begun = time.process_time()
        found = work()
        took.append(time.process_time() - begun)
    return min(took), found
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """One program, and how it is timed on one kind of input."""

    name: str
    reads: Literal["answers", "requirements"]
    script: str


PEERS = (
    Peer(
        "garak",
        "answers",
        _TIMED
        + """
from garak.detectors.packagehallucination import PythonPypi
answers = json.load(open("answers.json"))
read = PythonPypi._extract_package_references
print(json.dumps([version("garak"), *quickest(lambda: sum(len(read(None, a)) for a in answers))]))
""",
    ),
    Peer(
        "slopcheck",
        "requirements",
        _TIMED
        + """
from pathlib import Path
from slopcheck.parsers import parse_requirements_txt
path = Path("requirements.txt")
print(json.dumps([version("slopcheck"), *quickest(lambda: len(parse_requirements_txt(path)))]))
""",
    ),
)
"""garak's detector finds imports of Python only; slopcheck's parser reads the file each time"""
