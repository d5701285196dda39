"""REVIEW: what a person says of an invented name, and a look at the registry for one name."""

from __future__ import annotations

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop.alarms import tell_alarms
from ghostbust.loop.recheck import note
from ghostbust.records import Ecosystem, Lookup
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.store import Decision, Store


def decide(store: Store, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> str:
    """Notes the decision with its reason; one line on what follows from it.

    Raises UsageError without a reason, StoreError for a name that isn't in the ledger.
    """
    if not reason.strip():
        raise UsageError("a decision needs a reason, which is kept")
    store.reviews.add(ecosystem, name, decision, reason.strip())
    return {
        Decision.ACCEPT: "noted as invented",
        Decision.IGNORE: "not listed any more, unless asked for",
        Decision.ALLOW: "allowed: checks pass it over, and no round trains on it",
        Decision.REOPEN: "open again",
    }[decision]


def open_fresh_judge(home: Home) -> Judge:
    """A judge that asks the live registries, whatever was answered a while ago. To be closed."""
    return default_judge(Mode.LIVE, cache=None, data_dir=home.registry, npm_project=home.path)


def look_up(store: Store, judge: Judge, config: Config, ecosystem: Ecosystem, name: str) -> Lookup:
    """What the live registry says of the name now; one that is registered is an alarm.

    Raises UsageError for a name that isn't in the ledger.
    """
    if not store.ledger.known(ecosystem, [name]):
        raise UsageError(f"the ledger has no name {name!r} of {ecosystem}")
    lookup = judge.names(ecosystem, [name])[name]
    note(store, judge, lookup)
    tell_alarms(store, config.alarm)
    return lookup
