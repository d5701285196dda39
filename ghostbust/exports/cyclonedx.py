"""Registered names that the model recommends, as a CycloneDX 1.6 document.

A bill of materials lists what exists. So invented names that no registry has are never in it, also
not where all else reveals them: they have no package that a purl could stand for, and a scanner
that resolved one would ask for exactly the download that must not happen.

What fits: the real packages that answers named, as components; registered names that are no real
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
from ghostbust.records import Ecosystem, SuspectReason, Verdict, utc_now
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
    """The document. What can't be a package's name is left out."""
    claimed = {(one.ecosystem, one.name): one for one in alarms if _valid(one.ecosystem, one.name)}
    others = {
        (one.ecosystem, one.name): one for one in registered if _valid(one.ecosystem, one.name)
    }
    components = [_recommended(one) for key, one in others.items() if key not in claimed]
    components += [_claimed(one) for one in claimed.values()]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": uuid.uuid4().urn,
        "version": 1,
        "metadata": {
            "timestamp": made.isoformat(),
            "tools": {"components": [_tool()]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": "model",
                "name": ", ".join(models) or "none",
                "description": "The components are packages that its answers named; it holds none.",
            },
        },
        "components": components,
        "vulnerabilities": [_vulnerability(one) for one in claimed.values()],
    }


def _tool() -> dict[str, object]:
    return {"type": "application", "name": "ghostbust", "version": ghostbust.__version__}


def _recommended(one: RegisteredTally) -> dict[str, object]:
    told = {"verdict": str(one.verdict), "reason": one.reason, "answers": str(one.samples)}
    return _component(one.ecosystem, one.name, told)


def _claimed(one: Alarm) -> dict[str, object]:
    told = {"verdict": str(Verdict.SUSPECT), "reason": str(SuspectReason.CLAIMED)}
    return _component(one.ecosystem, one.name, told | {"answers": str(one.times_seen)})


def _component(ecosystem: Ecosystem, name: str, told: dict[str, str]) -> dict[str, object]:
    identity = purl(ecosystem, name)
    parsed = PackageURL.from_string(identity)
    group = {"group": parsed.namespace} if parsed.namespace else {}
    return {
        "type": "library",
        "bom-ref": identity,
        **group,
        "name": parsed.name,
        "purl": identity,
        "properties": [{"name": f"ghostbust:{key}", "value": value} for key, value in told.items()],
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


def _valid(ecosystem: Ecosystem, name: str) -> bool:
    return is_valid_name(ecosystem, name)
