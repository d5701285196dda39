"""What ``ghostbust doctor`` looks at beyond the installation: servers, registries, the daemon."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from ghostbust.cli.finding import Check, Finding, Level
from ghostbust.config import Config, override
from ghostbust.errors import PublishError, UsageError
from ghostbust.home import Home
from ghostbust.parsing import parse_json
from ghostbust.publishers.interface import Publisher
from ghostbust.publishers.kinds import make_publishers
from ghostbust.records import ASKED, Ecosystem, utc_now

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
    from ghostbust.loop.parts import make_endpoint
    from ghostbust.registries.reach import ahead_of_us

    make_endpoint(override(settings, model__endpoint=url), None).check()
    where = httpx.URL(url)
    try:
        asked = httpx.get(where.copy_with(path="/", query=None), timeout=LOOK_S)
        ahead = ahead_of_us(asked)
    except httpx.HTTPError:
        ahead = None  # it has just answered its own API, which is what counts
    said = f"{where.host} lists {settings.model.served_as}"
    return _with_clock(Finding(name, Level.OK, said), ahead)


def check_rewriter(settings: Config) -> Finding:
    """Whether the server of ``discovery.rewriter`` answers and lists its model."""
    from ghostbust.errors import EndpointError
    from ghostbust.loop.parts import make_rewriter

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
    from ghostbust.registries.reach import reach

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
    from ghostbust.store import Store

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
    from ghostbust.operations.endpoint import read_listen

    host, port = read_listen(settings.daemon.listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (asked, not bound)
    url = httpx.URL(scheme="http", host=host, port=port, path="/readyz")
    try:
        answer = httpx.get(url, timeout=LOOK_S, trust_env=False)
        told = parse_json(answer.content)
        lacking = [f"{k}: {v['reason']}" for k, v in told["parts"].items() if not v["ready"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        todo = "restart it, if daemon.listen was changed since it began"
        return Finding("daemon", Level.WARN, f"{said}, and doesn't answer at {host}:{port}", todo)
    if lacking:
        return Finding("daemon", Level.WARN, f"{said}, not ready: {'; '.join(lacking)}")
    return Finding("daemon", Level.OK, f"{said}, ready")


def check_unit(unit: Path | None = None) -> Finding:
    """Whether systemd's unit, if one is installed, starts a program that is there; None looks."""
    from ghostbust.operations.unit import entries, installed_unit, program_of

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
