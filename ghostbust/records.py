"""The nouns of ghostbust: one frozen record for each thing that passes along the line.

::

    Prompt ─▶ Sample ─▶ PackageRef ─▶ Lookup ─▶ Hallucination ─▶ SetSplit ─▶ Candidate
           ─▶ GateReport ─▶ Promotion

Rates are in [0, 1], times are aware UTC, durations end in ``_s``. A record says
nothing about how it is stored; ``ghostbust.store`` does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from types import MappingProxyType


def utc_now() -> datetime:
    """The current time, aware, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def content_id(*parts: str) -> str:
    """A stable 16-digit hexadecimal id of the given texts (the head of a SHA-256)."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def chat_messages(*texts: str) -> list[dict[str, str]]:
    """A conversation as chat templates and model servers take it; the user's message first."""
    roles = cycle(("user", "assistant"))
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


@cache
def known_modules() -> Mapping[str, str]:
    """Dotted import name to distribution; empty where no single one provides the module.

    ``import_names.tsv``, written by hand, comes before ``import_facts.tsv``, which ``ghostbust
    registry imports`` makes from wheels and installed metadata.
    """
    found: dict[str, str] = {}
    for name in ("import_facts.tsv", "import_names.tsv"):
        text = files("ghostbust.data").joinpath(name).read_text(encoding="utf-8")
        rows = (line.split("\t") for line in text.splitlines() if line and line[0] != "#")
        found |= {row[0]: row[1] for row in rows}
    return MappingProxyType(found)


class Ecosystem(StrEnum):
    """A package registry's namespace, spelled as in a purl's type."""

    PYPI = "pypi"
    NPM = "npm"
    CARGO = "cargo"
    CONDA = "conda"
    """many channels, none of which is asked: a verdict on it is UNKNOWN"""


ASKED = (Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.CARGO)
"""the ecosystems whose registry can say that a name is real or absent"""
PROMPTED = (Ecosystem.PYPI, Ecosystem.NPM)
"""those that models are asked about: their tasks and snapshots are shipped"""


class RefKind(StrEnum):
    """How a sample names a package."""

    INSTALL = "install"
    """an argument of an install command, such as ``pip install``"""
    IMPORT = "import"
    """an import statement or call in code"""
    LIST = "list"
    """an item of a list of packages that the prompt asked for"""
    MANIFEST = "manifest"
    """an entry of a dependency file"""


class Context(StrEnum):
    """The three situations in which the paper measures inventions."""

    CODE = "code"
    """the model writes code with its install line"""
    NEEDS = "needs"
    """the model is asked which packages a given piece of code needs"""
    HELPS = "helps"
    """the model is asked which packages help with a task"""


class Verdict(StrEnum):
    """What a registry says of a name. Only ABSENT, or SUSPECT for a reason, is an invention."""

    REAL = "REAL"
    ABSENT = "ABSENT"
    SUSPECT = "SUSPECT"
    BUILTIN = "BUILTIN"
    """part of the language itself: neither real nor invented in any rate"""
    UNKNOWN = "UNKNOWN"
    """could not ask, or could not tell: never logged as invented, never trained on"""


class SuspectReason(StrEnum):
    """Why a registered name isn't taken for a real recommendation."""

    PLACEHOLDER = "placeholder"
    RESEARCH_SQUAT = "research-squat"
    SECURITY_HOLDING = "security-holding"
    QUARANTINED = "quarantined"
    NO_RELEASES = "no-releases"
    DECOY = "decoy"
    YOUNGER_THAN_MODEL = "younger-than-model"
    CLAIMED = "claimed"


class Flag(StrEnum):
    """What else is known of a package ref."""

    OPTIONAL = "optional"
    """imported under try/except ImportError"""
    TYPE_CHECKING = "type-checking"
    """imported for type checkers only"""
    PROMPT_INDUCED = "prompt-induced"
    """the prompt already named it"""
    LOCAL_MODULE = "local-module"
    """the same answer defines a module of that name"""
    TRUNCATED = "truncated"
    """cut off by the end of the answer, so its name may be incomplete"""
    PRIVATE_INDEX = "private-index"
    """the command names another index than the default"""
    ELSEWHERE = "elsewhere"
    """a lock file takes it from a repository, a path or an address: from no index"""


class Side(StrEnum):
    """Which side of the split a prompt family belongs to, for good."""

    TRAIN = "train"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One text that is put to the model."""

    text: str
    """the user's message, whole"""
    context: Context
    ecosystem: Ecosystem
    """the registry whose packages it asks for"""
    family: str
    """id of the task it descends from; a family is never on both sides of the split"""
    domain: str = ""
    """subject area of the task, empty when not known"""
    parent: str | None = None
    """id of the prompt it was rewritten from; None for a seed"""
    operator: str | None = None
    """name of the rewriting that made it; None for a seed"""
    private: bool = False
    """True for a user's own prompt: stored as a hash only, unless asked"""
    other_parent: str | None = None
    """id of the second prompt that it was crossed from; None for anything but a crossover"""
    turns: tuple[str, ...] = ()
    """earlier messages that ``text`` follows, the user's and the model's in turn; mostly none"""

    @property
    def id(self) -> str:
        """Content id of context, earlier messages and text."""
        return content_id(self.context, *self.turns, self.text)

    @property
    def expects_list(self) -> bool:
        """True when the prompt asks for a list of names, so that list items are refs."""
        return self.context is not Context.CODE


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion of one prompt."""

    prompt: Prompt
    text: str
    """the model's answer without special tokens"""
    model: str
    """the model id, folder or endpoint as the user gave it"""
    adapter: str | None
    """name of the adapter that was active; None for the base"""
    seed: int
    """the seed of the sampling call; of an answer in a log: what tells its record from others"""
    number: int
    """0-based number of the completion among those of the same prompt, call and seed"""
    temperature: float
    """0 for greedy; -1 where it isn't known, as of an answer in a log"""
    truncated: bool
    """True when the token limit ended it"""
    tokens: int
    """tokens generated, the end token included; 0 where it isn't known, as of one in a log"""

    @property
    def id(self) -> str:
        """Content id of everything that makes the sample what it is."""
        return content_id(
            self.prompt.id, self.model, self.adapter or "", str(self.seed), str(self.number),
            f"{self.temperature:g}", self.text,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """How likely a model finds one continuation of a text."""

    nll: float
    """negative log-likelihood of the continuation's tokens, summed, in nats"""
    tokens: int
    """tokens of the continuation; the context's tokens don't count"""


@dataclass(frozen=True, slots=True)
class NamedIndex:
    """An index, a page of links or another place that a text names for its packages."""

    address: str
    """as written, so it may hold a password; empty where the text doesn't say it"""
    replaces: bool
    """True where the installer asks it instead of the usual index, False where beside that"""


@dataclass(frozen=True, slots=True)
class PackageRef:
    """One place where a text names a package. ``text[start:end] == raw``."""

    ecosystem: Ecosystem
    kind: RefKind
    raw: str
    """the name as written: no quotes, extras or versions"""
    start: int
    """offset of the name's first character, in code points"""
    end: int
    """offset behind the name's last character, in code points"""
    name: str | None
    """distribution name, canonical; None where an import can't be mapped to one"""
    import_name: str | None = None
    """dotted module or specifier as imported; None for anything but an import"""
    builtin: bool = False
    """True where the language itself provides what an import or a list item names"""
    flags: frozenset[Flag] = frozenset()
    indexes: tuple[NamedIndex, ...] = field(default=(), compare=False)
    """what the text names besides the usual index; not stored"""
    wanted: str = field(default="", compare=False)
    """the version or range that the text asks for, as its installer reads it: ``==2.*``, ``^1``,
    ``9.9.9``; empty for none, and where it isn't read. Not stored"""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A verdict on one name, with where it comes from."""

    ecosystem: Ecosystem
    name: str
    """canonical distribution name, or the import name that could not be mapped"""
    verdict: Verdict
    reason: str
    """short machine-readable reason: a ``SuspectReason`` for SUSPECT, else such as ``registered``,
    ``not-registered``, ``not-in-snapshot``, ``unreachable``, ``no-mapping``"""
    evidence: str
    """one line a person can check: what was asked and what it said"""
    source: str
    """``snapshot:<date>``, ``live``, ``builtin``, ``mapping``; ``rule``: nobody had to be asked"""
    looked_up_at: datetime
    """when the source was asked; for a snapshot, the day it was taken"""
    first_released: datetime | None = None
    """when its oldest file or version that is left was published; None where nobody said"""
    validator: str = ""
    """what the registry tells this answer's page from a newer one by; empty for none"""

    @property
    def invented(self) -> bool:
        """True where the name counts as a hallucination: ABSENT, or SUSPECT."""
        return self.verdict in (Verdict.ABSENT, Verdict.SUSPECT)


@dataclass(frozen=True, slots=True)
class Judged:
    """A package ref together with the verdict on it."""

    ref: PackageRef
    lookup: Lookup


@dataclass(frozen=True, slots=True)
class Answer:
    """A sample with every package ref in it judged. What rates are computed from."""

    sample: Sample
    judged: tuple[Judged, ...]

    def names(self, *verdicts: Verdict) -> list[str]:
        """Distinct names with one of the given verdicts, in order of appearance.

        A name that the answer repeats counts once, so a looping list doesn't weigh more.
        """
        return list(
            dict.fromkeys(j.lookup.name for j in self.judged if j.lookup.verdict in verdicts)
        )

    @property
    def real(self) -> list[str]:
        """Distinct REAL names."""
        return self.names(Verdict.REAL)

    @property
    def invented(self) -> list[str]:
        """Distinct ABSENT and SUSPECT names."""
        return self.names(Verdict.ABSENT, Verdict.SUSPECT)


@dataclass(frozen=True, slots=True)
class Hallucination:
    """An invented name in the ledger, with how often and when it was seen."""

    ecosystem: Ecosystem
    name: str
    verdict: Verdict
    reason: str
    times_seen: int
    """samples that named it"""
    prompts: int
    """distinct prompts that elicited it"""
    first_seen: datetime
    last_seen: datetime
    claimed_at: datetime | None = None
    """when a recheck found it registered; None as long as it is not"""
    asked_again: int = 0
    """samples drawn of prompts that had elicited it, since they first did, with the adapter that
    the ledger was asked for; none at temperature 0, which only repeats itself"""
    came_back: int = 0
    """those of them that named it again"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A hallucination rate with everything without which it must not be reported."""

    rate: float
    """invented / (invented + real), pooled over answers; NaN where nothing was named"""
    ci95: tuple[float, float]
    """bootstrap interval over prompt families, widened where these are few (`interval_of`)"""
    refs: int
    """invented + real names, distinct within each answer"""
    real: int
    absent: int
    suspect: int
    unknown: int
    """names that could not be judged: in no rate"""
    answers: int
    volume: float
    """real names per answer"""
    by_context: dict[str, Measurement] = field(default_factory=dict)
    """the same for each context; empty inside a context"""
    local: int = 0
    """of the unknown ones, imports that may mean a module which the answer shows"""
    unmapped: int = 0
    """of the unknown ones, imports that no table ties to a distribution"""
    induced: int = 0
    """invented names that the prompt had named: in no rate"""
    induced_real: int = 0
    """real names that the prompt had named: in no rate, and in no volume"""
    installers: int | None = None
    """real names of installers, such as pip: in no rate, and in no volume. None in what an older
    version measured: there they are among ``real``"""
    inventing: int | None = None
    """answers with at least one invented name; None where that wasn't counted"""

    @property
    def all_names(self) -> float:
        """Real, invented and unknown names per answer."""
        return (self.refs + self.unknown) / self.answers if self.answers else 0.0

    @property
    def unknown_share(self) -> float:
        """Of all names, those that could not be judged; NaN where nothing was named."""
        named = self.refs + self.unknown
        return self.unknown / named if named else math.nan


@dataclass(frozen=True, slots=True)
class SetSplit:
    """What a round may use: answers to learn from, and prompts that must never train."""

    forget: tuple[Answer, ...]
    """train-side answers with at least one invented name"""
    retain: tuple[Answer, ...]
    """train-side answers without one, those that name nothing included"""
    holdout: tuple[Prompt, ...]
    """held-out prompts, disjoint from the others by family"""
    probe: tuple[Prompt, ...] = ()
    """train-side prompts of families of their own, which are asked while it trains"""
    base: tuple[Answer, ...] = ()
    """all that the base answered on the train side, which that is compared with"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained adapter that hasn't proved itself yet."""

    name: str
    """unique and versioned, such as ``round-0003-1a2b3c4d``; never reused"""
    path: Path
    """complete adapter folder, its ``ghostbust.json`` manifest written last"""
    model: str
    """the base it belongs to"""
    method: str
    seed: int
    steps: int
    final_loss: float
    train_s: float


class GateVerdict(StrEnum):
    """Only PASS promotes."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class GateResult:
    """One measurement of a candidate against the base, with a margin."""

    gate: str
    verdict: GateVerdict
    reason: str
    """one line: the figures, the margin, and why that gives this verdict"""
    base: float | None
    """the base's figure; None where it could not be measured"""
    candidate: float | None
    ci: tuple[float, float] | None
    """interval of the compared quantity that ``reason`` names; None where not measured"""
    margin: str
    """the condition to pass, in words"""
    details: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def test(self) -> str:
        """Which test of this base it was: ``look 3, block 2 of 4, alpha 0.0042``.

        Empty where that isn't stored: for what measured nothing, and in an older version's rounds.
        """
        known = {name: self.details[name] for name in _TEST if name in self.details}
        said = (f"{value:.2g}" if isinstance(value, float) else value for value in known.values())
        return ", ".join(f"{name} {text}" for name, text in zip(known, said, strict=True))

    @property
    def is_of_older_measure(self) -> bool:
        """Whether an older version judged it, which counted installers as packages."""
        now = _OF_TODAY.get(self.gate)
        return now is not None and self.base is not None and now not in self.details


_TEST = ("look", "block", "alpha")
_OF_TODAY = {"hallucination": "base_installers", "volume": "all_ratio"}
"""gates that count packages, and a detail that they have since they leave installers out"""
OLDER_MEASURE = "an older measure, in which installers count as packages"


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates of one round."""

    candidate: str
    results: tuple[GateResult, ...]

    @property
    def verdict(self) -> GateVerdict:
        """PASS only if every gate passed and there was one; FAIL if any failed."""
        verdicts = {result.verdict for result in self.results}
        if verdicts == {GateVerdict.PASS}:
            return GateVerdict.PASS
        return GateVerdict.FAIL if GateVerdict.FAIL in verdicts else GateVerdict.INCONCLUSIVE

    @property
    def said_older(self) -> str:
        """Which gates an older version judged by its measure, in a sentence; empty for none."""
        older = [result.gate for result in self.results if result.is_of_older_measure]
        if not older:
            return ""
        return f"Judged by {OLDER_MEASURE}, and by points, not bounds: {', '.join(older)}."


@dataclass(frozen=True, slots=True)
class Promotion:
    """One move of the deployed pointer."""

    adapter: str | None
    """what serves from now on; None for the bare base"""
    previous: str | None
    kind: str
    """``promote`` or ``rollback``"""
    reason: str
    at: datetime
