"""The invented names as JSON lines or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ghostbust.adapters import name_key
from ghostbust.registries.names import is_valid_name, purl
from ghostbust.store.store import Store
from ghostbust.text import no_formula, redact


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One invented name."""

    key: str
    """hash of registry and name (``adapters.name_key``): the same in every export"""
    ecosystem: str
    name: str
    """shortened unless the export reveals it"""
    purl: str | None
    """None unless the export reveals the name, and if no package can have such a name"""
    verdict: str
    reason: str
    times_seen: int
    """samples that named it"""
    prompts: int
    """distinct prompts that elicited it"""
    contexts: tuple[str, ...]
    """in which it was invented, sorted"""
    first_seen: str
    """ISO 8601, UTC, as all times here"""
    last_seen: str
    claimed_at: str | None
    """when a recheck found it registered; None until then"""


def ledger_rows(store: Store, *, reveal: bool) -> Iterator[LedgerRow]:
    """Every name of the ledger, the most seen first."""
    contexts = store.tallies.contexts()
    for one in store.ledger.hallucinations(limit=-1):
        whole = reveal and is_valid_name(one.ecosystem, one.name)
        yield LedgerRow(
            key=name_key(one.ecosystem, one.name),
            ecosystem=str(one.ecosystem),
            name=one.name if reveal else redact(one.name),
            purl=purl(one.ecosystem, one.name) if whole else None,
            verdict=str(one.verdict),
            reason=one.reason,
            times_seen=one.times_seen,
            prompts=one.prompts,
            contexts=contexts.get((one.ecosystem, one.name), ()),
            first_seen=one.first_seen.isoformat(),
            last_seen=one.last_seen.isoformat(),
            claimed_at=None if one.claimed_at is None else one.claimed_at.isoformat(),
        )


def write_jsonl(store: Store, out: Path, *, reveal: bool) -> None:
    """One JSON object a line, in plain ASCII."""
    with out.open("w", encoding="ascii") as file:
        for row in ledger_rows(store, reveal=reveal):
            file.write(json.dumps(asdict(row)) + "\n")


def write_csv(store: Store, out: Path, *, reveal: bool) -> None:
    """A table with a header. An apostrophe stands in front of what a spreadsheet would compute."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(LedgerRow.__dataclass_fields__)
        for row in ledger_rows(store, reveal=reveal):
            values = asdict(row) | {"contexts": " ".join(row.contexts)}
            writer.writerow(no_formula(v) if isinstance(v, str) else v for v in values.values())
