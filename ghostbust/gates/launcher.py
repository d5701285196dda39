"""Starts the judge of one program in the sandbox. Never imported: ``sandbox`` runs it.

A short file, since Python compiles a script anew each time; what it imports is compiled once.
"""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])
from inside import judge  # noqa: E402

del sys.path[0]
judge.main()
