"""A person's decisions on adapters and names: the dashboard's only writes.

Each opens the store for as long as it takes, and returns one line on the outcome. If it can't be
made, it raises GhostbustError, one line, and changes nothing. ``config`` is what the dashboard was
started with: no settings are read here.
"""

from __future__ import annotations

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop import promote, recheck
from ghostbust.loop.publish import make_publishing
from ghostbust.records import Ecosystem
from ghostbust.store.connection import need_database
from ghostbust.store.names import Decision
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from ghostbust.text import redact


def approve(home: Home, name: str, reason: str, *, config: Config) -> str:
    """Lets an adapter serve. Raises UsageError if its round doesn't wait for approval."""
    with _store(home) as store:
        row = store.rounds.adapter(name)
        state = None if row is None else store.rounds.get(row.round_id).state
        if row is None or state is not RoundState.WAITING:
            raise UsageError(f"{name} doesn't wait for approval: its round is {state or 'gone'}")
        report = store.rounds.gate_report(row.round_id)
        publishing = make_publishing(config, home, store)
        promotion = promote.promote(store, home, name, report, reason, publishing)
    return f"{name} serves now, before it {promotion.previous or 'the base'}"


def roll_back(home: Home, deployed: str, reason: str, *, config: Config) -> str:
    """Lets what served before ``deployed`` serve again.

    ``deployed`` is what the person saw: raises UsageError if another one serves by now.
    """
    with _store(home) as store:
        serving = store.promotions.deployed()
        if serving != deployed:
            raise UsageError(f"{serving or 'the base'} serves by now; look again")
        promotion = promote.roll_back(store, home, reason, make_publishing(config, home, store))
    return f"{promotion.adapter or 'the base'} serves now, before it {deployed}"


def reject(home: Home, name: str, reason: str) -> str:
    """Rejects an adapter. Raises UsageError if its round doesn't wait for approval."""
    with _store(home) as store:
        promote.reject(store, name, reason)
    return f"{name} is rejected"


def review(home: Home, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> str:
    """Stores what the person decides about an invented name."""
    with _store(home) as store:
        return f"{redact(name)}: {recheck.decide(store, ecosystem, name, decision, reason)}"


def look_up(home: Home, ecosystem: Ecosystem, name: str, *, config: Config) -> str:
    """Asks the live registry for the name now; a name that is registered raises an alarm."""
    with _store(home) as store, recheck.open_fresh_judge(home) as judge:
        lookup = recheck.look_up(store, judge, config, ecosystem, name)
    return f"{redact(name)}: {lookup.verdict}, {lookup.reason}"


def _store(home: Home) -> Store:
    need_database(home.database)  # a decision makes none
    return Store.open(home.database)
