"""``ghostbust registry recheck``: which invented names has somebody registered since?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption, QuietOption
from ghostbust.cli.output import Output
from ghostbust.cli.settings import load_settings

if TYPE_CHECKING:
    from ghostbust.loop.recheck import Rechecked
    from ghostbust.store import Alarm


def recheck(
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Ask for so many names at most.")
    ] = 500,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look invented names up again, live; one that is registered now is claimed: an alarm.

    Exits with 1 if a name was claimed, else with 3 if one could not be asked for. Names that
    were asked for in the last hours aren't due yet.
    """
    from ghostbust.config import override
    from ghostbust.home import Home
    from ghostbust.loop.recheck import recheck_due
    from ghostbust.loop.session import open_beside
    from ghostbust.records import utc_now
    from ghostbust.registries.asking import NEGATIVE_TTL

    output = Output(as_json=as_json, quiet=quiet)
    place = Home.open(home)
    settings = override(load_settings(config, place), registry__mode="live")
    with open_beside(place, settings, purpose="recheck", lock=place.recheck_lock) as session:
        # An older answer isn't taken from the cache, a younger one would be.
        before = utc_now() - NEGATIVE_TTL - timedelta(seconds=1)
        done = recheck_due(session, before=before, most=limit)
        names = {(lookup.ecosystem, lookup.name) for lookup in done.claimed}
        alarms = [a for a in session.store.alarms.recent(limit) if (a.ecosystem, a.name) in names]
    _report(output, done, alarms)
    if done.claimed:
        raise typer.Exit(FINDINGS)
    if done.unknown:
        raise typer.Exit(COULD_NOT_ASK)


def _report(output: Output, done: Rechecked, alarms: list[Alarm]) -> None:
    from ghostbust.loop.alarms import described

    output.document(
        {
            "asked": len(done.verdicts),
            "claimed": [described(alarm) for alarm in alarms],
            "unknown": len(done.unknown),
            "told": done.told,
        }
    )
    for alarm in alarms:
        first = f"{alarm.first_released:%Y-%m-%d}" if alarm.first_released else "not told"
        output.line(
            f"claimed: {alarm.name} ({alarm.ecosystem}), first released: {first},"
            f" by: {alarm.uploader or 'not told'}; {alarm.evidence}"
        )
    output.line(
        f"{len(done.verdicts)} names, {len(alarms)} claimed, {len(done.unknown)} could not be asked"
    )
