"""A round as ``ghostbust round``, gated by its behaviour alone: rate and volume.

For benches: a model of random weights solves no coding task, so the gates on these never pass.

    python -m ghostbust.loop.trial.round --home HOME --holdout 20 --seed 3
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ghostbust.config import load_config
from ghostbust.errors import GhostbustError
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import Subject
from ghostbust.gates.tasks import CodingTask
from ghostbust.gates.volume import volume_gate
from ghostbust.home import Home
from ghostbust.loop.round import next_round
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Listener, Silence, SystemClock
from ghostbust.records import Answer, GateReport
from ghostbust.sections import GatesSection


def gate_behaviour(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],  # noqa: ARG001
    *,
    candidate: str,
    models: tuple[Subject, Subject],  # noqa: ARG001
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    seed: int,
    gated: int,  # noqa: ARG001
    listener: Listener,
) -> GateReport:
    """The gates on what the held-out answers name; none on what the model can do besides."""
    listener.begin("gate: hallucination and volume")
    low, high = limits.volume_low, limits.volume_high
    return GateReport(
        candidate,
        (
            rate_gate(*answers, min_drop=limits.min_drop, seed=seed),
            volume_gate(*answers, low=low, high=high, seed=seed),
        ),
    )


def main() -> None:
    """One round; exits with 1 and a line where it fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--holdout", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as `ghostbust round` does
    home = Home.open(told.home)
    try:
        config = load_config(home.config, home)
        with open_session(home, config, purpose="round", clock=SystemClock()) as session:
            next_round(
                session, told.holdout, told.seed, Silence(), gates=gate_behaviour, train_anyway=True
            )
    except GhostbustError as exc:
        sys.exit(f"trial round: {exc}")


if __name__ == "__main__":
    main()
