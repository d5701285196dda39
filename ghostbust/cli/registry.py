"""``ghostbust registry``: the snapshots, what is asked, and how to get newer names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import help_if_bare
from ghostbust.cli.options import AskedEcosystem, HomeOption, JsonOption, QuietOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.settings import note_npmrc
from ghostbust.errors import SnapshotError, UsageError
from ghostbust.records import ASKED, Ecosystem

if TYPE_CHECKING:
    from ghostbust.home import Home
    from ghostbust.registries.endpoints import Endpoint
    from ghostbust.registries.large_answers import Progress
    from ghostbust.registries.sync import Synced

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
    from ghostbust.registries.history import keep_snapshot
    from ghostbust.registries.name_lists import read_names
    from ghostbust.registries.snapshot import Snapshot, build_snapshot

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
    from ghostbust.registries.clients import open_client
    from ghostbust.registries.npm_config import npm_endpoints
    from ghostbust.registries.npm_names import NAMES_PACKAGE
    from ghostbust.registries.pip_config import pip_index
    from ghostbust.registries.sync import sync_npm, sync_pypi

    pypi = ecosystem == "pypi"
    if pypi and (complete or names_package is not None):
        raise UsageError("--complete and --names-package are for --ecosystem npm")
    output = Output(as_json=as_json, quiet=quiet)
    folder, today = _home_folder(home), datetime.now(UTC).date()
    package = names_package or NAMES_PACKAGE
    project = _noted_home(home).path
    at = pip_index() if pypi else npm_endpoints(project=project).of(package)
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
    from ghostbust.registries.npm_config import npm_endpoints
    from ghostbust.registries.pip_config import pip_extra_indexes, pip_index

    for index in (pip_index(), *pip_extra_indexes()):
        yield _endpoint_row(Ecosystem.PYPI, None, index)
    npm = npm_endpoints(project=npm_project)
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
