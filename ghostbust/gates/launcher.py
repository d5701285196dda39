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
    exec(code, module.__dict__)  # noqa: S102
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
module.main()  # the last one is the judge
