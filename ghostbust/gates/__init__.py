"""Gates: what a candidate must prove, against the base, before it may serve.

Each measures one thing with a margin fixed beforehand and returns a ``GateResult``:
PASS, FAIL, or INCONCLUSIVE where the figures allow neither. They fail closed: not run,
out of time, too little data or a broken sandbox is INCONCLUSIVE, and only PASS promotes.
Gates know no store: models, answers and earlier results are passed in.

================  ==================================================================
module            measures
================  ==================================================================
hallucination     the rate of invented names on held-out prompts
volume            the real names per answer
faults            empty, malformed and looping answers
coding            pass@1 of completions, run in a sandbox
likelihood        the log-likelihood of right solutions
================  ==================================================================

The rules, with their figures, are in docs/concepts/gates.md.
"""

from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.faults import faults_gate
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.humaneval import find_humaneval, load_tasks
from ghostbust.gates.interface import Completer, Scorer, Subject, inconclusive
from ghostbust.gates.layers import (
    VERDICT,
    missing_layers,
    require_layers,
    sandbox_layers,
    unkept_promises,
)
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores
from ghostbust.gates.looks import Look, spent_alpha
from ghostbust.gates.mbpp import load_mbpp
from ghostbust.gates.sandbox import SandboxLimits
from ghostbust.gates.tasks import CodingTask
from ghostbust.gates.volume import volume_gate

__all__ = [
    "VERDICT",
    "CodingGate",
    "CodingTask",
    "Completer",
    "LikelihoodGate",
    "Look",
    "SandboxLimits",
    "Scorer",
    "Subject",
    "TaskResults",
    "TaskScores",
    "faults_gate",
    "find_humaneval",
    "inconclusive",
    "load_mbpp",
    "load_tasks",
    "missing_layers",
    "rate_gate",
    "require_layers",
    "sandbox_layers",
    "spent_alpha",
    "unkept_promises",
    "volume_gate",
]
