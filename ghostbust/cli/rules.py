"""The rules under which SARIF logs and annotations report: one for each verdict and reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ghostbust.cli.findings import Finding
from ghostbust.records import Lookup, SuspectReason, Verdict
from ghostbust.shown import visible


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding."""

    verdict: Verdict
    reason: str
    title: str
    explanation: str
    level: Literal["error", "warning", "note"] = "error"

    @property
    def id(self) -> str:
        """Stable id, such as ``absent/not-registered``."""
        return f"{self.verdict.lower()}/{self.reason}"


_SUSPECT = {
    SuspectReason.PLACEHOLDER: "is registered to hold its name, and holds no package",
    SuspectReason.RESEARCH_SQUAT: "was registered by people who study invented names",
    SuspectReason.SECURITY_HOLDING: "is held by the registry or a company so that nobody else can",
    SuspectReason.QUARANTINED: "was quarantined by its registry",
    SuspectReason.NO_RELEASES: "is registered without any release",
    SuspectReason.DECOY: "stands in for another package",
    SuspectReason.YOUNGER_THAN_MODEL: "is younger than what the model can have learnt",
    SuspectReason.CLAIMED: "was invented first and registered afterwards: a likely slopsquat",
}
RULES: tuple[Rule, ...] = (
    Rule(
        Verdict.ABSENT,
        "not-registered",
        "Package doesn't exist",
        "The registry has no package of this name. Whoever registers it decides what gets"
        " installed.",
    ),
    Rule(
        Verdict.ABSENT,
        "invalid-name",
        "No possible package name",
        "The registry's rules forbid such a name, so there is no such package.",
    ),
    *(
        Rule(
            Verdict.SUSPECT,
            str(reason),
            f"Suspect package: {reason}",
            f"The registry has this name, but the package {said}.",
        )
        for reason, said in _SUSPECT.items()
    ),
    Rule(
        Verdict.UNKNOWN,
        "unreachable",
        "Registry gave no answer",
        "The registry gave no usable answer, so nothing is known of this name. Try again.",
        "warning",
    ),
    Rule(
        Verdict.UNKNOWN,
        "not-in-snapshot",
        "Not in the snapshot",
        "The snapshot isn't complete and doesn't have this name. Ask with --registry auto.",
        "warning",
    ),
    Rule(
        Verdict.UNKNOWN,
        "private-index",
        "Index that nobody trusts",
        "The public registry lacks this name, and the index that the text names instead wasn't"
        " asked. Set it in your own pip or npm configuration, or vouch for the name.",
        "warning",
    ),
)
_BY_VERDICT = {(rule.verdict, rule.reason): rule for rule in RULES}


def rule_of(lookup: Lookup) -> Rule | None:
    """The rule that a verdict falls under; None for what is nothing to report."""
    return _BY_VERDICT.get((lookup.verdict, lookup.reason))


def message(one: Finding) -> str:
    """One line for a person: which name, what of it, and what may have been meant."""
    lookup = one.lookup
    like = f"; nearest: {', '.join(one.nearest)}" if one.nearest else ""
    text = f"{lookup.ecosystem} package {lookup.name} is {lookup.verdict}: {lookup.evidence}{like}"
    return visible(text)
