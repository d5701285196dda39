"""Follows a page by its code blocks, as a new user would: ``python -m tests.lab.follow PAGE``.

In a fresh clone and a fresh virtual environment, with an empty home and cache: each command is
typed in its order into one shell, each block with a title is written to the file of that name. What
is printed must have the shape of what the page shows; ``--write`` puts it there instead. Figures
may differ.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.command_lines import ROOT, SCRIPTS, SESSION, Block, blocks

WIDTH = 100
_FIGURE = re.compile(r"[-+]?[\d.,]*\d")
_REDACTED = re.compile(r"\S*…\(\d+\)")
_PROGRESS = re.compile(r".*: \d[\d,]* of \d[\d,]*(, about .* left)?")
"""what a command prints while it works where no terminal is"""
_VERDICTS = re.compile(r"\b(PASS|FAIL|INCONCLUSIVE|WARN|OK)\b")


@dataclass
class Step:
    """One command of a page, or a file to write."""

    typed: str
    shown: list[str] = field(default_factory=list)
    """the lines that the page shows below it"""
    compares: bool = False
    printed: list[str] = field(default_factory=list)
    code: int = 0
    wall_s: float = 0.0


def steps_of(page: list[Block]) -> list[Step]:
    """What a reader of these blocks does, in order."""
    found: list[Step] = []
    for block in page:
        if not block.followed:
            continue
        if block.title:
            found.append(
                Step(f"cat > {shlex.quote(block.title)} <<'END-OF-FILE'\n{block.text}END-OF-FILE")
            )
        elif block.label in SCRIPTS:
            found += [
                Step(line) for line in re.sub(r"\\\n\s*", " ", block.text).splitlines() if line
            ]
        elif block.label == SESSION:
            for line in block.text.splitlines():
                if line.startswith("$ "):
                    found.append(Step(line[2:], compares=True))
                else:
                    found[-1].shown.append(line)
    return found


def follow(steps: list[Step], folder: Path, environment: dict[str, str]) -> Iterator[Step]:
    """Types the steps into one shell in ``folder``; each once it has ended, with its output."""
    with subprocess.Popen(
        ["bash", "--norc"], cwd=folder, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as shell:  # fmt: skip
        assert shell.stdin is not None
        assert shell.stdout is not None
        for number, step in enumerate(steps):
            mark = f"-- end of step {number}: "
            # A group, not a subshell: what the step exports and where it goes must stay.
            shell.stdin.write(f"{{ {step.typed}\n}} 2>&1 </dev/null\nprintf '\\n{mark}%d\\n' $?\n")
            shell.stdin.flush()
            began = time.monotonic()
            for line in shell.stdout:
                if line.startswith(mark):
                    step.code = int(line.removeprefix(mark))
                    break
                step.printed.append(line.rstrip())
            step.wall_s = time.monotonic() - began
            step.printed = _tidy(step.printed, folder)
            yield step


def _tidy(lines: list[str], folder: Path) -> list[str]:
    """As a page shows them: without progress, empty ends, and where the folder lies."""
    kept = [one.replace(str(folder), "…") for one in lines if not _PROGRESS.fullmatch(one)]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def shape(lines: list[str]) -> list[str]:
    """What stays of printed lines from one run to another: the first word of each, and whole lines
    above a rule, where a table's columns stand. Repeated ones count once."""
    found: list[str] = []
    for at, line in enumerate(lines):
        heads = at + 1 < len(lines) and set(lines[at + 1].strip()) == {"─"}
        if not line.strip() or (line.startswith("   ") and not heads):
            continue  # the rest of a cell
        text = _VERDICTS.sub("VERDICT", _FIGURE.sub("0", _REDACTED.sub("NAME", line))).strip()
        text = " ".join(text.split()) if heads else text.split()[0].lstrip("─")
        if text and found[-1:] != [text]:
            found.append(text)
    return found


def differences(step: Step) -> str:
    """Where the shape of what was printed isn't that of the page; empty where it is.

    A line ``…`` of the page stands for any lines.
    """
    if not step.compares:
        return "" if step.code == 0 else f"exit code {step.code}: {' '.join(step.printed[-3:])}"
    want, got = shape(step.shown), shape(step.printed)
    pattern = "".join(r"(?:.*\n)*?" if one == "…" else re.escape(one) + "\n" for one in want)
    if re.fullmatch(pattern, "".join(f"{one}\n" for one in got)):
        return ""
    return f"shows {want}, printed {got}"


def with_captures(text: str, steps: list[Step]) -> str:
    """The page with what the commands printed now below them."""
    left = iter([step for step in steps if step.compares])

    def renew(found: re.Match[str]) -> str:
        typed = [line for line in found[0].splitlines() if line.startswith("$ ")]
        shown = []
        for line in typed:
            step = next(left)
            shown += [line, *(step.shown if "…" in step.shown else step.printed)]
        return "\n".join([f"```{SESSION}", *shown, "```"])

    return re.sub(rf"^```{SESSION}\n.*?^```$", renew, text, flags=re.M | re.S)


def main() -> int:
    """Follows the page; 1 where a step went wrong or printed something of another shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--write", action="store_true", help="put what is printed into the page")
    given = parser.parse_args()
    page = given.page.resolve()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="follow-") as made:
        folder = Path(made).resolve() / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GHOSTBUST_")},
            "PATH": f"{folder.parent / 'venv/bin'}:{os.environ['PATH']}",
            "COLUMNS": str(WIDTH),
            "NO_COLOR": "1",
            "GHOSTBUST_HOME": str(folder.parent / "home"),
            "GHOSTBUST_CACHE": str(folder.parent / "cache"),
            "GHOSTBUST_REGISTRY__MODE": "snapshot",
        }
        environment.pop("VIRTUAL_ENV", None)
        venv.create(folder.parent / "venv", with_pip=True)
        steps = steps_of(list(blocks(page)))
        for step in follow(steps, folder, environment):
            said = differences(step)
            wrong += bool(said)
            first = step.typed.splitlines()[0]
            print(f"{step.wall_s:7.1f} s  {first}{f'  -- {said}' if said else ''}", flush=True)
            if step.code > 1 and not step.compares:
                break
    if given.write:
        page.write_text(with_captures(page.read_text("utf-8"), steps), "utf-8")
    print(f"{sum(step.wall_s for step in steps):.0f} s in all, {wrong} steps unlike the page")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
