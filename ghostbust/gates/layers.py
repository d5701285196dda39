"""Which layers of the sandbox hold here: programs try what the sandbox must prevent.

A probe goes past the audit hook, through the C library, since the hook alone stops no attack. That
a command exists or a kernel has a version says nothing about what holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache

from ghostbust.errors import SandboxError
from ghostbust.gates.confinement import Confinement, find_confinement
from ghostbust.gates.inside.confine import landlock_version
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs

ALWAYS = (
    "judge apart", "empty environment", "own session", "resource limits", "wall time",
    "private folder", "audit hook",
)  # fmt: skip
"""layers that need nothing of the system but Linux"""
PROBE_LIMITS = SandboxLimits(wall_s=60)
"""generous: a busy machine must not look like one without layers"""
LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
PROBES = {
    # Connecting a datagram socket sends nothing, it only asks the kernel for a route; the
    # address is one of those kept for documentation (RFC 5737).
    "no network": """\
held = True
address = b"\\x02\\0\\0\\x09\\xc0\\0\\x02\\x01" + bytes(8)
for kind in (1, 2):
    one = libc.socket(2, kind | 0o4000, 0)
    held &= one < 0 or libc.connect(one, address, 16) != 0 and ctypes.get_errno() == 101
""",
    # The judge, what started it, and so on up to the gate: whatever had the job open or read it.
    "no looking into the gate": """\
asked, one = {os.getppid(), {gate}}, "self"
try:
    while one not in (0, {gate}):
        one = int(open(f"/proc/{one}/stat").read().rpartition(")")[2].split()[1])
        asked.add(one)
except OSError:
    pass
names = ["mem", "environ", "maps", "root", "cwd", *(f"fd/{n}" for n in range(64))]
paths = [f"/proc/{one}/{name}".encode() for one in asked for name in names]
held = all(libc.open(path, 0o4400) < 0 for path in paths)
""",
    "no processes": """\
child = libc.fork()
if child == 0:
    os._exit(0)
held = child < 0
""",
    "no signals": "held = libc.kill(os.getppid(), 0) != 0\n",
    # bubblewrap makes the folders that lead to Python and the launcher, with nothing else in them.
    "no foreign files": """\
import sys
held = all(libc.open(path, 0) < 0 for path in (b"/etc/passwd", b"/etc/hostname"))
shown = {part for path in (sys.base_prefix, *sys.orig_argv) for part in path.split("/")}
for folder in ("/root", "/home"):
    try:
        held &= shown.issuperset(os.listdir(folder))
    except OSError:
        pass
""",
    "no writing elsewhere": """\
paths = (b"/tmp", b"/dev/shm", b"/var/tmp")
made = [path + b"/ghostbust-probe-%d" % os.getpid() for path in paths]
held = True
for path in made:
    if libc.open(path, 0o102, 0o600) >= 0:
        libc.unlink(path)
        held = False
""",
    "own process tree": "held = os.getpid() < 9\n",
    "few system calls": "held = libc.unshare(0) != 0\n",
}
"""layer -> a program that leaves True in ``held`` where the layer holds; ``{gate}`` stands for the
number of the gate's process"""
TODO = {
    "no network": "install bubblewrap, or allow user namespaces",
    "no looking into the gate": "run Linux 5.13 or newer with Landlock, or install bubblewrap",
    "no processes": "don't run as root, or on a machine where system calls are filtered",
    "no signals": "run Linux 6.12 or newer, or on a machine where system calls are filtered",
    "no foreign files": "install bubblewrap, or run Linux 5.13 or newer with Landlock",
    "no writing elsewhere": "install bubblewrap, or run Linux 5.13 or newer with Landlock",
    "own process tree": "install bubblewrap, or allow user namespaces",
    "few system calls": "run on x86-64 or arm64, on a kernel with seccomp",
}
"""layer -> what to do where it is missing"""
VERDICT = ("judge apart", "no looking into the gate", "no foreign files", "no writing elsewhere")
"""without these a program could read its check, or change what judges it"""
PROMISES: dict[str, tuple[str, ...]] = {
    "a wrong program doesn't pass": VERDICT,
    "nothing is sent": ("no network",),
    "files and secrets of yours aren't read": (
        "empty environment", "no foreign files", "no looking into the gate",
    ),
    "nothing outside its folder is changed": ("audit hook", "no writing elsewhere"),
    "it starts nothing": ("no processes",),
    "it ends, and so does what it started, even if the gate is killed": (
        "own session", "wall time", "own process tree",
    ),
    "other processes aren't ended": ("no signals",),
    "time, memory and disk aren't used up": ("resource limits", "wall time", "few system calls"),
    "its files are removed": ("private folder", "no writing elsewhere"),
    "little of the kernel can be reached": ("few system calls",),
}  # fmt: skip
"""promise -> the layers that it needs, all of them; docs/concepts/threat-model.md has this table"""


@cache
def find_layers(around: Confinement | None = None) -> dict[str, bool]:
    """Each layer of ``PROBES``, and whether it holds; tried once for each confinement.

    ``around`` None stands for the strongest. Raises SandboxError where no program can be run.
    """
    here = str(os.getpid())
    probes = [
        Program(LIBC + probe.replace("{gate}", here), "assert held is True\n")
        for probe in PROBES.values()
    ]
    results = run_programs(probes, limits=PROBE_LIMITS, confinement=around)
    return {name: result.passed for name, result in zip(PROBES, results, strict=True)}


def sandbox_layers() -> tuple[str, ...]:
    """The layers that hold here, those that don't as ``missing: ...``, and what holds them."""
    held, around, landlock = find_layers(), find_confinement(), landlock_version()
    means = [around.namespaces.name or "no namespaces"]
    if around.program_calls and held["few system calls"]:
        means.append("seccomp")
    if landlock:
        means.append(f"Landlock {landlock}")
    return (
        *ALWAYS,
        *(name if holds else f"missing: {name}" for name, holds in held.items()),
        f"by {', '.join(means)}",
    )


def unkept_promises() -> tuple[str, ...]:
    """Those of ``PROMISES`` that don't hold here. Raises SandboxError as ``find_layers``."""
    held = {name for name, holds in find_layers().items() if holds}.union(ALWAYS)
    return tuple(said for said, layers in PROMISES.items() if not held.issuperset(layers))


def missing_layers(required: Iterable[str]) -> str:
    """What is missing of the ``required`` layers and what to do about it; empty if all are held.

    Raises SandboxError where no program can be run.
    """
    required = tuple(required)
    held = find_layers() if required else {}
    missing = [name for name in required if not held.get(name, False)]
    if not missing:
        return ""
    todo = "; ".join(dict.fromkeys(TODO[name] for name in missing))
    return (
        f"the sandbox for model-written code lacks {', '.join(map(repr, missing))}, which"
        f" gates.sandbox_layers asks for: {todo}, or take it off that list"
    )


def require_layers(required: Iterable[str]) -> None:
    """Raises SandboxError, with what to do, unless all of the ``required`` layers are held."""
    missing = missing_layers(required)
    if missing:
        raise SandboxError(missing)
