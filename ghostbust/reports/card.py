"""The model card of an exported adapter: the Hugging Face hub's metadata, and what the gates said.

Only what the store holds stands in it: an adapter that no gate measured has a card without figures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import ghostbust
from ghostbust.adapters import Manifest
from ghostbust.reports.document import Quoted, Report, ReportPart
from ghostbust.reports.subjects import GATES_SAY
from ghostbust.reports.tables import facts_table, gates_table, when
from ghostbust.reports.writers import as_markdown
from ghostbust.store.store import Store

KINDS: Final = {
    "peft": ("peft", "adapter"),
    "merged": ("transformers", "finetune"),
    "gguf-lora": (None, "adapter"),
}
"""format of an export: the library that loads it, None for no Python library, and its relation to
the base, in the hub's words"""
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def model_card(store: Store, manifest: Manifest, kind: str, now: datetime) -> str:
    """README.md of an export of the kind, one of `KINDS`."""
    row = store.rounds.adapter(manifest.name)
    gates = None if row is None else store.rounds.gate_report(row.round_id)
    verdict = "No gate measured it, so there is no figure here."
    if gates is not None:
        verdict = GATES_SAY.format(gates.verdict)
    # The path of a folder is private.
    of_hub = _is_of_the_hub(manifest.model)
    base = manifest.model if of_hub else Path(manifest.model).name
    facts: dict[str, object] = {
        "adapter": Quoted(manifest.name),
        "base": Quoted(base),
        "ghostbust, when it was trained": Quoted(manifest.version),
    }
    if row is not None:
        facts |= {
            "round": row.round_id,
            "method": Quoted(store.rounds.get(row.round_id).method),
            "trained": when(row.created),
            "steps": row.candidate.steps,
        }
    report = Report(
        title=manifest.name,
        badge=None,
        lead=(
            "Changes to a language model that make it name fewer packages which don't exist.",
            "The licence is that of the base, and so are its uses and limits.",
        ),
        parts=(
            ReportPart(
                "gates", "What the gates showed", (verdict,), (gates_table("gates", gates),)
            ),
            ReportPart("provenance", "Provenance", (), (facts_table("the adapter", facts),)),
        ),
        names=(),
        gates=() if gates is None else (gates,),
        made=now,
        version=ghostbust.__version__,
        revealed=False,
    )
    return "\n".join(_metadata(manifest, kind)) + "\n" + as_markdown(report)


def _metadata(manifest: Manifest, kind: str) -> Iterator[str]:
    """The block of YAML, in which a text of JSON is a text."""
    library, relation = KINDS[kind]
    yield "---"
    if _is_of_the_hub(manifest.model):
        yield f"base_model: {json.dumps(manifest.model)}"
        yield f"base_model_relation: {relation}"
    if library is not None:
        yield f"library_name: {library}"
    yield "tags:"
    lora = () if kind == "merged" else ("lora",)
    yield from (f"- {tag}" for tag in ("ghostbust", *lora, "package-hallucination", "unlearning"))
    yield "---"


def _is_of_the_hub(model: str) -> bool:
    """Whether a model's name is an owner and a name, and no folder of this machine."""
    return _HUB_ID.fullmatch(model) is not None and not Path(model).exists()
