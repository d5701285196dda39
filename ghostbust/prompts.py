"""Prompts: seed tasks and the user's own, their wordings, and which of them may train.

A task becomes one prompt in each context (the paper's three). Its wording is drawn from its
family's id, so a task is always asked in the same words. Its side of the split is drawn from the id
too. Prompts of external suites and the fresh tasks are for evaluation only: they are known by their
family, which begins with `SUITE`. LibHalluBench's and the fresh ones are known by their words, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from ghostbust.documents import ParseError, parse_row
from ghostbust.errors import DataError, UsageError
from ghostbust.records import Answer, Context, Ecosystem, Prompt, Side, content_id

SUITE: Final = "suite:"
"""begins the family of every prompt that is for evaluation only"""

FRESH: Final = "fresh"
"""the suite of the shipped tasks that are reserved"""

FRESH_SHA256: Final = "6d6a288583ac27bc93c1f4f5a7d685f895df3e12ab9f53ad5e80b7dfc4cace91"
"""of ``fresh_tasks.jsonl`` as it was frozen on 2026-12-02, its lines ended by line feeds"""

LANGUAGES = {Ecosystem.PYPI: ("Python", "PyPI", "pip install"),
             Ecosystem.NPM: ("JavaScript", "npm", "npm install")}  # fmt: skip
"""language, registry and install command, as written in the forms"""

FORMS: dict[Context, tuple[str, ...]] = {
    Context.CODE: (
        # No phrase that can be imported: models named "the third-party packages" as a package.
        "Write {language} code for this task, starting with its imports. Anything on {registry} may"
        " be used.\n\nTask: {task}",
        "Write a short {language} script for the task below. Begin with the {install} command for "
        "the packages that it imports.\n\nTask: {task}",
    ),
    Context.HELPS: (
        "List five {language} packages that help with this task: {task}",
        "List the {language} packages on {registry} that are useful for the following. Names "
        "only, one per line.\n\n{task}",
        "Write a list of the {language} packages to install for this task. One package name per "
        "line.\n\nTask: {task}",
    ),
    Context.NEEDS: (
        "Write a list of the packages to install for the {language} code below. One package name "
        "per line.\n\n{code}",
        "Which {registry} packages must be installed to run this {language} code? List their "
        "names.\n\n{code}",
    ),
}
"""wordings by context; NEEDS takes code, the others take a task"""

MOST_HOLDOUT = 60
"""held-out tasks that a round measures with by default"""

HOLDOUT_SEED = 1_000_003
"""added to a seed for held-out samples, so that the two sides draw different numbers"""

EVAL_SEEDS = (2_000_003, 3_000_017, 4_000_037)
"""added to a seed for an evaluation's samples of the base, of the base again, and of adapters: a
gate judged by other draws than an evaluation, and no two models share any"""

CODE_LIMIT = 600
"""characters of an answer that a NEEDS prompt quotes"""


@dataclass(frozen=True, slots=True)
class Task:
    """A coding task, the root of a prompt family."""

    id: str
    text: str
    domain: str = ""
    ecosystem: Ecosystem = Ecosystem.PYPI
    private: bool = False

    def prompt(self, context: Context, *, code: str = "") -> Prompt:
        """The task in a context's form; NEEDS quotes ``code``, an answer to the task's CODE."""
        language, registry, install = LANGUAGES[self.ecosystem]
        forms = FORMS[context]
        form = forms[int(_digest(f"form:{self.id}{context}") * len(forms))]
        text = form.format(
            language=language,
            registry=registry,
            install=install,
            task=self.text,
            code=code[:CODE_LIMIT],
        )
        return Prompt(
            text, context, self.ecosystem, self.id, domain=self.domain, private=self.private
        )


def seed_tasks() -> list[Task]:
    """The shipped tasks in a fixed shuffled order, so the first n are a fair subset."""
    rows = [parse_row(line) for line in _data("seed_tasks.jsonl").splitlines()]
    rows.sort(key=lambda row: _digest(row["id"]))
    return [Task(row["id"], row["task"], row["domain"]) for row in rows]


def fresh_tasks(ecosystem: Ecosystem = Ecosystem.PYPI) -> list[Task]:
    """The reserved tasks of one ecosystem, in a fixed shuffled order as `seed_tasks`.

    They give final figures only: their families are the suite `FRESH`'s, so none can train. Raises
    DataError where the file isn't the one that was frozen.
    """
    return [task for task in _fresh() if task.ecosystem is ecosystem]


@cache
def _fresh() -> tuple[Task, ...]:
    text = _data("fresh_tasks.jsonl")
    if hashlib.sha256(text.encode()).hexdigest() != FRESH_SHA256:
        raise DataError(
            "ghostbust/data/fresh_tasks.jsonl isn't the file that was frozen, so figures on it "
            "would compare with none; install ghostbust anew"
        )
    rows = [parse_row(line) for line in text.splitlines()]
    rows.sort(key=lambda row: _digest(row["id"]))
    return tuple(
        Task(
            suite_family(FRESH, row["id"]), row["task"], row["domain"], Ecosystem(row["ecosystem"])
        )
        for row in rows
    )


def _data(name: str) -> str:
    """A shipped text; line ends are line feeds, whatever git made of them."""
    return (resources.files("ghostbust.data") / name).read_text("utf-8")


def read_tasks(path: Path, ecosystem: Ecosystem = Ecosystem.PYPI) -> list[Task]:
    """Tasks of a user's file: JSON lines with ``task``, ``prompt`` or ``text``, or one a line.

    A JSON line's ``id`` names the family and its ``language`` the ecosystem; both may be missing.
    Raises UsageError with the line number, and where a text is for evaluation only
    (`is_reserved_text`): what is read here may train.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"can't read the prompts in {path}: {exc}") from exc
    return tasks_in(text, str(path), ecosystem)


def tasks_in(text: str, source: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> list[Task]:
    """Tasks of a text, as `read_tasks`; ``source`` says where it is from."""
    # Not splitlines: JSON texts may hold U+2028 and other separators that end no line here.
    tasks = [
        _read_line(line, f"{source}, line {number}", ecosystem)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]
    if not tasks:
        raise UsageError(f"{source} holds no prompts; give one a line, as text or JSON")
    reserved = [task.text for task in tasks if is_reserved_text(task.text)]
    if reserved:
        raise UsageError(
            f"{source}: {len(reserved)} of {len(tasks)} prompts hold tasks of LibHalluBench or "
            "ghostbust's fresh ones, which are for evaluation only; take them out "
            f"({' '.join(reserved[0].split())[:80]!r} first)"
        )
    return tasks


def _read_line(line: str, place: str, ecosystem: Ecosystem) -> Task:
    if not line.lstrip().startswith("{"):
        return Task(content_id(line.strip()), line.strip(), "", ecosystem, private=True)
    try:
        row = parse_row(line)
    except ParseError as exc:
        raise UsageError(f"{place}: not valid JSON ({exc})") from exc
    text = next((row[key] for key in ("task", "prompt", "text") if row.get(key)), None)
    if not isinstance(text, str):
        raise UsageError(f'{place}: needs a "task", "prompt" or "text" that is a text')
    if str(row.get("language", "")).lower() in ("javascript", "typescript", "js", "ts"):
        ecosystem = Ecosystem.NPM
    family = str(row.get("id") or content_id(text))
    return Task(family, text, str(row.get("domain", "")), ecosystem, private=True)


def prompts_of(answers: Iterable[Answer]) -> tuple[Prompt, ...]:
    """The distinct prompts of the answers, in order of appearance."""
    return tuple({a.sample.prompt.id: a.sample.prompt for a in answers}.values())


def side_of(family: str, holdout_share: float) -> Side:
    """The side of the split that a prompt family is on, drawn from its id: never changes.

    Families of suites are held out, whatever the share.
    """
    if of_suite(family):
        return Side.HOLDOUT
    return Side.HOLDOUT if _digest("side:" + family) < holdout_share else Side.TRAIN


def name_side(ecosystem: Ecosystem, name: str, share: float) -> Side:
    """The side of the name-holdout that a canonical name is on, drawn from it: never changes."""
    key = f"name side:{ecosystem}:{name}"
    return Side.HOLDOUT if _digest(key) < share else Side.TRAIN


def family_of_both(one: str, other: str) -> str:
    """The family of a prompt made from two: the one that a growing share holds out first.

    So it trains only while both do, whatever the share will be.
    """
    return min(one, other, key=lambda family: (not of_suite(family), _digest("side:" + family)))


def split(tasks: Sequence[Task], holdout_share: float) -> tuple[list[Task], list[Task]]:
    """(train, holdout) tasks in the order given."""
    train: list[Task] = []
    holdout: list[Task] = []
    for task in tasks:
        (train if side_of(task.id, holdout_share) is Side.TRAIN else holdout).append(task)
    return train, holdout


def first_prompts(tasks: Iterable[Task]) -> Iterator[Prompt]:
    """The prompts that need no earlier answer: CODE and HELPS of each task."""
    for task in tasks:
        yield task.prompt(Context.CODE)
        yield task.prompt(Context.HELPS)


def _digest(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


# What is for evaluation only. LibHalluBench's tasks and the fresh ones are known wherever they come
# from, in another form, on one line or inside a longer text, by fingerprints of eight words each.
# LibHalluBench's fingerprints are shipped, so this holds whether or not the package is installed.

WINDOW: Final = 8
"""words in a fingerprint. None of 3,974 other coding tasks (PackageHallucination's, MBPP's) has
eight words in a row with LibHalluBench (2026-11-25)"""

_FILE: Final = "reserved_libhallubench.tsv"
_WORD: Final = re.compile(r"[^\W_]+")


def suite_family(suite: str, key: str) -> str:
    """The family of a suite's prompts that belong together."""
    return f"{SUITE}{suite}:{key}"


def of_suite(family: str) -> bool:
    """Whether it is a family of an external suite, or of the fresh tasks."""
    return family.startswith(SUITE)


def of_external_suite(family: str) -> bool:
    """Whether it is a family of a suite that others wrote, which may name inventions itself."""
    return of_suite(family) and not family.startswith(suite_family(FRESH, ""))


def is_reserved(prompt: Prompt) -> bool:
    """Whether the prompt must never train."""
    said = (*prompt.turns, prompt.text)
    return of_suite(prompt.family) or any(is_reserved_text(text) for text in said)


def is_reserved_text(text: str) -> bool:
    """Whether eight words in a row of the text are a fingerprint of a reserved task.

    Any 15 words in a row of one of LibHalluBench's tasks contain one, and any eight of a fresh one.
    A text of fewer than eight words is never recognised.
    """
    known = _known()
    return any(content_id(window) in known for window in _windows(text, 1))


def fingerprints(text: str) -> list[str]:
    """The fingerprints of a task: of its words 1 to 8, 9 to 16 and so on."""
    return [content_id(window) for window in _windows(text, WINDOW)]


def _windows(text: str, step: int) -> Iterator[str]:
    words = _WORD.findall(text.lower())
    for start in range(0, len(words) - WINDOW + 1, step):
        yield " ".join(words[start : start + WINDOW])


@cache
def _known() -> frozenset[str]:
    fresh = (content_id(window) for task in _fresh() for window in _windows(task.text, 1))
    return frozenset(_data(_FILE).split()[1:]).union(fresh)
