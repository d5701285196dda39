"""``ghostbust names``: what a person says of one name, and a look at the registry for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption, RevealOption
from ghostbust.cli.output import Output
from ghostbust.cli.settings import load_settings
from ghostbust.cli.stores import open_to_change, open_to_read
from ghostbust.shown import came_back, redact

if TYPE_CHECKING:
    from pathlib import Path

    from ghostbust.records import Ecosystem

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A name of the ledger: acme-core, @acme/ui, a purl.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept beside the decision.")]


def accept(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note that a name is invented indeed; nothing else changes."""
    _decide("accept", name, reason, home, as_json=as_json)


def ignore(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave a name out of the lists, unless they are asked for it."""
    _decide("ignore", name, reason, home, as_json=as_json)


def allow(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vouch for a name: `check` passes it over, and no round trains on it."""
    _decide("allow", name, reason, home, as_json=as_json)


def reopen(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the decision on a name back."""
    _decide("reopen", name, reason, home, as_json=as_json)


def look_up(
    name: NameArgument,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the live registry for an invented name now; one that is registered is an alarm.

    Exits with 1 if it is registered, with 3 if the registry gave no answer.
    """
    from ghostbust.loop import reviewing
    from ghostbust.loop.recheck import is_registered
    from ghostbust.records import Verdict

    output = Output(as_json=as_json)
    with open_to_change(home) as (place, store), reviewing.open_fresh_judge(place) as judge:
        settings = load_settings(config, place)
        lookup = reviewing.look_up(store, judge, settings, *_name(name))
    output.line(f"{lookup.name} ({lookup.ecosystem}): {lookup.verdict}, {lookup.evidence}")
    output.document({"lookup": lookup, "registered": is_registered(lookup)})
    if is_registered(lookup):
        raise typer.Exit(FINDINGS)
    if lookup.verdict is Verdict.UNKNOWN:
        raise typer.Exit(COULD_NOT_ASK)


def show(
    name: NameArgument,
    reveal: RevealOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a name: contexts, samples, repeats, alarm, decisions."""
    from ghostbust.errors import UsageError

    ecosystem, wanted = _name(name)
    output = Output(as_json=as_json)
    with open_to_read(home) as (_, store):
        known = store.name_pages.known(ecosystem, wanted, adapter=store.promotions.deployed())
    if known is None:
        raise UsageError(f"the ledger has no name {wanted!r} of {ecosystem}")
    one = known.name
    shown = one.name if reveal else redact(one.name)
    output.line(f"{shown} ({ecosystem}): {one.verdict}, {one.reason}")
    output.line(f"seen {one.times_seen} times, by {one.prompts} prompts")
    output.line(f"came back: {came_back(one)}")
    output.line(f"first {one.first_seen.isoformat()}, last {one.last_seen.isoformat()}")
    output.line(f"contexts: {', '.join(known.contexts)}")
    for review in known.reviews:
        output.line(f"{review.at.isoformat()} {review.decision}: {review.reason}")
    if known.alarm is not None:
        output.line(f"claimed {known.alarm.at.isoformat()}: {known.alarm.evidence}", "bold red")
    output.document(
        {
            "ecosystem": ecosystem,
            "name": shown,
            "verdict": one.verdict,
            "reason": one.reason,
            "times_seen": one.times_seen,
            "prompts": one.prompts,
            "contexts": list(known.contexts),
            "repeats": list(known.repeats),
            "first_seen": one.first_seen,
            "last_seen": one.last_seen,
            "claimed_at": one.claimed_at,
            "samples": [sample.sample_id for sample in known.samples],
            "reviews": [
                {"decision": r.decision, "reason": r.reason, "at": r.at} for r in known.reviews
            ],
        }
    )


def _decide(decision: str, name: str, reason: str, home: Path | None, *, as_json: bool) -> None:
    from ghostbust.loop.reviewing import decide
    from ghostbust.store import Decision

    ecosystem, wanted = _name(name)
    with open_to_change(home) as (_, store):
        said = decide(store, ecosystem, wanted, Decision(decision), reason)
    output = Output(as_json=as_json)
    output.line(f"{redact(wanted)}: {said}")
    output.document({"ecosystem": ecosystem, "decision": decision, "reason": reason})


def _name(text: str) -> tuple[Ecosystem, str]:
    from ghostbust.cli.names import ref_of
    from ghostbust.errors import UsageError

    ref = ref_of(text)
    if ref is None or ref.name is None:
        raise UsageError(f"{text!r} is no name in a registry")
    return ref.ecosystem, ref.name
