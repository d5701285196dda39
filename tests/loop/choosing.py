"""What tests of discovery's choices share: rules, a model's sayings, and a choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ghostbust.loop.discovery.plan import Chosen, Rules, choose_prompts
from ghostbust.prompts import Task
from ghostbust.records import Prompt
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import ScriptedSampler

RULES = Rules(budget=20)


def one_ghost(prompt: Prompt) -> str:
    """Each prompt elicits one name that no registry has."""
    return f"```bash\npip install zz-ghost-{prompt.id}\n```"


def nothing(_: Prompt) -> str:
    return "I can't say."


WRITTEN = {
    "paraphrase": "Draw a chart of what {it} measured and collect hourly means.",
    "narrower": "Calibrate readings of {it} against a reference probe before midnight.",
    "broader": "Build a dashboard around {it} with alarms, exports and long-term storage.",
    "neighbour": "Summarise hourly blood pressure like {it} does for patients at home.",
}


def things(prompt: Prompt) -> str:
    """What the family's task is about."""
    n = prompt.family.removeprefix("task-")
    return f"sensor{n} under mast{n} beside quay{n}"


def choose(
    store: Store,
    tasks: Sequence[Task],
    rewriter: ScriptedSampler,
    rules: Rules = RULES,
    seed: int = 5,
) -> Chosen:
    return choose_prompts(store, tasks, rewriter, rules, seed)
