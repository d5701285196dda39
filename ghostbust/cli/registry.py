"""``ghostbust registry``: the snapshots, what is asked, how to get newer names, and past verdicts
judged again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import Invocation, invoked_with, note_npmrc
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, command_group
from ghostbust.cli.options import AskedEcosystem, AsOfOption, RevealOption, day_option
from ghostbust.cli.output import Output
from ghostbust.cli.sweep import print_measurements
from ghostbust.errors import ConfigError, DataError, SnapshotError, UsageError
from ghostbust.files import SHARED, write_whole
from ghostbust.records import ASKED, PROMPTED, Ecosystem, Verdict
from ghostbust.results import measurement_document
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.loop.recheck import VerdictChange
    from ghostbust.records import Lookup
    from ghostbust.registries.endpoints import Endpoint
    from ghostbust.registries.sync import Progress


registry = command_group("registry", "The registries' names: snapshots and addresses.")

NamesOfOption = Annotated[AskedEcosystem, typer.Option("--ecosystem", help="Whose names they are.")]
_SNAPSHOT_COLUMNS = ("ecosystem", "date", "names", "complete", "bytes", "verified", "path")
_SHOWN = 15
"""changes in the table; all of them are in the JSON"""


@registry.command()
@invoked_with("home", "as_json")
def status(cli: Invocation) -> None:
    """Show the snapshots in use, verified, and the addresses that pip, npm and cargo ask.

    Exits with 2 if a snapshot is damaged.
    """
    from ghostbust.registries.snapshot import find_snapshot

    snapshots = [
        _snapshot_row(ecosystem, cli.home.registry)
        for ecosystem in ASKED
        if ecosystem in PROMPTED or find_snapshot(ecosystem, cli.home.registry).is_file()
    ]
    note_npmrc(cli.home)
    endpoints = list(_endpoint_rows(cli.home.path))
    cli.output.document({"snapshots": snapshots, "endpoints": endpoints})
    cli.output.table(
        ("snapshot", *_SNAPSHOT_COLUMNS[1:]),
        ([_readable(row[key]) for key in _SNAPSHOT_COLUMNS] for row in snapshots),
    )
    cli.output.table(
        ("asked", "scope", "address", "from", "credentials"),
        (map(_readable, row.values()) for row in endpoints),
    )
    if problems := [str(row["problem"]) for row in snapshots if row["problem"]]:
        raise SnapshotError("; ".join(problems))


def _snapshot_row(ecosystem: Ecosystem, folder: Path) -> dict[str, object]:
    """The snapshot in use, every hash checked; ``problem`` is None for a sound one."""
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    path = find_snapshot(ecosystem, folder)
    try:
        found = Snapshot.load(path)
        found.verify()
    except SnapshotError as exc:
        unknown = _described(ecosystem, path, None, None, None)
        return {**unknown, "bytes": None, "verified": False, "problem": str(exc)}
    manifest = found.manifest
    return {
        **_described(ecosystem, path, manifest.date, len(found), manifest.complete),
        "bytes": sum(int(file["bytes"]) for file in manifest.files.values()),
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


def _endpoint_rows(npm_project: Path) -> Iterator[dict[str, object]]:
    """Where each ecosystem is asked; credentials only as whether there are any."""
    from ghostbust.registries.cargo_config import CargoSettings
    from ghostbust.registries.npm_config import NpmSettings
    from ghostbust.registries.pip_config import PipSettings

    pip = PipSettings()
    npm = NpmSettings(npm_project).endpoints()
    asked: list[tuple[Ecosystem, str | None, Endpoint]] = [
        *((Ecosystem.PYPI, None, index) for index in (pip.index(), *pip.extra_indexes())),
        (Ecosystem.NPM, None, npm.default),
        *((Ecosystem.NPM, scope, endpoint) for scope, endpoint in npm.scopes.items()),
    ]
    with suppress(ConfigError):  # no index that can be asked: its names are unknown
        asked.append((Ecosystem.CARGO, None, CargoSettings(npm_project).index()))
    for ecosystem, scope, endpoint in asked:
        yield {
            "ecosystem": ecosystem,
            "scope": scope,
            "url": endpoint.url,
            "origin": endpoint.origin,
            "credentials": endpoint.authorization is not None,
        }


def _readable(value: object) -> object:
    """A value as a table shows it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
    return value


@registry.command()
@invoked_with("home", "as_json")
def build(
    cli: Invocation,
    name_list: Annotated[
        Path, typer.Argument(metavar="LIST", help="Names: .txt or .tsv, either also as .gz.")
    ],
    ecosystem: NamesOfOption,
    day: Annotated[date, day_option("--date", help="When they were listed.")],
    complete: Annotated[
        bool, typer.Option("--complete", help="The registry held no other name on that day.")
    ] = False,
    summaries: Annotated[
        Path | None,
        typer.Option("--summaries", help="Summaries that tell suspects: name, class, summary."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder to write to.", show_default="HOME/registry"
        ),
    ] = None,
) -> None:
    """Build a snapshot from a list of names; in the home folder it is used from then on."""
    from ghostbust.registries.snapshot import Snapshot, build_snapshot, keep_snapshot
    from ghostbust.registries.suspects import read_names

    whose = Ecosystem(ecosystem)
    if out is None:
        out = cli.make_home().registry
        keep_snapshot(whose, out)
    path = build_snapshot(
        read_names(name_list, whose, summaries=summaries),
        ecosystem=whose,
        date=day,
        complete=complete,
        out_dir=out,
    )
    made = Snapshot.load(path)
    cli.output.document(
        _described(made.ecosystem, path, made.manifest.date, len(made), made.complete)
    )
    cli.output.line(f"built {path}: {len(made):,} {ecosystem} names of {made.date}")


@registry.command()
@invoked_with("home", "as_json", "quiet")
def sync(
    cli: Invocation,
    ecosystem: NamesOfOption = "pypi",
    names_package: Annotated[
        str | None,
        typer.Option(
            "--names-package",
            metavar="NAME",
            help="npm: the package that lists the names.",
            show_default="all-the-package-names",
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="ADDRESS",
            help="cargo: an archive (.tar.gz) of the index's git repository.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch the names that a registry has now into the home folder, where they changed.

    PyPI's from the index that pip asks; npm's from a package that lists them, at the registry
    that npm asks: what that list lacks isn't absent, but asked live, or UNKNOWN; those of crates
    from an archive of their index, whose address is given. What is known of downloads and of
    suspect names stays. The snapshot that was in use is kept in a folder of its day.
    """
    from ghostbust.registries.endpoints import endpoint
    from ghostbust.registries.live import open_client
    from ghostbust.registries.npm_config import NpmSettings
    from ghostbust.registries.pip_config import PipSettings
    from ghostbust.registries.sync import (
        NAMES_PACKAGE,
        OLD_AFTER,
        sync_crates,
        sync_npm,
        sync_pypi,
    )

    pypi = ecosystem == "pypi"
    if (ecosystem == "cargo") is (index is None):
        raise UsageError("--ecosystem cargo needs --index ADDRESS, which no other takes")
    if ecosystem != "npm" and names_package is not None:
        raise UsageError("--names-package is for --ecosystem npm")
    folder, today = cli.make_home().registry, datetime.now(UTC).date()
    package = names_package or NAMES_PACKAGE
    note_npmrc(cli.home)
    project = cli.home.path
    if index is not None:
        at = endpoint(index, "--index")
    else:
        at = PipSettings().index() if pypi else NpmSettings(project).endpoints().of(package)
    with (
        open_client(Ecosystem(ecosystem), at, npm_project=project) as client,
        _progress(cli.output) as progress,
    ):
        if pypi:
            done = sync_pypi(client, at.url, folder, today=today, progress=progress)
        elif index is not None:
            done = sync_crates(client, at.url, folder, today=today, progress=progress)
        else:
            done = sync_npm(client, at.url, folder, package=package, today=today, progress=progress)
    made = done.snapshot
    cli.output.document(
        {
            **_described(made.ecosystem, made.path, made.manifest.date, len(made), made.complete),
            "changed": done.changed,
            "added": done.added,
            "vanished": done.vanished,
            "skipped": done.skipped,
        }
    )
    news = f"{done.added:,} new, {done.vanished:,} gone" if done.changed else "nothing newer there"
    cli.output.line(f"{made.path}: {len(made):,} names of {made.date}; {news}")
    if not pypi and (age := today - made.date) > OLD_AFTER:
        cli.output.note(
            f"{package} is {age.days} days old, and lacks what came since: those names are asked"
            " live, or UNKNOWN; --names-package takes another list"
        )


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


@registry.command()
@invoked_with("home", "as_json")
def diff(
    cli: Invocation,
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="Day (YYYY-MM-DD) or path of a snapshot.")
    ],
    new: Annotated[
        str | None,
        typer.Argument(metavar="NEW", help="The same.", show_default="the one in use"),
    ] = None,
    ecosystem: NamesOfOption = "pypi",
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="List so many of each at most.")
    ] = None,
    reveal: RevealOption = False,
) -> None:
    """Show which names appeared, and which vanished, from one snapshot to another."""
    from ghostbust.registries.snapshot import Snapshot, appeared, find_snapshot, named_snapshot

    output, folder, whose = cli.output, cli.home.registry, Ecosystem(ecosystem)
    before = named_snapshot(old, whose, folder)
    if new is None:
        after = Snapshot.load(find_snapshot(whose, folder))
    else:
        after = named_snapshot(new, whose, folder)
    if not (before.complete and after.complete):
        output.note("not both are complete: a name that one lacks needn't have been absent")
    if before.ecosystem is not after.ecosystem:
        raise UsageError(f"{old} is of {before.ecosystem}, {new} of {after.ecosystem}")
    came = sorted(appeared(before, after))
    # Whoever reads of a vanished name could register it now.
    in_full = output.names_in_full(reveal)
    gone = [name if in_full else redact(name) for name in sorted(appeared(after, before))]
    output.document(
        {
            "ecosystem": ecosystem,
            "old": before.manifest.date,
            "new": after.manifest.date,
            "appeared": len(came),
            "vanished": len(gone),
            "appeared_names": came[:limit],
            "vanished_names": gone[:limit],
        }
    )
    output.line(f"{before.date} to {after.date}: {len(came):,} appeared, {len(gone):,} vanished")
    for sign, names in (("+", came), ("-", gone)):
        for name in islice(names, limit):
            output.line(f"{sign} {name}")


@registry.command()
@invoked_with("home", "as_json")
def imports(
    cli: Invocation,
    wheels: Annotated[
        list[Path] | None,
        typer.Argument(metavar="WHEEL", help="Wheels to read.", show_default=False),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Also what this interpreter has installed.")
    ] = False,
    site: Annotated[
        list[Path] | None,
        typer.Option(
            "--site", metavar="DIR", help="Also what is installed in this folder; may be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Table to extend; made if it isn't there. Else only shown."),
    ] = None,
) -> None:
    """Say which distribution provides which module, from wheels and installed metadata.

    Asks nobody. Of several providers the most downloaded one is taken, the others are noted.
    """
    if not wheels and not installed and not site:
        raise UsageError("nothing to read: give wheels, --installed or --site FOLDER")
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
    snapshot = Snapshot.load(find_snapshot(Ecosystem.PYPI, cli.home.registry))
    made = import_rows(facts, snapshot, datetime.now(UTC).date())
    before = read_table(out) if out else []
    rows = extended(before, made)
    if out:
        write_whole(out, table_text(rows), mode=SHARED, error=DataError)
    cli.output.document({"facts": len(facts), "before": len(before), "rows": rows, "path": out})
    cli.output.table(
        ("module", "distribution", "version", "source", "read", "note"),
        (
            (
                row.module, row.distribution or "(shared)", row.version, row.source, row.day,
                row.note,
            )
            for row in rows
        ),
    )  # fmt: skip


@registry.command()
@invoked_with("home", "config", "as_json", "quiet")
def recheck(
    cli: Invocation,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Ask for so many names at most.")
    ] = 500,
) -> None:
    """Look invented names up again, live; one that is registered now is claimed: an alarm.

    Exits with 1 if a name was claimed, else with 3 if one could not be asked for. Names that
    were asked for in the last hours aren't due yet.
    """
    from ghostbust.loop.alarms import described
    from ghostbust.loop.recheck import recheck_due
    from ghostbust.loop.session import open_beside
    from ghostbust.records import utc_now
    from ghostbust.registries.live import NEGATIVE_TTL

    place, settings = cli.make_home(), cli.configure(registry__mode="live")
    with open_beside(place, settings, purpose="recheck", lock=place.recheck_lock) as session:
        # An older answer isn't taken from the cache, a younger one would be.
        before = utc_now() - NEGATIVE_TTL - timedelta(seconds=1)
        done = recheck_due(session, before=before, most=limit)
        names = {(lookup.ecosystem, lookup.name) for lookup in done.claimed}
        alarms = [a for a in session.store.alarms.recent(limit) if (a.ecosystem, a.name) in names]
    asked, unknown = len(done.verdicts), len(done.unknown)
    claimed = [described(alarm) for alarm in alarms]
    cli.output.document({"asked": asked, "claimed": claimed, "unknown": unknown, "told": done.told})
    for alarm in alarms:
        first = f"{alarm.first_released:%Y-%m-%d}" if alarm.first_released else "not told"
        cli.output.line(
            f"claimed: {alarm.name} ({alarm.ecosystem}), first released: {first},"
            f" by: {alarm.uploader or 'not told'}; {alarm.evidence}"
        )
    cli.output.line(f"{asked} names, {len(alarms)} claimed, {unknown} could not be asked")
    if done.claimed:
        raise typer.Exit(FINDINGS)
    if done.unknown:
        raise typer.Exit(COULD_NOT_ASK)


@registry.command()
@invoked_with("home", "config", "as_json")
def rescore(
    cli: Invocation,
    run: Annotated[int, typer.Argument(metavar="RUN", help="The run's number.")],
    as_of: AsOfOption = None,
    reveal: RevealOption = False,
) -> None:
    """Judge a past run's names again by the snapshots of another day; the log stays as it is.

    Asks nobody. Shows rate and volume as judged then and now, and the verdicts that changed.
    """
    from ghostbust.loop.recheck import rescore as score
    from ghostbust.models.load import known_cutoff
    from ghostbust.registries.judge import Mode, default_judge

    if not cli.home.database.is_file():
        raise UsageError(f"{cli.home.database}: there is no database, so there are no runs")
    output, store = cli.output, cli.open_store()
    reveal = output.names_in_full(reveal)
    spec = store.runs.get(run).spec
    cutoff = cli.settings.model.cutoff or known_cutoff(spec.model)
    with default_judge(
        Mode.SNAPSHOT, data_dir=cli.home.registry, as_of=as_of, cutoff=cutoff
    ) as judge:
        done, dates = score(store, run, judge), judge.dates
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
    output.document(
        {
            "run": run,
            "model": spec.model,
            "adapter": spec.adapter,
            "cutoff": cutoff,
            "snapshots_then": spec.snapshots,
            "snapshots_now": dates,
            "then": measurement_document(done.then),
            "now": measurement_document(done.now),
            "left_out": done.left_out,
            "only_live": done.only_live,
            "changed": [
                {
                    "ecosystem": change.now.ecosystem,
                    "name": _shown(change, reveal),
                    "then": _verdict(change.then),
                    "now": _verdict(change.now),
                    "answers": change.answers,
                }
                for change in done.changes
            ],
        }
    )
    days = ", ".join(f"{ecosystem} {day}" for ecosystem, day in dates.items())
    output.line(f"run {run} of {spec.model}, now by the snapshots {days}")
    print_measurements(output, {"then": done.then, "now": done.now})
    if done.changes:
        output.table(
            ("changed", "then", "now", "answers"),
            (
                (
                    _shown(change, reveal), _in_words(change.then), _in_words(change.now),
                    change.answers,
                )
                for change in done.changes[:_SHOWN]
            ),
            title=f"{len(done.changes)} changed",
        )  # fmt: skip


def _verdict(lookup: Lookup) -> dict[str, object]:
    return {"verdict": lookup.verdict, "reason": lookup.reason, "source": lookup.source}


def _in_words(lookup: Lookup) -> str:
    return f"{lookup.verdict} {lookup.reason} ({lookup.source})"


def _shown(change: VerdictChange, reveal: bool) -> str:
    """The name; shortened where neither day's verdict says that somebody has registered it."""
    name = change.now.name
    free = {change.then.verdict, change.now.verdict} <= {Verdict.ABSENT, Verdict.UNKNOWN}
    return redact(name) if free and not reveal else name
