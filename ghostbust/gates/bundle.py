"""The modules of ``inside``, compiled, as ``launcher`` takes them."""

from __future__ import annotations

import marshal
from functools import cache
from pathlib import Path

INSIDE = Path(__file__).with_name("inside")
EMPTY = ("ghostbust", "ghostbust.gates", "ghostbust.gates.inside")
"""packages that hold nothing else there, so that no more of ghostbust is loaded"""
MODULES = ("wire", "confine", "program", "judge")
"""each after those it imports"""


@cache
def bundle() -> bytes:
    """Names and code of the modules, packages first, behind their length in 8 bytes.

    For the interpreter that runs this, which is the one that ``launcher`` is started in.
    """
    sources = dict.fromkeys(EMPTY, "")
    for name in MODULES:
        sources[f"{EMPTY[-1]}.{name}"] = (INSIDE / f"{name}.py").read_text("utf-8")
    code = [
        (name, compile(source, name, "exec", dont_inherit=True)) for name, source in sources.items()
    ]
    data = marshal.dumps(code)
    return len(data).to_bytes(8, "little") + data
