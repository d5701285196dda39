"""``ghostbust daemon`` whose rounds are gated by their behaviour alone; for ``bench unattended``.

python -m ghostbust.cli.trial_daemon HOME HOLDOUT
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Runs as ``ghostbust daemon --home HOME`` does, with rounds of `loop/trial/round.py`."""
    from ghostbust.cli.daemon import assemble, redactor_of, serve
    from ghostbust.config import load_config
    from ghostbust.home import Home
    from ghostbust.operations.logs import log_to_stderr

    place, holdout = Home.open(Path(sys.argv[1])), sys.argv[2]
    settings = load_config(place.config, place)
    redactor = redactor_of(settings)
    command = [
        sys.executable, "-m", "ghostbust.loop.trial.round", "--home", str(place.path),
        "--holdout", holdout,
    ]  # fmt: skip
    log_to_stderr("text", redactor)
    serve(assemble(place, place.config, settings, redactor, command))


if __name__ == "__main__":
    main()
