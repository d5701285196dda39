"""The command line's door: ``ghostbust …`` and ``python -m ghostbust …``."""

import io
import logging
import sys

from ghostbust.cli.app import app
from ghostbust.files import keep_folder_out


def main() -> None:
    """Runs the command of ``sys.argv`` and exits with its code; see ``ghostbust.cli.edge``."""
    keep_folder_out()
    # What libraries log, such as each retry, isn't for whoever reads a command's output.
    logging.getLogger().addHandler(logging.NullHandler())
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks is shown escaped instead of ending the run.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()
