"""``ghostbust registry``: the snapshots, what is asked, and how to get newer names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import load_settings, note_npmrc
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, help_if_bare
from ghostbust.cli.options import (
    AskedEcosystem,
    AsOfOption,
    ConfigOption,
    HomeOption,
    JsonOption,
    QuietOption,
    RevealOption,
)
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.sweep import measurement_table
from ghostbust.errors import DataError, SnapshotError, UsageError
from ghostbust.records import ASKED, Ecosystem, Verdict
from ghostbust.results import measurement_document
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.home import Home
    from ghostbust.loop.recheck import Rechecked, Rescored, VerdictChange
    from ghostbust.records import Lookup
    from ghostbust.registries.sync import Progress, Synced
    from ghostbust.registries.transport import Endpoint
    from ghostbust.store.names import Alarm


registry = typer.Typer(name="registry", help="The registries' names: snapshots and addresses.")

EcosystemOption = Annotated[
    AskedEcosystem, typer.Option("--ecosystem", help="Whose names they are.")
]


@registry.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    help_if_bare(context)


@registry.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the snapshots in use, verified, and the addresses that pip and npm ask.

    Exits with 2 if a snapshot is damaged.
    """
    output = Output(as_json=as_json)
    snapshots = [_snapshot_row(ecosystem, home) for ecosystem in ASKED]
    endpoints = list(_endpoint_rows(_noted_home(home).path))
    output.document({"snapshots": snapshots, "endpoints": endpoints})
    shown = table("snapshot", "date", "names", "complete", "bytes", "verified", "path")
    for row in snapshots:
        shown.add_row(*(cell(_said(row[key])) for key in _SNAPSHOT_COLUMNS))
    output.result.print(shown)
    shown = table("asked", "scope", "address", "from", "credentials")
    for row in endpoints:
        shown.add_row(*(cell(_said(value)) for value in row.values()))
    output.result.print(shown)
    if problems := [str(row["problem"]) for row in snapshots if row["problem"]]:
        raise SnapshotError("; ".join(problems))


@registry.command()
def build(
    name_list: Annotated[
        Path, typer.Argument(metavar="LIST", help="Names: .txt or .tsv, either also as .gz.")
    ],
    ecosystem: EcosystemOption,
    day: Annotated[
        datetime,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="When they were listed."
        ),
    ],
    complete: Annotated[
        bool, typer.Option("--complete", help="The registry held no other name on that day.")
    ] = False,
    summaries: Annotated[
        Path | None,
        typer.Option("--summaries", help="Summaries that tell suspects: name, class, summary."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write to.", show_default="HOME/registry"),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a snapshot from a list of names; in the home folder it is used from then on."""
    from ghostbust.registries.snapshot import Snapshot, build_snapshot, keep_snapshot
    from ghostbust.registries.suspects import read_names

    output = Output(as_json=as_json)
    if out is None:
        keep_snapshot(Ecosystem(ecosystem), _home_folder(home))
    path = build_snapshot(
        read_names(name_list, Ecosystem(ecosystem), summaries=summaries),
        ecosystem=Ecosystem(ecosystem),
        date=day.date(),
        complete=complete,
        out_dir=out or _home_folder(home),
    )
    made = Snapshot.load(path)
    output.document(_described(made.ecosystem, path, made.manifest.date, len(made), made.complete))
    output.line(f"built {path}: {len(made):,} {ecosystem} names of {made.date}")


@registry.command()
def sync(
    ecosystem: EcosystemOption = "pypi",
    complete: Annotated[
        bool,
        typer.Option("--complete", help="npm: what the list of names lacks is absent."),
    ] = False,
    names_package: Annotated[
        str | None,
        typer.Option(
            "--names-package",
            metavar="NAME",
            help="npm: the package that lists the names.",
            show_default="all-the-package-names",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch the names that a registry has now into the home folder, where they changed.

    PyPI's from the index that pip asks; npm's from a package that lists them, at the registry
    that npm asks. What is known of downloads and of suspect names stays. The snapshot that was
    in use is kept in a folder of its day.
    """
    from ghostbust.registries.live import open_client
    from ghostbust.registries.npm_config import NpmSettings
    from ghostbust.registries.pip_config import PipSettings
    from ghostbust.registries.sync import NAMES_PACKAGE, sync_npm, sync_pypi

    pypi = ecosystem == "pypi"
    if pypi and (complete or names_package is not None):
        raise UsageError("--complete and --names-package are for --ecosystem npm")
    output = Output(as_json=as_json, quiet=quiet)
    folder, today = _home_folder(home), datetime.now(UTC).date()
    package = names_package or NAMES_PACKAGE
    project = _noted_home(home).path
    at = PipSettings().index() if pypi else NpmSettings(project).endpoints().of(package)
    with (
        open_client(Ecosystem(ecosystem), at, npm_project=project) as client,
        _progress(output) as progress,
    ):
        if pypi:
            done = sync_pypi(client, at.url, folder, today=today, progress=progress)
        else:
            done = sync_npm(
                client, at.url, folder, package=package, complete=complete, today=today,
                progress=progress,
            )  # fmt: skip
    _report_sync(output, done)


def _report_sync(output: Output, done: Synced) -> None:
    made = done.snapshot
    output.document(
        {
            **_described(made.ecosystem, made.path, made.manifest.date, len(made), made.complete),
            "changed": done.changed,
            "added": done.added,
            "vanished": done.vanished,
            "skipped": done.skipped,
        }
    )
    news = f"{done.added:,} new, {done.vanished:,} gone" if done.changed else "nothing newer there"
    output.line(f"{made.path}: {len(made):,} names of {made.date}; {news}")


_SNAPSHOT_COLUMNS = ("ecosystem", "date", "names", "complete", "bytes", "verified", "path")


def _snapshot_row(ecosystem: Ecosystem, home: Path | None) -> dict[str, object]:
    """The snapshot in use, every hash checked; ``problem`` is None for a sound one."""
    from ghostbust.home import Home
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    path = find_snapshot(ecosystem, Home.find(home).registry)
    try:
        found = Snapshot.load(path)
        found.verify()
    except SnapshotError as exc:
        unknown = _described(ecosystem, path, None, None, None)
        return {**unknown, "bytes": None, "verified": False, "problem": str(exc)}
    told = found.manifest
    return {
        **_described(ecosystem, path, told.date, len(found), told.complete),
        "bytes": sum(int(file["bytes"]) for file in told.files.values()),
        "verified": True,
        "problem": None,
    }


def _described(
    ecosystem: Ecosystem, path: Path, day: str | None, names: int | None, complete: bool | None
) -> dict[str, object]:
    """What every command says of a snapshot."""
    return {
        "ecosystem": ecosystem,
        "date": day,
        "names": names,
        "complete": complete,
        "path": path,
    }


def _noted_home(home: Path | None) -> Home:
    """The home folder, whose ``.npmrc`` counts; the current folder's is only told of."""
    from ghostbust.home import Home

    place = Home.find(home)
    note_npmrc(place)
    return place


def _endpoint_rows(npm_project: Path) -> Iterator[dict[str, object]]:
    """Where each ecosystem is asked; credentials only as whether there are any."""
    from ghostbust.registries.npm_config import NpmSettings
    from ghostbust.registries.pip_config import PipSettings

    pip = PipSettings()
    for index in (pip.index(), *pip.extra_indexes()):
        yield _endpoint_row(Ecosystem.PYPI, None, index)
    npm = NpmSettings(npm_project).endpoints()
    yield _endpoint_row(Ecosystem.NPM, None, npm.default)
    for scope, endpoint in npm.scopes.items():
        yield _endpoint_row(Ecosystem.NPM, scope, endpoint)


def _endpoint_row(ecosystem: Ecosystem, scope: str | None, endpoint: Endpoint) -> dict[str, object]:
    return {
        "ecosystem": ecosystem,
        "scope": scope,
        "url": endpoint.url,
        "origin": endpoint.origin,
        "credentials": endpoint.authorization is not None,
    }


def _said(value: object) -> str:
    """A value as a table shows it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
    return str(value)


def _home_folder(home: Path | None) -> Path:
    """The home's folder of snapshots. Raises HomeError for a home that can't be written."""
    from ghostbust.home import Home

    return Home.open(home).registry


@contextmanager
def _progress(output: Output) -> Iterator[Progress]:
    """A progress bar of bytes on standard error; none where that is no terminal."""
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    shown = output.aside.is_terminal
    with Bar(*columns, console=output.aside, transient=True, disable=not shown) as bar:
        task = bar.add_task("names", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# --- registry_diff
# ``ghostbust registry diff``: what appeared and what vanished between two snapshots.


def diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="Day (YYYY-MM-DD) or path of a snapshot.")
    ],
    new: Annotated[
        str | None,
        typer.Argument(metavar="[NEW]", help="The same.", show_default="the one in use"),
    ] = None,
    ecosystem: EcosystemOption = "pypi",
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="List so many of each at most.")
    ] = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which names appeared, and which vanished, from one snapshot to another."""
    from ghostbust.home import Home
    from ghostbust.registries.snapshot import Snapshot, appeared, find_snapshot, named_snapshot

    output = Output(as_json=as_json)
    folder, whose = Home.find(home).registry, Ecosystem(ecosystem)
    before = named_snapshot(old, whose, folder)
    after = (
        Snapshot.load(find_snapshot(whose, folder))
        if new is None
        else named_snapshot(new, whose, folder)
    )
    if not (before.complete and after.complete):
        output.note("not both are complete: a name that one lacks needn't have been absent")
    if before.ecosystem is not after.ecosystem:
        raise UsageError(f"{old} is of {before.ecosystem}, {new} of {after.ecosystem}")
    came, gone = sorted(appeared(before, after)), sorted(appeared(after, before))
    output.document(
        {
            "ecosystem": ecosystem,
            "old": before.manifest.date,
            "new": after.manifest.date,
            "appeared": len(came),
            "vanished": len(gone),
            "appeared_names": came[:limit],
            "vanished_names": [name if reveal else redact(name) for name in gone[:limit]],
        }
    )
    output.line(f"{before.date} to {after.date}: {len(came):,} appeared, {len(gone):,} vanished")
    for name in islice(came, limit):
        output.line(f"+ {name}")
    for name in islice(gone, limit):
        # Free to register now, by anybody.
        output.line(f"- {name if reveal else redact(name)}")


# --- registry_imports
# ``ghostbust registry imports``: the table by which imports are mapped, from metadata at hand.


def imports(
    wheels: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[WHEEL]...", help="Wheels to read.", show_default=False),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Also what this interpreter has installed.")
    ] = False,
    site: Annotated[
        list[Path] | None,
        typer.Option("--site", help="Also what is installed in this folder; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Table to extend; made if it isn't there. Else only shown."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which distribution provides which module, from wheels and installed metadata.

    Asks nobody. Of several providers the most downloaded one is taken, the others are noted.
    """
    if not wheels and not installed and not site:
        raise UsageError("nothing to read: give wheels, --installed or --site FOLDER")
    from ghostbust.files import SHARED, write_whole
    from ghostbust.home import Home
    from ghostbust.registries.import_names import (
        extended,
        facts_of_installed,
        facts_of_wheel,
        import_rows,
        read_table,
        table_text,
    )
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    facts = [fact for wheel in wheels or () for fact in facts_of_wheel(wheel)]
    facts += facts_of_installed() if installed else []
    facts += facts_of_installed(site) if site else []
    snapshot = Snapshot.load(find_snapshot(Ecosystem.PYPI, Home.find(home).registry))
    made = import_rows(facts, snapshot, datetime.now(UTC).date())
    before = read_table(out) if out else []
    rows = extended(before, made)
    if out:
        write_whole(out, table_text(rows), mode=SHARED, error=DataError)
    output = Output(as_json=as_json)
    output.document({"facts": len(facts), "before": len(before), "rows": rows, "path": out})
    shown = table("module", "distribution", "version", "source", "read", "note")
    for row in rows:
        shown.add_row(
            cell(row.module), cell(row.distribution or "(shared)"), cell(row.version),
            cell(row.source), cell(row.day), cell(row.note),
        )  # fmt: skip
    output.result.print(shown)


# --- registry_recheck
# ``ghostbust registry recheck``: which invented names has somebody registered since?


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
    from ghostbust.registries.live import NEGATIVE_TTL

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


# --- registry_rescore
# ``ghostbust registry rescore``: a past run's figures by the snapshots of another day.

SHOWN = 15
"""changes in the table; all of them are in the JSON"""


def rescore(
    run: Annotated[int, typer.Argument(metavar="RUN", help="The run's number.")],
    as_of: AsOfOption = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a past run's names again by the snapshots of another day; the log stays as it is.

    Asks nobody. Shows rate and volume as judged then and now, and the verdicts that changed.
    """
    from ghostbust.home import Home
    from ghostbust.loop.recheck import rescore as score
    from ghostbust.models.load import known_cutoff
    from ghostbust.registries.judge import Mode, default_judge
    from ghostbust.store.store import Store

    output = Output(as_json=as_json)
    place = Home.find(home)
    if not place.database.is_file():
        raise UsageError(f"{place.database}: there is no database, so there are no runs")
    with Store.open(place.database, read_only=True) as store:
        found = store.runs.get(run)
        cutoff = load_settings(config, place).model.cutoff or known_cutoff(found.spec.model)
        with default_judge(
            Mode.SNAPSHOT,
            data_dir=place.registry,
            as_of=None if as_of is None else as_of.date(),
            cutoff=cutoff,
        ) as judge:
            done, dates = score(store, run, judge), judge.dates
    _note(output, done)
    output.document(
        {
            "run": run,
            "model": found.spec.model,
            "adapter": found.spec.adapter,
            "cutoff": cutoff,
            "snapshots_then": found.spec.snapshots,
            "snapshots_now": dates,
            "then": measurement_document(done.then),
            "now": measurement_document(done.now),
            "left_out": done.left_out,
            "only_live": done.only_live,
            "changed": [_change(change, reveal) for change in done.changes],
        }
    )
    days = ", ".join(f"{ecosystem} {day}" for ecosystem, day in dates.items())
    output.line(f"run {run} of {found.spec.model}, now by the snapshots {days}")
    output.result.print(measurement_table({"then": done.then, "now": done.now}))
    if done.changes:
        rows = table("changed", "then", "now", "answers", title=f"{len(done.changes)} changed")
        for change in done.changes[:SHOWN]:
            rows.add_row(
                cell(_shown(change, reveal)), cell(_verdict_text(change.then)),
                cell(_verdict_text(change.now)),
                cell(change.answers),
            )  # fmt: skip
        output.result.print(rows)


def _note(output: Output, done: Rescored) -> None:
    """What the figures can't hold, said plainly."""
    if done.left_out:
        output.note(
            f"{done.left_out} answers are in neither figure: the texts of private prompts and of"
            " the answers to them weren't kept"
        )
    if done.only_live:
        output.note(
            f"{done.only_live} names were SUSPECT by what a live registry told of their first"
            " release, their files or a quarantine; that isn't stored, and no snapshot holds it"
        )


def _change(change: VerdictChange, reveal: bool) -> dict[str, object]:
    return {
        "ecosystem": change.now.ecosystem,
        "name": _shown(change, reveal),
        "then": _verdict(change.then),
        "now": _verdict(change.now),
        "answers": change.answers,
    }


def _verdict(lookup: Lookup) -> dict[str, object]:
    return {"verdict": lookup.verdict, "reason": lookup.reason, "source": lookup.source}


def _verdict_text(lookup: Lookup) -> str:
    return f"{lookup.verdict} {lookup.reason} ({lookup.source})"


def _shown(change: VerdictChange, reveal: bool) -> str:
    """The name; shortened where neither day's verdict says that somebody has registered it."""
    name = change.now.name
    free = {change.then.verdict, change.now.verdict} <= {Verdict.ABSENT, Verdict.UNKNOWN}
    return redact(name) if free and not reveal else name
