"""Starts the judge of one program in the sandbox. Never imported: ``sandbox`` runs it.

Standard input begins with the compiled modules of ``inside`` (``bundle``), behind their
length in 8 bytes. So nothing is compiled anew for each program, wherever ghostbust lies and
whether or not Python may keep its bytecode there, and none of its folders need be readable.
"""

import marshal
import sys

with open(0, "rb", buffering=0, closefd=False) as job:
    modules = marshal.loads(job.read(int.from_bytes(job.read(8), "little")))  # noqa: S302 - our own
for name, code in modules:
    module = sys.modules[name] = type(sys)(name)
    module.__package__ = "inside"
    if name == "inside":
        module.__path__ = []
    exec(code, module.__dict__)  # noqa: S102
    setattr(sys.modules["inside"], name.rpartition(".")[2], module)
sys.modules["inside.judge"].main()
