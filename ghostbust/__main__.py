"""The command line's door: ``ghostbust …`` and ``python -m ghostbust …``."""

import io
import logging
import os
import sys

from ghostbust.cli.app import app
from ghostbust.files import keep_folder_out

SPINS = 3000
"""turns that an idle thread of PyTorch waits before it sleeps. GNU's OpenMP spins for milliseconds,
as if every core were its own: beside one busy core of two a sweep took three times as long. This
number was found on two cores (docs/log.md, 2026-12-03)."""


def main() -> None:
    """Runs the command of ``sys.argv`` and exits with its code; see ``ghostbust.cli.edge``."""
    keep_folder_out()
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))  # read when torch is loaded
    # What libraries log, such as each retry, isn't for whoever reads a command's output.
    logging.getLogger().addHandler(logging.NullHandler())
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks is shown escaped instead of ending the run.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()
