"""The modules of ``inside``, compiled, as ``launcher`` takes them."""

from __future__ import annotations

import marshal
from functools import cache
from pathlib import Path

INSIDE = Path(__file__).with_name("inside")
MODULES = ("wire", "confine", "program", "judge")
"""each after those it imports"""


@cache
def bundle() -> bytes:
    """Names and code of the modules, the package first, behind their length in 8 bytes.

    For the interpreter that runs this, which is the one that ``launcher`` is started in.
    """
    files = {"inside": INSIDE / "__init__.py"}
    files |= {f"inside.{name}": INSIDE / f"{name}.py" for name in MODULES}
    code = [
        (name, compile(file.read_text("utf-8"), name, "exec", dont_inherit=True))
        for name, file in files.items()
    ]
    data = marshal.dumps(code)
    return len(data).to_bytes(8, "little") + data
