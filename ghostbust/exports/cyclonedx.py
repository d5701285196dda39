"""Registered names that the model recommends, as a CycloneDX 1.6 document.

A bill of materials lists what exists. So invented names that no registry has are never in it, not
even where other exports reveal them: no package stands behind their purl, and a scanner that
resolved one would ask for exactly the download that must not happen.

In it are the real packages that answers named, as components; registered names that are no real
recommendation (SUSPECT) with their reason; and, as vulnerabilities in triage (VEX), the *claimed*
names: invented first and registered since. A tool that holds an inventory, such as
Dependency-Track, then says where one of them has been installed already.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from packageurl import PackageURL

import ghostbust
from ghostbust.adapters import name_key
from ghostbust.records import SuspectReason, Verdict, utc_now
from ghostbust.registries.names import is_valid_name, purl
from ghostbust.store.names import Alarm
from ghostbust.store.store import Store
from ghostbust.store.tallies import RegisteredTally

SPEC: Final = "1.6"
INSUFFICIENTLY_TRUSTWORTHY: Final = 1357
"""CWE: Reliance on Insufficiently Trustworthy Component"""


def write_cyclonedx(store: Store, out: Path) -> None:
    """The document as JSON, in plain ASCII."""
    models = sorted({run.spec.model for run in store.runs.recent(-1)})
    found = bom(store.tallies.registered(), store.alarms.recent(-1), models, utc_now())
    out.write_text(json.dumps(found, indent=2) + "\n", "ascii")


def bom(
    registered: Sequence[RegisteredTally],
    alarms: Sequence[Alarm],
    models: Sequence[str],
    made: datetime,
) -> dict[str, object]:
    """The document. Names that no package can have are left out."""
    claimed = {(a.ecosystem, a.name): a for a in alarms if is_valid_name(a.ecosystem, a.name)}
    components = {
        (one.ecosystem, one.name): _component(one, one.verdict, one.reason, one.samples)
        for one in registered
        if (one.ecosystem, one.name) not in claimed and is_valid_name(one.ecosystem, one.name)
    }
    for key, alarm in claimed.items():
        components[key] = _component(
            alarm, Verdict.SUSPECT, SuspectReason.CLAIMED, alarm.times_seen
        )
    tool = {"type": "application", "name": "ghostbust", "version": ghostbust.__version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": uuid.uuid4().urn,
        "version": 1,
        "metadata": {
            "timestamp": made.isoformat(),
            "tools": {"components": [tool]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": "model",
                "name": ", ".join(models) or "none",
                "description": "The components are packages that its answers named; it holds none.",
            },
        },
        "components": list(components.values()),
        "vulnerabilities": [_vulnerability(one) for one in claimed.values()],
    }


def _component(
    one: RegisteredTally | Alarm, verdict: Verdict, reason: str, answers: int
) -> dict[str, object]:
    identity = purl(one.ecosystem, one.name)
    parsed = PackageURL.from_string(identity)
    facts = {"verdict": verdict, "reason": reason, "answers": answers}
    return {
        "type": "library",
        "bom-ref": identity,
        **({"group": parsed.namespace} if parsed.namespace else {}),
        "name": parsed.name,
        "purl": identity,
        "properties": [{"name": f"ghostbust:{k}", "value": str(v)} for k, v in facts.items()],
    }


def _vulnerability(one: Alarm) -> dict[str, object]:
    key = name_key(one.ecosystem, one.name)
    released = one.first_released
    return {
        "bom-ref": f"claimed-{key}",
        "id": f"GHOSTBUST-CLAIMED-{key}",
        "source": {"name": "ghostbust"},
        "cwes": [INSUFFICIENTLY_TRUSTWORTHY],
        "description": (
            "A code model invented this name before anybody had registered it; it has been"
            " registered since: a likely slopsquat. Don't install it before somebody has looked."
        ),
        "detail": (
            f"Named by {one.times_seen} answers; found registered {one.at.isoformat()}; first"
            f" release: {'not known' if released is None else released.isoformat()}."
        ),
        "created": one.at.isoformat(),
        "affects": [{"ref": purl(one.ecosystem, one.name)}],
        "analysis": {
            "state": "in_triage",
            "detail": "Only the name is known to be dangerous: nobody has read the package.",
        },
    }
