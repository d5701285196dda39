"""What ``ghostbust doctor`` looks at: one function for each check, in the order of `examine`."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from ghostbust.cli.doctor_service import service_checks
from ghostbust.cli.finding import Check, Finding, Level
from ghostbust.cli.settings import load_settings
from ghostbust.config import Config
from ghostbust.errors import GhostbustError
from ghostbust.home import Home, cache_dir
from ghostbust.records import ASKED, Ecosystem
from ghostbust.registries.snapshot import Snapshot, find_snapshot

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

    from ghostbust.models.precision import multiplies_bfloat16

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("accelerator", Level.OK, ", ".join(names))
    said = f"none seen: the CPU is used, {torch.get_num_threads()} threads"
    if not multiplies_bfloat16():
        said += "; it has no instructions for bf16, which makes models slow"
    return Finding("accelerator", Level.OK, said)


def check_sandbox(required: Sequence[str]) -> Finding:
    """Which layers there are around model-written code, and whether they are those ``required``."""
    from ghostbust.gates import VERDICT, missing_layers, sandbox_layers, unkept_promises

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
    from ghostbust.models.wheels import HUMANEVAL_JSONL, has_hash, installed_member

    member = HUMANEVAL_JSONL
    kept = cache / "humaneval" / Path(member.suffix).name
    if installed_member(member) or has_hash(kept, member.sha256):
        return Finding("humaneval", Level.OK, "164 tasks at hand")
    said = "not here yet; the first round fetches them (52 kB) from the index that pip asks"
    return Finding("humaneval", Level.WARN, said, "pip install 'ghostbust[humaneval]'")


def check_store(home: Home) -> Finding:
    """Whether the database opens; one of an older version is brought up to date."""
    from ghostbust.store import Store

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
    from ghostbust.models.convert import is_complete
    from ghostbust.models.embedded import FOLDER
    from ghostbust.models.load import EMBEDDED, check_model_name, meant
    from ghostbust.models.wheels import SMOLLM2_GGUF

    told = settings.model
    if told.servers:
        from ghostbust.loop.parts import make_endpoint

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
